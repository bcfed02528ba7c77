#include "cmd/instance.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "cmd/files.h"

namespace skiff::cmd {
namespace {
std::string pidPath(const std::string& dataDir) { return dataDir + "/run/skiff.pid"; }
}  // namespace

Result<InstanceLock> InstanceLock::acquire(const std::string& dataDir) {
  TRY(makeDirectories(dataDir + "/run"));
  auto path = pidPath(dataDir);
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return internalError(concat("cannot open ", path, ": ", std::string_view(std::strerror(errno))));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    auto pid = readFile(path).valueOr("?");
    return Error(Reason::Conflict, concat("data directory ", dataDir, " is in use by another skiff (pid ", trim(pid),
                                          "); stop it with: skiff down --data-dir ", dataDir));
  }
  auto text = concat(getpid(), "\n");
  if (ftruncate(fd, 0) != 0 || ::write(fd, text.data(), text.size()) != ssize_t(text.size())) {
    close(fd);
    return internalError(concat("cannot write ", path));
  }
  return InstanceLock(fd);
}

InstanceLock::~InstanceLock() {
  if (fd_ < 0) return;
  [[maybe_unused]] int truncated = ftruncate(fd_, 0);
  close(fd_);
}

int runningPid(const std::string& dataDir) {
  int fd = open(pidPath(dataDir).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
  close(fd);
  if (!held) return 0;
  return int(parseInt(trim(readFile(pidPath(dataDir)).valueOr(""))).value_or(0));
}

Result<Detached> Detached::fork(const std::string& logFile) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return internalError("cannot make a pipe");
  pid_t child = ::fork();
  if (child < 0) return internalError("cannot fork");
  if (child > 0) {
    close(ends[1]);
    std::string message;
    char buffer[512];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) message.append(buffer, size_t(n));
    if (message == "ready\n") _exit(0);
    if (message.empty()) message = concat("skiff ended before it was ready; see ", logFile, "\n");
    [[maybe_unused]] auto written = ::write(STDERR_FILENO, message.data(), message.size());
    _exit(1);
  }
  setsid();
  close(ends[0]);
  int log = open(logFile.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (log < 0 || null < 0) return internalError(concat("cannot open ", logFile));
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  Detached detached;
  detached.pipe_ = ends[1];
  return detached;
}

void Detached::report(const Status& status) {
  if (pipe_ < 0) return;
  auto text = status.ok() ? std::string("ready\n") : concat("skiff: ", status.error().message(), "\n");
  [[maybe_unused]] auto written = ::write(pipe_, text.data(), text.size());
  close(std::exchange(pipe_, -1));
}

namespace {
sigset_t stopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}
}  // namespace

void blockStopSignals() {
  auto set = stopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool stopSignalWaits() {
  sigset_t pending;
  return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

int waitForStopSignal() {
  auto set = stopSignals();
  int taken = 0;
  while (sigwait(&set, &taken) != 0) {
  }
  return taken;
}

}  // namespace skiff::cmd
