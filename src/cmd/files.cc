#include "cmd/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace skiff::cmd {
namespace {
Error failure(std::string_view what, const std::string& path) {
  return internalError(concat(what, " ", path, ": ", std::string_view(std::strerror(errno))));
}
}  // namespace

Status writeFile(const std::string& path, std::string_view text, unsigned mode) {
  std::string fresh = path + ".new";
  int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) return failure("cannot write", fresh);
  bool ok = fchmod(fd, mode) == 0;
  while (ok && !text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    ok = n > 0;
    if (ok) text.remove_prefix(size_t(n));
  }
  ok = ok && fdatasync(fd) == 0;
  close(fd);
  if (!ok || rename(fresh.c_str(), path.c_str()) != 0) return failure("cannot write", path);
  return okStatus();
}

Status makeDirectories(const std::string& path, unsigned mode) {
  for (size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at);
    auto part = path.substr(0, at);
    if (mkdir(part.c_str(), mode) != 0 && errno != EEXIST) return failure("cannot make directory", part);
    if (at != std::string::npos) ++at;
  }
  return okStatus();
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace skiff::cmd
