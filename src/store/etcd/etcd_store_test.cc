#include "store/etcd/etcd_store.h"

#include <doctest/doctest.h>

#include "store/etcd/fake_etcd.h"

using namespace skiff;
using namespace skiff::store;
using namespace skiff::store::etcd;

namespace {

// Only a broken store makes a test wait this long.
constexpr seconds kPatience{20};
const std::string kKey = "/registry/pods/ns/a";

std::unique_ptr<EtcdStore> open(FakeEtcd& etcd, EtcdOptions options = {}) {
  options.compactionInterval = {};
  options.startTimeout = {};
  auto store = EtcdStore::create(std::move(options), etcd.connect());
  REQUIRE(store.ok());
  return std::move(store).value();
}

Write put(const std::string& key, const std::string& value, Revision expected) {
  return {.key = key, .expected = expected, .value = SharedBytes(value)};
}

Status fresh(Store& store) {
  struct Proof {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Status> result;
  };
  auto proof = std::make_shared<Proof>();
  store.whenFresh([proof](Status status) {
    std::lock_guard lock(proof->mutex);
    proof->result = std::move(status);
    proof->changed.notify_all();
  });
  std::unique_lock lock(proof->mutex);
  REQUIRE(proof->changed.wait_for(lock, kPatience, [&] { return proof->result.has_value(); }));
  return *proof->result;
}

std::string valueOf(const Store& store, const std::string& key) {
  RecordPtr record = store.get(key);
  return record ? std::string(record->value().view()) : "(none)";
}

struct Note : Attachment {
  explicit Note(Revision r) : revision(r) {}
  Revision revision;
};

}  // namespace

TEST_CASE("writes are judged by etcd and can be read when they return") {
  FakeEtcd etcd;
  etcd.put("/registry/pods/ns/old", "1");
  auto store = open(etcd);
  CHECK(valueOf(*store, "/registry/pods/ns/old") == "1");

  Write create = put(kKey, "a1", 0);
  create.attach = [](Revision revision) { return std::make_shared<Note>(revision); };
  auto created = store->commit(std::move(create));
  REQUIRE(created.ok());
  CHECK(created->applied);
  CHECK(created->revision == etcd.revision());
  CHECK(store->get(kKey) == created->record);
  CHECK(std::dynamic_pointer_cast<const Note>(created->record->attachment())->revision == created->revision);

  auto again = store->commit(put(kKey, "a2", 0));
  REQUIRE(again.ok());
  CHECK_FALSE(again->applied);
  CHECK(again->record == store->get(kKey));

  auto updated = store->commit(put(kKey, "a2", created->revision));
  REQUIRE(updated.ok());
  CHECK(updated->applied);
  CHECK(updated->record->createRevision() == created->revision);
  CHECK(etcd.get(kKey)->value == "a2");

  auto removed = store->commit({.key = kKey, .expected = updated->revision, .remove = true});
  REQUIRE(removed.ok());
  CHECK(removed->applied);
  CHECK(removed->record == updated->record);
  CHECK(valueOf(*store, kKey) == "(none)");
  CHECK_FALSE(store->commit({.key = kKey, .remove = true})->applied);
}

TEST_CASE("the prefix in etcd may be another one") {
  FakeEtcd etcd;
  etcd.put("/registry/pods/ns/foreign", "not ours");
  etcd.put("/mine/pods/ns/b", "b");
  auto store = open(etcd, {.prefix = "mine/"});
  CHECK(store->count("/registry/", "/registry0") == 1);
  REQUIRE(store->commit(put(kKey, "a", 0)).ok());
  CHECK(etcd.get("/mine/pods/ns/a")->value == "a");
}

TEST_CASE("a refused write gets the state that refused it") {
  FakeEtcd etcd;
  auto store = open(etcd);
  auto created = store->commit(put(kKey, "mine", 0));
  Revision theirs = etcd.put(kKey, "theirs");
  auto refused = store->commit(put(kKey, "mine2", created->revision));
  REQUIRE(refused.ok());
  CHECK_FALSE(refused->applied);
  CHECK(refused->record->modRevision() == theirs);
  CHECK(store->get(kKey) == refused->record);
  etcd.remove(kKey);
  auto gone = store->commit(put(kKey, "mine3", theirs));
  CHECK_FALSE(gone->applied);
  CHECK(gone->record == nullptr);
}

