// The state at one revision in an LMDB file: one transaction a step, with LMDB's two flushes (pages, then the meta page).
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <span>

#include "store/disk.h"
#include "store/lmdb_env.h"

namespace skiff::store {

struct KeyState {
  std::string_view key;
  RecordPtr record;  // null: the key is removed
};

// One caller at a time but for bytes().
class LmdbState {
 public:
  static Result<std::unique_ptr<LmdbState>> open(LmdbEnv::Options options);

  Result<Revision> revision() const;  // before the others
  Result<DiskState> load();
  // All or nothing and on stable storage when it returns ok. Each key occurs at most once.
  Status apply(std::span<const KeyState> changes, Revision revision);
  uint64_t bytes() const { return bytes_; }

 private:
  explicit LmdbState(LmdbEnv::Options options) : options_(std::move(options)) {}
  Status reopen();
  Status readSlots();
  Result<DiskState> readAll();
  int tryApply(std::span<const KeyState> changes, Revision revision);
  int applyOne(MDB_txn* txn, const KeyState& change);

  LmdbEnv::Options options_;
  LmdbEnv env_;  // closed while there is nothing to do: what has been read of the file counts as this process's memory
  std::atomic<uint64_t> bytes_ = 0;
  std::map<std::string, uint64_t, std::less<>> slots_;  // of the long keys
  uint64_t nextSlot_ = 1;
};

}  // namespace skiff::store
