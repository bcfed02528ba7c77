// An LMDB environment as the store lays it out, opened for the server or for the offline tools.
//
//   records  key -> record                       (record_format.h)
//   long     slot, u64 big endian -> record      keys beyond LMDB's 511 bytes; the record holds the key
//   meta     "revision" -> [i64 revision, u32 CRC-32C]
#pragma once
#include <lmdb.h>

#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "store/store.h"

namespace skiff::store {

inline constexpr size_t kLmdbMaxKey = 511;
inline constexpr char kDataFile[] = "data.mdb";

Error lmdbError(int code, std::string_view what);

class LmdbEnv {
 public:
  enum class Access { ReadWrite, ReadOnly };
  struct Options {
    std::string file;  // the data file; the lock file lies beside it
    Access access = Access::ReadWrite;
    bool sync = true;
    bool shared = true;   // others may have it open; false for a file that nobody writes
    size_t mapBytes = 0;  // 0: as large as the file says
  };
  static Result<LmdbEnv> open(const Options& options);
  LmdbEnv() = default;
  LmdbEnv(LmdbEnv&& other) noexcept { *this = std::move(other); }
  LmdbEnv& operator=(LmdbEnv&& other) noexcept;
  ~LmdbEnv() { close(); }
  void close();

  MDB_env* env() const { return env_; }
  MDB_dbi records() const { return records_; }
  MDB_dbi longKeys() const { return long_; }
  MDB_dbi meta() const { return meta_; }
  uint64_t usedBytes() const;

 private:
  MDB_env* env_ = nullptr;
  MDB_dbi records_ = 0, long_ = 0, meta_ = 0;
};

// A transaction that is aborted unless it was committed.
class LmdbTxn {
 public:
  explicit LmdbTxn(MDB_env* env, unsigned flags) { code_ = mdb_txn_begin(env, nullptr, flags, &txn_); }
  LmdbTxn(const LmdbTxn&) = delete;
  ~LmdbTxn() {
    if (txn_) mdb_txn_abort(txn_);
  }
  int code() const { return code_; }  // of the begin
  MDB_txn* get() const { return txn_; }
  int commit() { return mdb_txn_commit(std::exchange(txn_, nullptr)); }

 private:
  MDB_txn* txn_ = nullptr;
  int code_;
};

inline MDB_val lmdbVal(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
inline std::string_view viewOf(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

// Key and stored form of every record of the tables in one transaction, until `visit` fails.
using VisitStored = UniqueFunction<Status(MDB_dbi, std::string_view key, std::string_view stored)>;
Status visitRecords(MDB_txn* txn, std::initializer_list<MDB_dbi> tables, VisitStored visit);

int writeRevision(const LmdbEnv& env, MDB_txn* txn, Revision revision);  // LMDB's code
Result<Revision> readRevision(const LmdbEnv& env, MDB_txn* txn);  // 0 in a new environment

}  // namespace skiff::store
