#include "kubelet/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "kubelet/files.h"

extern char** environ;

namespace skiff::kubelet {
namespace {

constexpr size_t kMaxOutput = 64 * 1024;

struct SpawnPlan {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    // The child starts with default handlers and no blocked signals, whatever this process has set.
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;

  Result<pid_t> spawn(const std::vector<std::string>& command) {
    std::vector<char*> argv;
    for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_t pid = 0;
    if (int code = posix_spawnp(&pid, argv[0], &files, &attributes, argv.data(), environ); code != 0) {
      errno = code;
      return errnoError("run", command[0]);
    }
    return pid;
  }
};

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() { MUST(::pipe2(ends, O_CLOEXEC) == 0); }
  ~Pipe() {
    closeEnd(0);
    closeEnd(1);
  }
  Pipe(const Pipe&) = delete;
  void closeEnd(int i) {
    if (ends[i] >= 0) ::close(ends[i]);
    ends[i] = -1;
  }
};

}  // namespace

Result<ProgramOutput> runProgram(const std::vector<std::string>& command, milliseconds timeout,
                                 std::string_view input) {
  Pipe in, out;
  SpawnPlan plan;
  posix_spawn_file_actions_adddup2(&plan.files, in.ends[0], 0);
  posix_spawn_file_actions_adddup2(&plan.files, out.ends[1], 1);
  posix_spawn_file_actions_adddup2(&plan.files, out.ends[1], 2);
  pid_t pid = TRY(plan.spawn(command));
  in.closeEnd(0);
  out.closeEnd(1);
  ::fcntl(in.ends[1], F_SETFL, O_NONBLOCK);
  if (input.empty()) in.closeEnd(1);

  ProgramOutput result;
  bool timedOut = false;
  const auto deadline = Clock::real().steadyNow() + timeout;
  for (;;) {
    auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::real().steadyNow()).count();
    pollfd fds[2] = {{out.ends[0], POLLIN, 0}, {in.ends[1], POLLOUT, 0}};
    int ready = left <= 0 ? 0 : ::poll(fds, in.ends[1] >= 0 ? 2 : 1, int(std::min<long>(left, 60000)));
    if (ready < 0 && errno != EINTR) break;
    if (ready == 0 && Clock::real().steadyNow() >= deadline) {
      timedOut = true;
      ::kill(-pid, SIGKILL);  // its whole session
      break;
    }
    if (in.ends[1] >= 0 && fds[1].revents != 0) {
      ssize_t n = ::write(in.ends[1], input.data(), input.size());
      if (n > 0) input.remove_prefix(size_t(n));
      if (input.empty() || (n < 0 && errno != EAGAIN)) in.closeEnd(1);
    }
    if (fds[0].revents != 0) {
      char buffer[4096];
      ssize_t n = ::read(out.ends[0], buffer, sizeof buffer);
      if (n <= 0) break;
      if (result.output.size() < kMaxOutput) result.output.append(buffer, size_t(n));
    }
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (timedOut) return Error(Reason::Timeout, concat(command[0], ": no end within the time"));
  result.exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

Result<pid_t> startDaemon(const std::vector<std::string>& command, const std::string& logPath) {
  SpawnPlan plan;
  posix_spawn_file_actions_addopen(&plan.files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&plan.files, 1, logPath.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&plan.files, 1, 2);
  return plan.spawn(command);
}

std::string findProgram(std::string_view name) {
  const char* path = ::getenv("PATH");
  std::string all = concat(std::string_view(path == nullptr ? "" : path), ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin");
  for (std::string_view folder : splitNonEmpty(all, ':')) {
    std::string candidate = concat(folder, "/", name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace skiff::kubelet
