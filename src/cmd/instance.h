// One running `skiff up` and its data directory: the lock, the pid file, going to the background, stop signals.
#pragma once
#include <string>

#include "base/result.h"

namespace skiff::cmd {

// Held by the living process; another one gets Conflict with the holder's pid in the message.
class InstanceLock {
 public:
  static Result<InstanceLock> acquire(const std::string& dataDir);
  InstanceLock(InstanceLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  InstanceLock& operator=(InstanceLock&&) = delete;
  ~InstanceLock();

 private:
  explicit InstanceLock(int fd) : fd_(fd) {}
  int fd_;
};

// The pid of the process that holds the directory's lock; 0 when none does.
int runningPid(const std::string& dataDir);

// Goes on in a child process that the terminal does not end. The parent waits for report() and exits with its code;
// the child's output goes to `logFile`. Must be called before any thread exists.
class Detached {
 public:
  static Result<Detached> fork(const std::string& logFile);
  Detached() = default;  // stays in the foreground: report() does nothing
  void report(const Status& status);

 private:
  int pipe_ = -1;
};

// Blocks SIGTERM and SIGINT in this and all later threads; wait() takes the first one.
void blockStopSignals();
int waitForStopSignal();
bool stopSignalWaits();  // one has come and was not taken yet

}  // namespace skiff::cmd
