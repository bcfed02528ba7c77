// The Disk on an LMDB file: one transaction a batch, with LMDB's two flushes (pages, then the meta page).
#pragma once
#include <map>

#include "store/disk.h"
#include "store/lmdb_env.h"

namespace skiff::store {

class LmdbDisk final : public Disk {
 public:
  static Result<std::unique_ptr<Disk>> open(std::string directory, bool sync);

  Result<DiskState> load() override;
  Status apply(std::span<const DiskChange> changes, Revision revision) override;
  uint64_t bytes() const override;

 private:
  LmdbDisk(LmdbEnv::Options options) : options_(std::move(options)) {}
  Result<DiskState> readAll();
  int tryApply(std::span<const DiskChange> changes, Revision revision);
  int applyOne(MDB_txn* txn, const DiskChange& change);
  Status reopen();

  LmdbEnv::Options options_;
  LmdbEnv env_;
  std::map<std::string, uint64_t, std::less<>> slots_;  // of the long keys
  uint64_t nextSlot_ = 1;
};

// A file lock on the directory that names its holder; released by the kernel at the process's end, however it ends.
class DirectoryLock {
 public:
  static Result<DirectoryLock> acquire(const std::string& directory);  // makes the directory, mode 0700
  DirectoryLock() = default;
  DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~DirectoryLock();

 private:
  int fd_ = -1;
};

}  // namespace skiff::store
