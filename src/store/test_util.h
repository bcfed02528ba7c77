// What the room's tests share.
#pragma once
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>

#include "base/strings.h"
#include "store/engine_impl.h"

namespace skiff::store {

class TempDirectory {
 public:
  TempDirectory() {
    char name[] = "/tmp/skiff-store-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

class ManualClock final : public Clock {
 public:
  WallTime now() const override { return WallTime(std::chrono::hours(24 * 365 * 50)) + passed(); }
  SteadyTime steadyNow() const override { return SteadyTime() + passed(); }
  void advance(seconds time) { passed_ += time.count(); }

 private:
  seconds passed() const { return seconds(passed_); }
  std::atomic<int64_t> passed_ = 0;
};

// A disk that can refuse, either before or after the batch reached the medium.
class FaultyDisk final : public Disk {
 public:
  enum class Fault { None, BeforeWrite, AfterWrite };
  struct Control {
    std::atomic<Fault> fault = Fault::None;
    std::function<void()> beforeAppend;  // runs on the committer
  };
  FaultyDisk(std::unique_ptr<Disk> disk, Control& control) : disk_(std::move(disk)), control_(control) {}
  Result<Past> load() override { return disk_->load(); }
  Status append(std::span<const EventPtr> events) override {
    if (control_.beforeAppend) control_.beforeAppend();
    Fault fault = control_.fault;
    if (fault != Fault::BeforeWrite) TRY(disk_->append(events));
    if (fault != Fault::None) return Error(Reason::ServiceUnavailable, "store: sync failed");
    return okStatus();
  }
  void forget(Revision upTo) override { disk_->forget(upTo); }
  uint64_t bytes() const override { return disk_->bytes(); }

 private:
  std::unique_ptr<Disk> disk_;
  Control& control_;
};

inline std::unique_ptr<Store> mustOpen(EngineOptions options) {
  auto store = openStore(std::move(options));
  REQUIRE_MESSAGE(store.ok(), (store.ok() ? "" : store.error().message()));
  return std::move(*store);
}
inline std::unique_ptr<Store> memoryStore() { return mustOpen({.inMemory = true}); }

inline WriteResult mustCommit(Store& store, Write write) {
  auto result = store.commit(std::move(write));
  REQUIRE_MESSAGE(result.ok(), (result.ok() ? "" : result.error().message()));
  return *result;
}
inline WriteResult put(Store& store, std::string key, std::string value, Revision expected = Write::kAnyRevision) {
  return mustCommit(store, {.key = std::move(key), .expected = expected, .value = SharedBytes(std::move(value))});
}
inline WriteResult removeKey(Store& store, std::string key, Revision expected = Write::kAnyRevision) {
  return mustCommit(store, {.key = std::move(key), .expected = expected, .remove = true});
}
inline std::string valueOf(const Store& store, std::string_view key) {
  RecordPtr record = store.get(key);
  return record ? std::string(record->value().view()) : "(none)";
}
// "a=1@3 b=2@4": key, value and mod revision of each record.
inline std::string show(const std::vector<RecordPtr>& records) {
  std::vector<std::string> parts;
  for (const RecordPtr& r : records) parts.push_back(concat(r->key(), "=", r->value().view(), "@", r->modRevision()));
  return join(parts, " ");
}
inline std::string show(const Result<RangeResult>& result) {
  if (!result.ok()) return std::string(reasonText(result.error().reason()));
  return show(result.value().records) + (result.value().more ? " ..." : "");
}
// "+a=1@3 -b@4"
inline std::string show(const Watcher::Batch& batch) {
  if (batch.compacted) return "compacted";
  std::vector<std::string> parts;
  for (const EventPtr& e : batch.events) {
    bool removed = e->type == Event::Type::Delete;
    parts.push_back(removed ? concat("-", e->record->key(), "@", e->revision)
                            : concat(e->previous ? "~" : "+", e->record->key(), "=", e->record->value().view(), "@",
                                     e->revision));
  }
  return join(parts, " ") + (batch.more ? " ..." : "");
}

}  // namespace skiff::store
