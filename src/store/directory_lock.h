// A file lock on the store's directory that names its holder; released by the kernel at the process's end, however it ends.
#pragma once
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace skiff::store {

class DirectoryLock {
 public:
  static Result<DirectoryLock> acquire(const std::string& directory);  // makes the directory, mode 0700

 private:
  Fd fd_;
};

}  // namespace skiff::store
