#include "store/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/log.h"
#include "base/strings.h"
#include "store/files.h"

namespace skiff::store {

Result<DirectoryLock> DirectoryLock::acquire(const std::string& directory) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) return Error(Reason::ServiceUnavailable, concat("store: create ", directory, ": ", failed.message()));
  ::chmod(directory.c_str(), 0700);

  std::string file = directory + "/LOCK";
  DirectoryLock lock;
  lock.fd_ = Fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  int fd = lock.fd_.get();
  if (fd < 0) return fileError("open", file);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return fileError("lock", file);
    }
    char pid[32] = {};
    ssize_t size = ::pread(fd, pid, sizeof pid - 1, 0);
    std::string_view holder = trim(std::string_view(pid, size > 0 ? static_cast<size_t>(size) : 0));
    return Error(Reason::Conflict, concat("store: ", directory, " is in use by process ",
                                          holder.empty() ? "(unknown)" : holder));
  }
  std::string pid = concat(::getpid(), "\n");
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    log::warn("Could not note the process id in the store's lock file", {{"file", file}, {"err", std::strerror(errno)}});
  }
  return lock;
}

}  // namespace skiff::store