TEST_CASE("a write whose answer is lost is neither done twice nor refused") {
  FakeEtcd etcd;
  auto store = open(etcd);
  SUBCASE("it was done") {
    etcd.failNextTxn(FakeEtcd::Fault::LoseAnswer);
    auto result = store->commit(put(kKey, "mine", 0));
    REQUIRE(result.ok());
    CHECK(result->applied);
    CHECK(result->revision == etcd.revision());
  }
  SUBCASE("it was not done") {
    etcd.failNextTxn(FakeEtcd::Fault::LoseRequest);
    auto result = store->commit(put(kKey, "mine", 0));
    REQUIRE(result.ok());
    CHECK(result->applied);
  }
  SUBCASE("it was done, and another has written since") {
    etcd.failNextTxn(FakeEtcd::Fault::LoseAnswer);
    etcd.afterFault([&] { etcd.put(kKey, "theirs"); });
    auto result = store->commit(put(kKey, "mine", 0));
    REQUIRE(result.ok());
    CHECK(result->applied);
    CHECK(result->revision == etcd.revision() - 1);
    CHECK(valueOf(*store, kKey) == "theirs");
  }
  SUBCASE("it was not done, and another has written since") {
    etcd.failNextTxn(FakeEtcd::Fault::LoseRequest);
    etcd.afterFault([&] { etcd.put(kKey, "theirs"); });
    auto result = store->commit(put(kKey, "mine", 0));
    REQUIRE(result.ok());
    CHECK_FALSE(result->applied);
    CHECK(result->record->value().view() == "theirs");
  }
  SUBCASE("it was a removal that was done") {
    Revision made = etcd.put(kKey, "old");
    etcd.failNextTxn(FakeEtcd::Fault::LoseAnswer);
    auto result = store->commit({.key = kKey, .expected = made, .remove = true});
    REQUIRE(result.ok());
    CHECK(result->applied);
    CHECK(result->record->value().view() == "old");
  }
  SUBCASE("it was refused for good") {
    etcd.failNextTxn(FakeEtcd::Fault::Refuse);
    CHECK(store->commit(put(kKey, "mine", 0)).failedWith(Reason::ServiceUnavailable));
    CHECK(etcd.revision() == 1);
  }
}

TEST_CASE("watchers see every foreign change once, though the watch of etcd breaks and repeats itself") {
  FakeEtcd etcd;
  auto store = open(etcd);
  auto watcher = store->watch("/registry/pods/", 0);
  REQUIRE(watcher.ok());
  for (int i = 1; i <= 50; ++i) {
    etcd.put(kKey, std::to_string(i));
    if (i % 10 == 0) {
      REQUIRE(fresh(*store).ok());
      etcd.repeatOnWatch(i % 20 == 0 ? 3 : 0);
      etcd.cutWatches();
    }
  }
  etcd.remove(kKey);
  REQUIRE(fresh(*store).ok());
  auto batch = (*watcher)->take(1000);
  REQUIRE_FALSE(batch.compacted);
  REQUIRE(batch.events.size() == 51);
  for (size_t i = 0; i < 50; ++i) CHECK(batch.events[i]->record->value().view() == std::to_string(i + 1));
  CHECK(batch.events.back()->type == Event::Type::Delete);
  CHECK(batch.upTo == etcd.revision());
}

TEST_CASE("the events of a transaction are published together, also in fragments") {
  FakeEtcd etcd;
  auto store = open(etcd);
  auto watcher = store->watch("/registry/pods/", 0);
  etcd.sendFragments(true);
  etcd.putTogether({{"/registry/pods/ns/a", "1"}, {"/registry/pods/ns/b", "1"}, {"/registry/pods/ns/c", "1"}});
  Revision together = etcd.revision();
  REQUIRE(fresh(*store).ok());
  auto batch = (*watcher)->take(10);
  REQUIRE(batch.events.size() == 3);
  for (const EventPtr& event : batch.events) CHECK(event->revision == together);
}

TEST_CASE("freshness is proven also where others write beside the prefix, and cannot be where etcd is down") {
  FakeEtcd etcd;
  auto store = open(etcd);
  etcd.put("/elsewhere", "1");
  CHECK(fresh(*store).ok());
  CHECK(store->revision() == etcd.revision());
  etcd.put(kKey, "1");
  REQUIRE(fresh(*store).ok());
  etcd.setDown(true);
  CHECK(fresh(*store).failedWith(Reason::ServiceUnavailable));
  CHECK(valueOf(*store, kKey) == "1");  // what was proven once can be read on
  CHECK(store->commit(put(kKey, "2", 0)).failedWith(Reason::ServiceUnavailable));
  etcd.setDown(false);
  CHECK(fresh(*store).ok());
}

