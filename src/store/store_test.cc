// The contract of Store, on the engine without a disk.
#include <latch>
#include <random>

#include "rt/executor.h"
#include "store/test_util.h"

using namespace skiff;
using namespace skiff::store;

TEST_CASE("expectations are checked against the newest revision") {
  auto store = memoryStore();
  WriteResult created = put(*store, "/a", "1", 0);
  CHECK(created.applied);
  CHECK(created.revision == 1);
  CHECK(created.record->createRevision() == 1);

  WriteResult again = put(*store, "/a", "2", 0);
  CHECK_FALSE(again.applied);
  CHECK(again.record == created.record);
  CHECK(store->revision() == 1);

  WriteResult updated = put(*store, "/a", "2", 1);
  CHECK(updated.applied);
  CHECK(updated.record->createRevision() == 1);
  CHECK(updated.record->modRevision() == 2);
  CHECK_FALSE(put(*store, "/a", "3", 1).applied);
  CHECK_FALSE(removeKey(*store, "/a", 1).applied);

  WriteResult removed = removeKey(*store, "/a", 2);
  CHECK(removed.applied);
  CHECK(removed.revision == 3);
  CHECK(removed.record == updated.record);
  CHECK(store->get("/a") == nullptr);
  CHECK_FALSE(removeKey(*store, "/a").applied);
  CHECK_FALSE(put(*store, "/a", "x", 2).applied);
  CHECK(put(*store, "/a", "4", 0).record->createRevision() == 4);
  CHECK(store->commit({.key = ""}).failedWith(Reason::BadRequest));
}

namespace {
struct Decoded : Attachment {
  explicit Decoded(Revision r) : revision(r) {}
  Revision revision;
};
}  // namespace

TEST_CASE("what a cache made of a replaced value is freed once prompt watchers have passed it") {
  auto store = memoryStore();
  RecordPtr first = put(*store, "/a", "1").record, second = put(*store, "/a", "2").record;
  for (const RecordPtr& record : {first, second}) record->attach(std::make_shared<Decoded>(0));
  CHECK(first->attachment());
  for (int i = 0; i < 2000; ++i) put(*store, "/other", "x");
  CHECK_FALSE(first->attachment());
  CHECK(second->attachment());  // the live one stays
}

TEST_CASE("the attachment is made with the revision, before anyone sees the record") {
  auto store = memoryStore();
  put(*store, "/x", "");
  Revision seenDuring = -1;
  WriteResult result = mustCommit(*store, {.key = "/a", .value = SharedBytes("1"), .attach = [&](Revision revision) {
                                             seenDuring = store->revision();
                                             return std::make_shared<Decoded>(revision);
                                           }});
  CHECK(seenDuring == 1);
  auto decoded = std::dynamic_pointer_cast<const Decoded>(store->get("/a")->attachment());
  REQUIRE(decoded);
  CHECK(decoded->revision == result.revision);
  CHECK(store->get("/a")->attach(std::make_shared<Decoded>(99)) == decoded);
}

TEST_CASE("ranges: bounds, limit and past revisions") {
  auto store = memoryStore();
  put(*store, "/p/a", "1");
  put(*store, "/p/b", "1");
  put(*store, "/p/c", "1");
  put(*store, "/q/a", "1");
  put(*store, "/p/b", "2");      // 5
  removeKey(*store, "/p/a");     // 6
  put(*store, "/p/a", "3");      // 7
  std::string end = prefixEnd("/p/");
  CHECK(show(store->range({.from = "/p/", .to = end})) == "/p/a=3@7 /p/b=2@5 /p/c=1@3");
  CHECK(show(store->range({.from = "/p/", .to = end, .at = 6})) == "/p/b=2@5 /p/c=1@3");
  CHECK(show(store->range({.from = "/p/", .to = end, .at = 4})) == "/p/a=1@1 /p/b=1@2 /p/c=1@3");
  CHECK(show(store->range({.from = "/p/", .to = end, .at = 1})) == "/p/a=1@1");
  CHECK(show(store->range({.from = "/p/", .to = end, .limit = 2})) == "/p/a=3@7 /p/b=2@5 ...");
  CHECK(show(store->range({.from = "/p/", .to = end, .limit = 3})) == "/p/a=3@7 /p/b=2@5 /p/c=1@3");
  CHECK(show(store->range({.from = "", .to = "", .limit = 1})) == "/p/a=3@7 ...");
  CHECK(show(store->range({.from = "/z"})) == "");
  CHECK(show(store->range({.from = "/p/", .to = end, .at = 8})) == "Timeout");
  CHECK(store->range({.from = "/p/"})->revision == 7);
  CHECK(store->range({.from = "/p/", .at = 4})->revision == 4);
  CHECK(store->count("/p/", end) == 3);
  CHECK(store->count("", "") == 4);
  CHECK(store->count("/p/b", "/p/c") == 1);
}

