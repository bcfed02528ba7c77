#include "store/lmdb_env.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/strings.h"
#include "store/crc32c.h"
#include "store/files.h"

namespace skiff::store {
namespace {

constexpr std::string_view kRevisionKey = "revision";

// LMDB maps the file: reading a page that a truncated file no longer has would be a SIGBUS.
Status checkLength(MDB_env* env, const std::string& file) {
  MDB_envinfo info;
  MDB_stat stat;
  struct stat status;
  mdb_env_info(env, &info);
  mdb_env_stat(env, &stat);
  if (::stat(file.c_str(), &status) != 0) return internalError(concat(file, ": ", std::strerror(errno)));
  uint64_t needed = (info.me_last_pgno + 1) * stat.ms_psize;
  auto present = static_cast<uint64_t>(status.st_size);
  if (info.me_last_txnid > 0 && present < needed) {
    return internalError(concat(file, " is cut short: ", present, " of ", needed, " bytes"));
  }
  return okStatus();
}

}  // namespace

Error lmdbError(int code, std::string_view what) {
  // LMDB's own codes are negative, the system's positive. A map that cannot grow is a full disk to the operator.
  if (code == MDB_MAP_FULL) code = ENOSPC;
  return {Reason::ServiceUnavailable, concat("store: ", what, ": ", code < 0 ? mdb_strerror(code) : diskErrorText(code))};
}

Result<LmdbEnv> LmdbEnv::open(const Options& options) {
  LmdbEnv result;
  int code = mdb_env_create(&result.env_);
  if (code != 0) return lmdbError(code, "create environment");
  mdb_env_set_maxdbs(result.env_, 3);
  if (options.mapBytes != 0) mdb_env_set_mapsize(result.env_, options.mapBytes);

  bool readOnly = options.access == Access::ReadOnly;
  unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD;
  if (readOnly) flags |= MDB_RDONLY;
  if (!options.sync) flags |= MDB_NOSYNC;
  if (!options.shared) flags |= MDB_NOLOCK;
  code = mdb_env_open(result.env_, options.file.c_str(), flags, 0600);
  if (code != 0) return lmdbError(code, concat("open ", options.file));
  TRY(checkLength(result.env_, options.file));
  // A snapshot that was killed would pin the pages it read for good.
  int dead = 0;
  if (!readOnly) mdb_reader_check(result.env_, &dead);

  LmdbTxn txn(result.env_, readOnly ? MDB_RDONLY : 0);
  code = txn.code();
  unsigned create = readOnly ? 0 : MDB_CREATE;
  if (code == 0) code = mdb_dbi_open(txn.get(), "records", create, &result.records_);
  if (code == 0) code = mdb_dbi_open(txn.get(), "long", create, &result.long_);
  if (code == 0) code = mdb_dbi_open(txn.get(), "meta", create, &result.meta_);
  if (code == 0) code = txn.commit();
  if (code != 0) return lmdbError(code, concat("open ", options.file));
  return result;
}

LmdbEnv& LmdbEnv::operator=(LmdbEnv&& other) noexcept {
  if (this == &other) return *this;
  close();
  env_ = std::exchange(other.env_, nullptr);
  records_ = other.records_;
  long_ = other.long_;
  meta_ = other.meta_;
  return *this;
}

void LmdbEnv::close() {
  if (env_) mdb_env_close(std::exchange(env_, nullptr));
}

uint64_t LmdbEnv::usedBytes() const {
  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  return (info.me_last_pgno + 1) * stat.ms_psize;
}

Status visitRecords(MDB_txn* txn, std::initializer_list<MDB_dbi> tables, VisitStored visit) {
  for (MDB_dbi dbi : tables) {
    MDB_cursor* opened = nullptr;
    int code = mdb_cursor_open(txn, dbi, &opened);
    if (code != 0) return lmdbError(code, "read");
    std::unique_ptr<MDB_cursor, void (*)(MDB_cursor*)> cursor(opened, mdb_cursor_close);
    MDB_val key, stored;
    while ((code = mdb_cursor_get(cursor.get(), &key, &stored, MDB_NEXT)) == 0) {
      TRY(visit(dbi, viewOf(key), viewOf(stored)));
    }
    if (code != MDB_NOTFOUND) return lmdbError(code, "read");
  }
  return okStatus();
}

int writeRevision(const LmdbEnv& env, MDB_txn* txn, Revision revision) {
  std::string stored(sizeof revision, '\0');
  std::memcpy(stored.data(), &revision, sizeof revision);
  uint32_t checksum = crc32c(stored);
  stored.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  MDB_val key = lmdbVal(kRevisionKey), value = lmdbVal(stored);
  return mdb_put(txn, env.meta(), &key, &value, 0);
}

Result<Revision> readRevision(const LmdbEnv& env, MDB_txn* txn) {
  MDB_val key = lmdbVal(kRevisionKey), value;
  int code = mdb_get(txn, env.meta(), &key, &value);
  if (code == MDB_NOTFOUND) return Revision{0};
  if (code != 0) return lmdbError(code, "read");
  std::string_view stored = viewOf(value);
  Revision revision = 0;
  uint32_t checksum = 0;
  if (stored.size() != sizeof revision + sizeof checksum) return internalError("the revision is cut short");
  std::memcpy(&revision, stored.data(), sizeof revision);
  std::memcpy(&checksum, stored.data() + sizeof revision, sizeof checksum);
  if (checksum != crc32c(stored.substr(0, sizeof revision))) return internalError("the revision fails its checksum");
  return revision;
}

}  // namespace skiff::store
