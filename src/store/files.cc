#include "store/files.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "base/strings.h"

namespace skiff::store {

std::string_view diskErrorText(int error) {
  return error == ENOSPC || error == EDQUOT ? "the disk is full" : std::strerror(error);
}

Error fileError(std::string_view what, const std::string& file) {
  return {Reason::ServiceUnavailable, concat("store: ", what, " ", file, ": ", diskErrorText(errno))};
}

Status writeAt(int fd, std::string_view bytes, uint64_t offset, const std::string& file) {
  while (!bytes.empty()) {
    ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fileError("write", file);
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return okStatus();
}

Status syncPath(const std::string& path, int flags) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd) return fileError("open", path);
  return ::fsync(fd.get()) == 0 ? okStatus() : Status(fileError("sync", path));
}

}  // namespace skiff::store