TEST_CASE("a continued list reads one revision until it is compacted") {
  auto store = memoryStore();
  for (int i = 0; i < 6; ++i) put(*store, concat("/p/", i), "1");
  auto first = store->range({.from = "/p/", .to = "/p0", .limit = 2});
  put(*store, "/p/2", "2");
  removeKey(*store, "/p/3");
  put(*store, "/p/9", "1");
  CHECK(show(store->range({.from = "/p/2", .to = "/p0", .at = first->revision, .limit = 2})) ==
        "/p/2=1@3 /p/3=1@4 ...");
  REQUIRE(store->compact(7).ok());
  CHECK(store->compactedRevision() == 7);
  CHECK(show(store->range({.from = "/p/4", .to = "/p0", .at = first->revision})) == "Expired");
  CHECK(show(store->range({.from = "/p/2", .to = "/p0", .at = 8})) == "/p/2=2@7 /p/4=1@5 /p/5=1@6");
  // The newest state stays readable, whatever is asked for.
  REQUIRE(store->compact(9).ok());
  CHECK(show(store->range({.from = "/p/9", .at = 9})) == "/p/9=1@9");
  CHECK(store->compact(100).failedWith(Reason::BadRequest));
  CHECK(store->compact(3).ok());
}

TEST_CASE("watch: only the prefix, from the revision on, in order") {
  auto store = memoryStore();
  put(*store, "/p/a", "1");
  put(*store, "/q/a", "1");
  put(*store, "/p/b", "1");
  auto past = store->watch("/p/", 1).value();
  auto fromNow = store->watch("/p/", 0).value();
  auto single = store->watch("/p/b", 2).value();
  auto all = store->watch("", 2).value();
  put(*store, "/p/a", "2");
  removeKey(*store, "/p/b");
  put(*store, "/q/a", "2");
  CHECK(show(past->take(100)) == "+/p/b=1@3 ~/p/a=2@4 -/p/b@5");
  CHECK(show(fromNow->take(1)) == "~/p/a=2@4 ...");
  Watcher::Batch rest = fromNow->take(100);
  CHECK(show(rest) == "-/p/b@5");
  CHECK(rest.upTo == 6);
  CHECK(rest.events[0]->previous->value().view() == "1");
  CHECK(show(single->take(100)) == "+/p/b=1@3 -/p/b@5");
  CHECK(show(all->take(100)) == "+/p/b=1@3 ~/p/a=2@4 -/p/b@5 ~/q/a=2@6");
  CHECK(show(past->take(100)) == "");
  put(*store, "/q/b", "1");
  Watcher::Batch idle = past->take(100);
  CHECK(show(idle) == "");
  CHECK(idle.upTo == 7);
}

TEST_CASE("upTo lags while events are left") {
  auto store = memoryStore();
  auto watcher = store->watch("/p/", 0).value();
  for (int i = 0; i < 3; ++i) {
    put(*store, "/p/a", "1");
    put(*store, "/q/a", "1");
  }
  Watcher::Batch batch = watcher->take(1);
  CHECK(batch.more);
  CHECK(batch.upTo == 1);
  CHECK(watcher->take(1).upTo == 3);
  CHECK(watcher->take(1).upTo == 6);
}

TEST_CASE("watch: a revision from before the window is expired, one that falls out is compacted") {
  auto store = memoryStore();
  for (int i = 0; i < 4; ++i) put(*store, "/p/a", "1");
  auto behind = store->watch("/p/", 1).value();
  auto elsewhere = store->watch("/q/", 1).value();
  auto ahead = store->watch("/p/", 3).value();
  int woken = 0;
  REQUIRE(store->compact(3).ok());
  CHECK(store->watch("/p/", 2).failedWith(Reason::Expired));
  CHECK(store->watch("/p/", 3).ok());
  behind->notify([&] { ++woken; });
  CHECK(woken == 1);
  CHECK(show(behind->take(10)) == "compacted");
  // Nothing of its prefix was lost, so it goes on.
  CHECK(show(elsewhere->take(10)) == "");
  CHECK(show(ahead->take(10)) == "~/p/a=1@4");
}

TEST_CASE("notify: once, at the next event of the prefix, or at once") {
  auto store = memoryStore();
  auto watcher = store->watch("/p/", 0).value();
  int woken = 0;
  auto wake = [&] { ++woken; };
  watcher->notify(wake);
  put(*store, "/q/a", "1");
  CHECK(woken == 0);
  put(*store, "/p/a", "1");
  put(*store, "/p/a", "2");
  CHECK(woken == 1);
  watcher->notify(wake);
  CHECK(woken == 2);
  watcher->take(1);
  watcher->notify(wake);
  CHECK(woken == 3);
  watcher->take(10);
  watcher->notify(wake);
  CHECK(woken == 3);
  put(*store, "/p/b", "1");
  CHECK(woken == 4);
  watcher->notify(wake);
  watcher->take(10);
  watcher->notify(wake);
  watcher.reset();
  int before = woken;
  put(*store, "/p/b", "2");
  CHECK(woken == before);
}

