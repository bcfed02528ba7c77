#include "kubelet/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace skiff::kubelet {
namespace {

Status writeAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errnoError("write", path);
    content.remove_prefix(size_t(n));
  }
  return okStatus();
}

// /proc/self/mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescapeMount(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += char((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

Status removeBelow(int parent, const std::string& name, const std::string& path, dev_t device) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return okStatus();
  if (errno != EISDIR && errno != EPERM) return errnoError("unlink", path);
  int fd = ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errnoError("open", path);
  struct stat info {};
  if (::fstat(fd, &info) != 0 || info.st_dev != device) {
    ::close(fd);
    return internalError(concat("remove ", path, ": another file system is mounted there"));
  }
  DIR* dir = ::fdopendir(fd);
  if (dir == nullptr) {
    ::close(fd);
    return errnoError("read", path);
  }
  Status result = okStatus();
  while (const dirent* entry = ::readdir(dir)) {
    std::string_view child = entry->d_name;
    if (child == "." || child == "..") continue;
    if (auto removed = removeBelow(fd, entry->d_name, concat(path, "/", child), device); !removed.ok())
      result = std::move(removed);
  }
  ::closedir(dir);
  if (!result.ok()) return result;
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) return errnoError("rmdir", path);
  return okStatus();
}

uint64_t usageBelow(const std::string& path, dev_t device) {
  uint64_t total = 0;
  for (const auto& name : listDir(path)) {
    struct stat info {};
    std::string child = concat(path, "/", name);
    if (::lstat(child.c_str(), &info) != 0 || info.st_dev != device) continue;
    total += uint64_t(info.st_blocks) * 512;
    if (S_ISDIR(info.st_mode)) total += usageBelow(child, device);
  }
  return total;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  std::swap(fd, other.fd);
  return *this;
}
Fd::~Fd() {
  if (fd >= 0) ::close(fd);
}

Error errnoError(std::string_view what, std::string_view path) {
  int code = errno;
  Reason reason = code == ENOENT ? Reason::NotFound : code == EEXIST ? Reason::AlreadyExists : Reason::InternalError;
  return {reason, concat(what, " ", path, ": ", std::string_view(std::strerror(code)))};
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

bool isDirectory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Status makeDirs(const std::string& path, mode_t mode) {
  if (path.empty() || isDirectory(path)) return okStatus();
  if (size_t slash = path.find_last_of('/'); slash != std::string::npos && slash > 0) {
    TRY(makeDirs(path.substr(0, slash), mode));
  }
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST && isDirectory(path)) return okStatus();
    return errnoError("mkdir", path);
  }
  ::chmod(path.c_str(), mode);  // whatever the umask is
  return okStatus();
}

Result<std::string> readFile(const std::string& path, size_t limit) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return errnoError("open", path);
  std::string out;
  char buffer[16384];
  while (out.size() < limit) {
    ssize_t n = ::read(file.fd, buffer, std::min(sizeof buffer, limit - out.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errnoError("read", path);
    if (n == 0) break;
    out.append(buffer, size_t(n));
  }
  return out;
}

Result<std::string> readTail(const std::string& path, size_t limit) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errnoError("stat", path);
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return errnoError("open", path);
  size_t size = size_t(info.st_size);
  std::string out(std::min(size, limit), '\0');
  ssize_t n = ::pread(file.fd, out.data(), out.size(), off_t(size - out.size()));
  if (n < 0) return errnoError("read", path);
  out.resize(size_t(n));
  return out;
}

Status writeFile(const std::string& path, std::string_view content, mode_t mode) {
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (file.fd < 0) return errnoError("open", path);
  TRY(writeAll(file.fd, content, path));
  ::fchmod(file.fd, mode);
  return okStatus();
}

Status writeFileAtomically(const std::string& path, std::string_view content, mode_t mode) {
  std::string part = path + ".part";
  TRY(writeFile(part, content, mode));
  if (::rename(part.c_str(), path.c_str()) != 0) return errnoError("rename", path);
  return okStatus();
}

std::vector<std::string> listDir(const std::string& path) {
  std::vector<std::string> names;
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir)) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

Status removeTree(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return okStatus();
  return removeBelow(AT_FDCWD, path, path, info.st_dev);
}

uint64_t diskUsage(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return 0;
  return uint64_t(info.st_blocks) * 512 + usageBelow(path, info.st_dev);
}

std::vector<MountPoint> mountsUnder(const std::string& path) {
  std::vector<MountPoint> out;
  auto table = readFile("/proc/self/mountinfo");
  if (!table.ok()) return out;
  for (std::string_view line : splitNonEmpty(*table, '\n')) {
    auto fields = splitNonEmpty(line, ' ');
    if (fields.size() < 7) continue;
    std::string point = unescapeMount(fields[4]);
    if (point != path && !point.starts_with(path + "/")) continue;
    size_t dash = 6;
    while (dash < fields.size() && fields[dash] != "-") ++dash;
    out.push_back({std::move(point), dash + 1 < fields.size() ? std::string(fields[dash + 1]) : std::string()});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const MountPoint& a, const MountPoint& b) { return a.path.size() > b.path.size(); });
  return out;
}

bool isMountPoint(const std::string& path) {
  for (const auto& mount : mountsUnder(path))
    if (mount.path == path) return true;
  return false;
}

Status mountTmpfs(const std::string& path, uint64_t sizeBytes, mode_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%o", unsigned(mode));
  std::string data = concat("mode=", std::string_view(text));
  if (sizeBytes != 0) data += concat(",size=", sizeBytes);
  if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, data.c_str()) != 0)
    return errnoError("mount tmpfs on", path);
  return okStatus();
}

Status bindMount(const std::string& from, const std::string& to) {
  if (::mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    return errnoError(concat("bind mount ", from, " on"), to);
  return okStatus();
}

Status unmount(const std::string& path) {
  if (::umount2(path.c_str(), UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT) return okStatus();
  if (errno == EBUSY && ::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return okStatus();
  return errnoError("unmount", path);
}

Status unmountUnder(const std::string& path) {
  for (const auto& mount : mountsUnder(path)) TRY(unmount(mount.path));
  return okStatus();
}

}  // namespace skiff::kubelet
