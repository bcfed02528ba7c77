#include "kubelet/atomic_writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <set>

#include "base/strings.h"
#include "kubelet/files.h"

namespace skiff::kubelet {
namespace {

std::string linkTarget(const std::string& path) {
  char target[PATH_MAX];
  ssize_t n = ::readlink(path.c_str(), target, sizeof target);
  return n <= 0 ? std::string() : std::string(target, size_t(n));
}

mode_t effectiveMode(const ProjectedFile& file, std::optional<gid_t> group) {
  return group ? file.mode | 0040 : file.mode;
}

void collect(const std::string& dir, const std::string& prefix, std::set<std::string>& out) {
  for (const auto& name : listDir(dir)) {
    const std::string path = concat(dir, "/", name);
    if (isDirectory(path)) {
      collect(path, concat(prefix, name, "/"), out);
    } else {
      out.insert(prefix + name);
    }
  }
}

bool shows(const std::string& version, const Payload& payload, std::optional<gid_t> group) {
  std::set<std::string> present;
  collect(version, "", present);
  if (present.size() != payload.size()) return false;
  for (const auto& [path, file] : payload) {
    const std::string full = concat(version, "/", path);
    struct stat info {};
    if (!present.contains(path) || ::stat(full.c_str(), &info) != 0) return false;
    if ((info.st_mode & 07777) != effectiveMode(file, group)) return false;
    if (auto content = readFile(full); !content.ok() || *content != file.content) return false;
  }
  return true;
}

Status writeVersion(const std::string& version, const Payload& payload, std::optional<gid_t> group) {
  for (const auto& [path, file] : payload) {
    const std::string full = concat(version, "/", path);
    TRY(makeDirs(full.substr(0, full.find_last_of('/'))));
    TRY(writeFile(full, file.content, effectiveMode(file, group)));
    if (::chown(full.c_str(), file.owner ? *file.owner : uid_t(-1), group ? *group : gid_t(-1)) != 0)
      return errnoError("chown", full);
    // chown clears nothing here, but a mode without owner-write must still end as asked.
    ::chmod(full.c_str(), effectiveMode(file, group));
  }
  return okStatus();
}

std::string versionName(const Clock& clock) {
  std::string time = formatRfc3339(clock.now());  // 2026-11-22T10:00:00Z
  for (char& c : time)
    if (c == '-' || c == ':' || c == 'T') c = '_';
  time.resize(19);
  return concat("..", time, ".", randomSuffix());
}

}  // namespace

bool isSafeRelativePath(std::string_view path) {
  if (path.empty() || path[0] == '/') return false;
  for (std::string_view part : split(path, '/'))
    if (part.empty() || part == "..") return false;
  return !path.starts_with("..");
}

Status writePayload(const std::string& dir, const Payload& payload, std::optional<gid_t> group, const Clock& clock) {
  for (const auto& [path, file] : payload)
    if (!isSafeRelativePath(path)) return badRequest(concat("invalid path in volume: ", path));
  const std::string data = dir + "/..data";
  const std::string before = linkTarget(data);
  if (!before.empty() && shows(concat(dir, "/", before), payload, group)) return okStatus();

  const std::string name = versionName(clock);
  const std::string version = concat(dir, "/", name);
  TRY(makeDirs(version));
  if (auto written = writeVersion(version, payload, group); !written.ok()) {
    auto removed = removeTree(version);
    (void)removed;  // the first error is the one to tell
    return written;
  }
  const std::string fresh = dir + "/..data_tmp";
  ::unlink(fresh.c_str());
  if (::symlink(name.c_str(), fresh.c_str()) != 0) return errnoError("symlink", fresh);
  if (::rename(fresh.c_str(), data.c_str()) != 0) return errnoError("rename", data);

  std::set<std::string> top;  // first parts of the paths: what the pod sees
  for (const auto& [path, file] : payload) top.insert(path.substr(0, path.find('/')));
  for (const auto& entry : top) {
    const std::string link = concat(dir, "/", entry);
    if (linkTarget(link).empty() && ::symlink(concat("..data/", entry).c_str(), link.c_str()) != 0)
      return errnoError("symlink", link);
  }
  for (const auto& entry : listDir(dir)) {
    if (entry.starts_with("..")) {
      if (entry != "..data" && entry != name) TRY(removeTree(concat(dir, "/", entry)));
    } else if (!top.contains(entry)) {
      ::unlink(concat(dir, "/", entry).c_str());
    }
  }
  return okStatus();
}

}  // namespace skiff::kubelet
