// A folder whose files change all at once: what configMap, secret, downward and projected volumes look like to a pod.
//
//   DIR/..2026_11_22_10_00_00.abcde/a/b   the files of one version
//   DIR/..data -> ..2026_...              switched by one rename
//   DIR/a -> ..data/a                     what the pod opens
#pragma once
#include <sys/types.h>

#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace skiff::kubelet {

struct ProjectedFile {
  std::string content;
  mode_t mode = 0644;
  std::optional<uid_t> owner;
  bool operator==(const ProjectedFile&) const = default;
};
using Payload = std::map<std::string, ProjectedFile>;  // by relative path

// Makes DIR (which must exist) show exactly `payload`. Nothing changes, not even times, when it already does.
// With a group, all files and folders belong to it and it may read them.
Status writePayload(const std::string& dir, const Payload& payload, std::optional<gid_t> group, const Clock& clock);

// Relative, no "..", no empty part.
bool isSafeRelativePath(std::string_view path);

}  // namespace skiff::kubelet
