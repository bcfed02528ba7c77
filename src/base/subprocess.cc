#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/strings.h"

extern char** environ;

namespace skiff {
namespace {

constexpr size_t kMaxOutput = 1 << 20;

struct Pipe {
  int ends[2] = {-1, -1};
  bool open() { return pipe2(ends, O_CLOEXEC) == 0; }
  void close(int which) {
    if (ends[which] >= 0) ::close(ends[which]);
    ends[which] = -1;
  }
  ~Pipe() {
    close(0);
    close(1);
  }
};

// Reads what is there; false at the end.
bool drain(int fd, std::string& into) {
  char buffer[16384];
  ssize_t n = read(fd, buffer, sizeof buffer);
  if (n <= 0) return n < 0 && (errno == EINTR || errno == EAGAIN);
  into.append(buffer, std::min(size_t(n), kMaxOutput - std::min(kMaxOutput, into.size())));
  return true;
}

bool feed(int fd, std::string_view& input) {
  if (input.empty()) return false;
  ssize_t n = write(fd, input.data(), input.size());
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  input.remove_prefix(size_t(n));
  return !input.empty();
}

// Moves bytes until both outputs are closed; false when the time is over.
bool exchange(Pipe& in, Pipe& out, Pipe& err, std::string_view input, ProcessResult& result,
              SteadyTime deadline) {
  if (input.empty()) in.close(1);
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::real().steadyNow());
    if (left <= milliseconds(0)) return false;
    pollfd fds[] = {{in.ends[1], POLLOUT, 0}, {out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
    if (poll(fds, 3, int(left.count())) < 0 && errno != EINTR) return false;
    if (fds[0].revents && !feed(in.ends[1], input)) in.close(1);
    if (fds[1].revents && !drain(out.ends[0], result.output)) out.close(0);
    if (fds[2].revents && !drain(err.ends[0], result.errors)) err.close(0);
  }
  return true;
}

}  // namespace

Result<ProcessResult> runProcess(const std::vector<std::string>& argv, std::string_view input,
                                 std::chrono::milliseconds timeout) {
  Pipe in, out, err;
  if (!in.open() || !out.open() || !err.open()) return internalError("cannot make a pipe");
  fcntl(in.ends[1], F_SETFL, O_NONBLOCK);
  std::vector<char*> args;
  for (const auto& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.ends[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;  // the parent blocks signals that the child must see
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  int failed = posix_spawnp(&pid, args[0], &actions, &attributes, args.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed) return Error(Reason::NotFound, concat("cannot run ", argv[0], ": ", std::string_view(std::strerror(failed))));
  in.close(0);
  out.close(1);
  err.close(1);
  ProcessResult result;
  bool inTime = exchange(in, out, err, input, result, Clock::real().steadyNow() + timeout);
  in.close(1);
  if (!inTime) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!inTime) return Error(Reason::Timeout, concat(argv[0], " did not end within ", timeout.count(), " ms"));
  result.exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace skiff
