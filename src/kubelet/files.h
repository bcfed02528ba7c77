// Files, folders and mounts as the kubelet needs them; every error names the path.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace skiff::kubelet {

// An open descriptor, closed with it.
struct Fd {
  int fd = -1;
  explicit Fd(int n) : fd(n) {}
  Fd(Fd&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();
};

Error errnoError(std::string_view what, std::string_view path);  // "mkdir /a: Permission denied"

bool exists(const std::string& path);
bool isDirectory(const std::string& path);
Status makeDirs(const std::string& path, mode_t mode = 0755);  // and its parents; existing ones are kept as they are
Result<std::string> readFile(const std::string& path, size_t limit = 64 * 1024 * 1024);
// Up to the last `limit` bytes.
Result<std::string> readTail(const std::string& path, size_t limit);
Status writeFile(const std::string& path, std::string_view content, mode_t mode = 0644);
Status writeFileAtomically(const std::string& path, std::string_view content, mode_t mode = 0644);
std::vector<std::string> listDir(const std::string& path);  // sorted names; empty when it cannot be read
// The tree below and the folder itself. Never crosses into another file system: a mount left there is an error, not
// someone else's data deleted.
Status removeTree(const std::string& path);
uint64_t diskUsage(const std::string& path);  // bytes in blocks below it, on one file system

struct MountPoint {
  std::string path;
  std::string fsType;
};
std::vector<MountPoint> mountsUnder(const std::string& path);  // itself included, deepest first
bool isMountPoint(const std::string& path);
Status mountTmpfs(const std::string& path, uint64_t sizeBytes, mode_t mode);  // size 0: the kernel's default
Status bindMount(const std::string& from, const std::string& to);
Status unmount(const std::string& path);           // lazily when busy; fine when it is no mount
Status unmountUnder(const std::string& path);

}  // namespace skiff::kubelet
