#include "store/lmdb_state.h"

#include "base/strings.h"
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

}  // namespace

Result<std::unique_ptr<LmdbState>> LmdbState::open(LmdbEnv::Options options) {
  if (options.mapBytes == 0) options.mapBytes = kFirstMapBytes;
  std::unique_ptr<LmdbState> state(new LmdbState(std::move(options)));
  TRY(state->reopen());
  TRY(state->readSlots());
  return state;
}

Status LmdbState::reopen() {
  env_.close();
  env_ = TRY(LmdbEnv::open(options_));
  bytes_ = env_.usedBytes();
  return okStatus();
}

Status LmdbState::readSlots() {
  LmdbTxn txn(env_.env(), MDB_RDONLY);
  if (txn.code() != 0) return lmdbError(txn.code(), "read");
  return visitRecords(txn.get(), {env_.longKeys()}, [&](MDB_dbi, std::string_view slot, std::string_view stored) -> Status {
    nextSlot_ = std::max(nextSlot_, slotOf(slot) + 1);
    if (auto record = decodeRecord({}, stored); record.ok()) slots_[(*record)->key()] = slotOf(slot);
    return okStatus();  // load() tells of those that are not sound
  });
}

Result<Revision> LmdbState::revision() const {
  LmdbTxn txn(env_.env(), MDB_RDONLY);
  if (txn.code() != 0) return lmdbError(txn.code(), "read");
  return readRevision(env_, txn.get());
}

Result<DiskState> LmdbState::load() {
  DiskState state = TRY(readAll());
  env_.close();
  return state;
}

Result<DiskState> LmdbState::readAll() {
  DiskState state;
  LmdbTxn txn(env_.env(), MDB_RDONLY);
  if (txn.code() != 0) return lmdbError(txn.code(), "read");
  state.revision = TRY(readRevision(env_, txn.get()));
  auto tables = {env_.records(), env_.longKeys()};
  TRY(visitRecords(txn.get(), tables, [&](MDB_dbi dbi, std::string_view key, std::string_view stored) -> Status {
    auto record = decodeRecord(dbi == env_.longKeys() ? std::string_view() : key, stored);
    if (!record.ok()) {
      return internalError(concat("store: ", record.error().message(), " at key ", quoted(key), " in ", options_.file,
                                  "; \"skiff store verify\" lists all faults"));
    }
    state.records.push_back(std::move(*record));
    return okStatus();
  }));
  return state;
}

int LmdbState::applyOne(MDB_txn* txn, const KeyState& change) {
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

int LmdbState::tryApply(std::span<const KeyState> changes, Revision revision) {
  LmdbTxn txn(env_.env(), 0);
  if (txn.code() != 0) return txn.code();
  for (const KeyState& change : changes) {
    if (int code = applyOne(txn.get(), change); code != 0) return code;
  }
  if (int code = writeRevision(env_, txn.get(), revision); code != 0) return code;
  return txn.commit();
}

Status LmdbState::apply(std::span<const KeyState> changes, Revision revision) {
  if (!env_.env()) TRY(reopen());
  int code = tryApply(changes, revision);
  while (code == MDB_MAP_FULL) {
    options_.mapBytes *= 2;
    if (code = mdb_env_set_mapsize(env_.env(), options_.mapBytes); code == 0) code = tryApply(changes, revision);
  }
  if (code == 0) bytes_ = env_.usedBytes();
  env_.close();  // after a failed meta page LMDB refuses all work until it is opened anew
  if (code != 0) return lmdbError(code, "write");
  for (const KeyState& change : changes) {
    if (change.record || change.key.size() <= kLmdbMaxKey) continue;
    if (auto slot = slots_.find(change.key); slot != slots_.end()) slots_.erase(slot);
  }
  return okStatus();
}

}  // namespace skiff::store