TEST_CASE("every prefix of a key is found, however the prefixes nest") {
  auto store = memoryStore();
  std::vector<std::string> prefixes = {"",       "/",      "/a",    "/a/",  "/a/b",  "/a/bc", "/a/b/",
                                       "/a/b/c", "/a/b/cd", "/a/b0", "/a!", "/b/",   "/a/a/", "/\xff"};
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (const auto& prefix : prefixes) watchers.push_back(store->watch(prefix, 0).value());
  std::vector<std::string> keys = {"/a/b/c", "/a/b/cde", "/a", "/a/b", "/b/x", "/c", "x", "/a/bcd", "/\xff\xff"};
  for (const auto& key : keys) {
    put(*store, key, "");
    for (size_t i = 0; i < prefixes.size(); ++i) {
      CAPTURE(key);
      CAPTURE(prefixes[i]);
      CHECK(watchers[i]->take(10).events.size() == (key.starts_with(prefixes[i]) ? 1U : 0U));
    }
  }
}

TEST_CASE("the store agrees with a model under random work") {
  std::mt19937 random(7);
  auto store = memoryStore();
  std::map<std::string, std::pair<std::string, Revision>> live;
  std::map<Revision, decltype(live)> past = {{0, live}};
  auto watcher = store->watch("/k/1", 0).value();
  std::string seen, expected;
  for (int i = 0; i < 3000; ++i) {
    std::string key = concat("/k/", random() % 700);
    bool watched = key.starts_with("/k/1");
    if (random() % 3 == 0) {
      WriteResult result = removeKey(*store, key);
      CHECK(result.applied == live.contains(key));
      if (watched && result.applied) expected += concat("-", key, "@", result.revision, " ");
      live.erase(key);
    } else {
      WriteResult result = put(*store, key, std::to_string(i));
      if (watched) expected += concat(live.contains(key) ? "~" : "+", key, "=", i, "@", result.revision, " ");
      live[key] = {std::to_string(i), result.revision};
    }
    past[store->revision()] = live;
    if (i % 100 == 99) {
      Revision compacted = store->compactedRevision();
      Revision at = compacted + 1 + static_cast<Revision>(random() % size_t(store->revision() - compacted));
      std::vector<std::string> parts;
      for (auto& [k, v] : past[at]) parts.push_back(concat(k, "=", v.first, "@", v.second));
      CHECK(show(store->range({.at = at})) == join(parts, " "));
      CHECK(store->count("/k/2", "/k/6") ==
            size_t(std::distance(live.lower_bound("/k/2"), live.lower_bound("/k/6"))));
      for (auto batch = watcher->take(7); !batch.events.empty(); batch = watcher->take(7)) {
        batch.more = false;
        seen += show(batch) + " ";
      }
      if (i % 500 == 499) REQUIRE(store->compact(store->revision() - 50).ok());
    }
  }
  CHECK(seen == expected);
  CHECK(store->stats().keys == live.size());
  CHECK(store->stats().windowEvents <= 50);
}

TEST_CASE("concurrent writers, readers and watchers see one order") {
  auto store = memoryStore();
  constexpr int kWriters = 4, kEach = 500;
  auto watcher = store->watch("/n/", 0).value();
  {
    std::latch start(kWriters + 1);
    std::vector<rt::Thread> threads;
    for (int w = 0; w < kWriters; ++w) {
      threads.emplace_back("writer", [&, w] {
        start.arrive_and_wait();
        // Every writer counts up the same key: a lost update would show.
        for (int i = 0; i < kEach;) {
          RecordPtr now = store->get("/n/counter");
          int64_t value = now ? *parseInt(now->value().view()) : 0;
          auto result = store->commit({.key = "/n/counter",
                                       .expected = now ? now->modRevision() : 0,
                                       .value = SharedBytes(std::to_string(value + 1))});
          if (result.ok() && result->applied) ++i;
          if (i % 50 == 0) put(*store, concat("/m/", w, "/", i), "x");
        }
      });
    }
    threads.emplace_back("reader", [&] {
      start.arrive_and_wait();
      Revision last = 0;
      while (valueOf(*store, "/n/counter") != std::to_string(kWriters * kEach)) {
        auto range = store->range({});
        if (range->revision < last) return;
        last = range->revision;
      }
    });
  }
  CHECK(valueOf(*store, "/n/counter") == std::to_string(kWriters * kEach));
  Revision last = 0;
  int64_t count = 0;
  for (auto batch = watcher->take(64); !batch.events.empty(); batch = watcher->take(64)) {
    for (const EventPtr& event : batch.events) {
      CHECK(event->revision > last);
      last = event->revision;
      CHECK(parseInt(event->record->value().view()) == ++count);
    }
  }
  CHECK(count == kWriters * kEach);
}

TEST_CASE("prefixEnd") {
  CHECK(prefixEnd("/a/") == "/a0");
  CHECK(prefixEnd("a\xff\xff") == "b");
  CHECK(prefixEnd("\xff") == "");
  CHECK(prefixEnd("") == "");
}
