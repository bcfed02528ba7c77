// Tells when a file has changed, by watching the directory it is in: files of configuration are replaced (a rename, the
// swapped symbolic link of a mounted secret) more often than written.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_function.h"

namespace skiff::rt {

class FileWatcher {
 public:
  // Calls `changed` on a thread of its own after something in the directories of the files has changed and is quiet again;
  // it may be another file that did: the callback compares. Sleeps in the kernel in between.
  static Result<std::unique_ptr<FileWatcher>> watch(const std::vector<std::string>& paths, UniqueFunction<void()> changed);
  virtual ~FileWatcher() = default;  // waits for a running callback
};

}  // namespace skiff::rt