TEST_CASE("an old member's word of progress is not trusted") {
  FakeEtcd etcd;
  etcd.lieAboutProgress();
  auto store = open(etcd);
  auto watcher = store->watch("/registry/pods/", 0);
  for (int i = 0; i < 5; ++i) {
    etcd.put(kKey, std::to_string(i));
    etcd.put("/elsewhere", "1");
    etcd.cutWatches();
    REQUIRE(fresh(*store).ok());
    CHECK(valueOf(*store, kKey) == std::to_string(i));
  }
  auto batch = (*watcher)->take(10);
  CHECK_FALSE(batch.compacted);
  CHECK(batch.events.size() == 5);
}

TEST_CASE("where the history is gone watchers end, and listeners are told the differences") {
  FakeEtcd etcd;
  etcd.put("/registry/pods/ns/gone", "1");
  etcd.put("/registry/pods/ns/kept", "1");
  auto store = open(etcd);
  std::mutex mutex;
  std::map<std::string, std::string> told;
  store->onChanges([&](std::span<const EventPtr> events) {
    std::lock_guard lock(mutex);
    for (const EventPtr& event : events)
      // The store's own proof of freshness may be among the changes, by the time it takes.
      if (event->record->key().starts_with("/registry/pods/")) told[event->record->key()] = event->type == Event::Type::Delete ? "(gone)" : std::string(event->record->value().view());
  });
  auto watcher = store->watch("/registry/", 0);
  RecordPtr kept = store->get("/registry/pods/ns/kept");
  Revision before = store->revision();

  etcd.setDown(true);
  etcd.remove("/registry/pods/ns/gone");
  etcd.put("/registry/pods/ns/new", "1");
  etcd.put("/registry/pods/ns/new", "2");
  etcd.compact(etcd.revision());
  etcd.setDown(false);
  REQUIRE(fresh(*store).ok());

  CHECK((*watcher)->take(10).compacted);
  CHECK((*watcher)->take(10).events.empty());
  CHECK(store->watch("/registry/", before).failedWith(Reason::Expired));
  CHECK(store->range({.at = before}).failedWith(Reason::Expired));
  CHECK(valueOf(*store, "/registry/pods/ns/gone") == "(none)");
  CHECK(valueOf(*store, "/registry/pods/ns/new") == "2");
  CHECK(store->get("/registry/pods/ns/kept") == kept);
  {
    std::lock_guard lock(mutex);
    CHECK(told == std::map<std::string, std::string>{{"/registry/pods/ns/gone", "(gone)"}, {"/registry/pods/ns/new", "2"}});
  }
  // Those who begin now see what follows.
  auto next = store->watch("/registry/", store->revision());
  REQUIRE(next.ok());
  etcd.put(kKey, "later");
  REQUIRE(fresh(*store).ok());
  CHECK((*next)->take(10).events.size() == 1);
  store->onChanges(nullptr);
}

TEST_CASE("what is to expire shares a lease") {
  FakeEtcd etcd;
  auto store = open(etcd);
  for (int i = 0; i < 10; ++i) {
    Write event = put("/registry/events/ns/" + std::to_string(i), "e", 0);
    event.timeToLive = seconds(3600);
    REQUIRE(store->commit(std::move(event)).ok());
  }
  CHECK(etcd.leases() == 1);
  CHECK(etcd.get("/registry/events/ns/9")->lease == 1);
}

TEST_CASE("servers take turns in compacting, and none goes back further than etcd") {
  FakeEtcd etcd;
  auto a = open(etcd), b = open(etcd);
  Revision first = a->commit(put(kKey, "1", 0))->revision;
  REQUIRE(a->compactRoundForTest().ok());  // claims the round
  REQUIRE(b->compactRoundForTest().ok());  // finds it claimed
  CHECK(etcd.compacted() == 0);
  for (int i = 2; i < 10; ++i) etcd.put(kKey, std::to_string(i));
  Revision agreed = etcd.get("compact_rev_key")->modRevision;
  REQUIRE(fresh(*b).ok());
  REQUIRE(b->compactRoundForTest().ok());
  CHECK(etcd.compacted() >= agreed);
  CHECK(b->range({.at = first}).failedWith(Reason::Expired));
  REQUIRE(fresh(*a).ok());
  int64_t before = etcd.compacted();
  REQUIRE(a->compactRoundForTest().ok());
  CHECK(etcd.compacted() == before);
  CHECK(a->range({.at = first}).failedWith(Reason::Expired));
}

TEST_CASE("a large key space is read in pages") {
  FakeEtcd etcd;
  for (int i = 0; i < 2500; ++i) etcd.put("/registry/pods/ns/" + std::to_string(i), "v");
  auto store = open(etcd);
  CHECK(store->count("/registry/pods/", "/registry/pods0") == 2500);
}
