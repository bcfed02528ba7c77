#include "store/lmdb_disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/log.h"
#include "base/strings.h"
#include "store/file_error.h"
#include "store/record_format.h"

namespace skiff::store {
namespace {

// Address space only; it doubles when the data outgrow it.
constexpr size_t kFirstMapBytes = size_t{1} << 30;

std::string slotKey(uint64_t slot) {
  std::string key(sizeof slot, '\0');
  for (size_t i = 0; i < sizeof slot; ++i) key[i] = static_cast<char>(slot >> (8 * (sizeof slot - 1 - i)));
  return key;
}

uint64_t slotOf(std::string_view key) {
  uint64_t slot = 0;
  for (char c : key) slot = slot << 8 | static_cast<unsigned char>(c);
  return slot;
}

// A new file's name is durable only once its directory is.
Status syncDirectory(const std::string& directory) {
  int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool done = fd >= 0 && ::fsync(fd) == 0;
  int error = errno;
  if (fd >= 0) ::close(fd);
  if (!done) return Error(Reason::ServiceUnavailable, concat("store: sync ", directory, ": ", std::strerror(error)));
  return okStatus();
}

}  // namespace

Result<std::unique_ptr<Disk>> LmdbDisk::open(std::string directory, bool sync) {
  LmdbEnv::Options options{.file = directory + "/" + kDataFile, .sync = sync, .mapBytes = kFirstMapBytes};
  std::unique_ptr<LmdbDisk> disk(new LmdbDisk(std::move(options)));
  TRY(disk->reopen());
  TRY(syncDirectory(directory));
  return std::unique_ptr<Disk>(std::move(disk));
}

Status LmdbDisk::reopen() {
  env_.close();
  env_ = TRY(LmdbEnv::open(options_));
  return okStatus();
}

uint64_t LmdbDisk::bytes() const { return env_.env() ? env_.usedBytes() : 0; }

Result<DiskState> LmdbDisk::load() {
  DiskState state = TRY(readAll());
  // Everything was copied out; a new mapping drops the pages that count as this process's memory.
  TRY(reopen());
  return state;
}

Result<DiskState> LmdbDisk::readAll() {
  DiskState state;
  LmdbTxn txn(env_.env(), MDB_RDONLY);
  if (txn.code() != 0) return lmdbError(txn.code(), "read");
  state.revision = TRY(readRevision(env_, txn.get()));
  TRY(visitRecords(env_, txn.get(), [&](MDB_dbi dbi, std::string_view key, std::string_view stored) -> Status {
    bool isLong = dbi == env_.longKeys();
    auto record = decodeRecord(isLong ? std::string_view() : key, stored);
    if (!record.ok()) {
      return internalError(concat("store: ", record.error().message(), " at key ", quoted(key), " in ", options_.file,
                                  "; \"skiff store verify\" lists all faults"));
    }
    if (isLong) {
      slots_[(*record)->key()] = slotOf(key);
      nextSlot_ = std::max(nextSlot_, slotOf(key) + 1);
    }
    state.records.push_back(std::move(*record));
    return okStatus();
  }));
  return state;
}

int LmdbDisk::applyOne(MDB_txn* txn, const DiskChange& change) {
  bool isLong = change.key.size() > kLmdbMaxKey;
  std::string slot;
  if (isLong) {
    auto found = slots_.find(change.key);
    if (found == slots_.end()) {
      if (!change.record) return 0;
      found = slots_.emplace(change.key, nextSlot_++).first;
    }
    slot = slotKey(found->second);
  }
  MDB_dbi dbi = isLong ? env_.longKeys() : env_.records();
  MDB_val key = lmdbVal(isLong ? std::string_view(slot) : change.key);
  if (!change.record) {
    int code = mdb_del(txn, dbi, &key, nullptr);
    return code == MDB_NOTFOUND ? 0 : code;
  }
  KeyPlace place = isLong ? KeyPlace::Inside : KeyPlace::Outside;
  MDB_val value{encodedSize(*change.record, place), nullptr};
  int code = mdb_put(txn, dbi, &key, &value, MDB_RESERVE);
  if (code == 0) encodeRecord(*change.record, place, static_cast<char*>(value.mv_data));
  return code;
}

int LmdbDisk::tryApply(std::span<const DiskChange> changes, Revision revision) {
  LmdbTxn txn(env_.env(), 0);
  if (txn.code() != 0) return txn.code();
  for (const DiskChange& change : changes) {
    if (int code = applyOne(txn.get(), change); code != 0) return code;
  }
  if (int code = writeRevision(env_, txn.get(), revision); code != 0) return code;
  return txn.commit();
}

Status LmdbDisk::apply(std::span<const DiskChange> changes, Revision revision) {
  if (!env_.env()) TRY(reopen());
  int code = tryApply(changes, revision);
  while (code == MDB_MAP_FULL) {
    options_.mapBytes *= 2;
    if (code = mdb_env_set_mapsize(env_.env(), options_.mapBytes); code == 0) code = tryApply(changes, revision);
  }
  if (code != 0) {
    // After a failed meta page LMDB refuses all work until it is opened anew: do so at the next batch.
    env_.close();
    return lmdbError(code, "write");
  }
  for (const DiskChange& change : changes) {
    if (change.record || change.key.size() <= kLmdbMaxKey) continue;
    if (auto slot = slots_.find(change.key); slot != slots_.end()) slots_.erase(slot);
  }
  return okStatus();
}

Result<DirectoryLock> DirectoryLock::acquire(const std::string& directory) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) return Error(Reason::ServiceUnavailable, concat("store: create ", directory, ": ", failed.message()));
  ::chmod(directory.c_str(), 0700);

  std::string file = directory + "/LOCK";
  DirectoryLock lock;
  lock.fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock.fd_ < 0) return fileError("open", file);
  if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return fileError("lock", file);
    }
    char pid[32] = {};
    ssize_t size = ::pread(lock.fd_, pid, sizeof pid - 1, 0);
    std::string_view holder = trim(std::string_view(pid, size > 0 ? static_cast<size_t>(size) : 0));
    return Error(Reason::Conflict, concat("store: ", directory, " is in use by process ",
                                          holder.empty() ? "(unknown)" : holder));
  }
  std::string pid = concat(::getpid(), "\n");
  if (::ftruncate(lock.fd_, 0) != 0 || ::pwrite(lock.fd_, pid.data(), pid.size(), 0) < 0) {
    log::warn("Could not note the process id in the store's lock file", {{"file", file}, {"err", std::strerror(errno)}});
  }
  return lock;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace skiff::store
