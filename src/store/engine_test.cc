// Durability, group commit, expiry, compaction, faults.
#include <fcntl.h>
#include <sys/stat.h>

#include <latch>

#include "rt/executor.h"
#include "store/crc32c.h"
#include "store/logged_disk.h"
#include "store/record_format.h"
#include "store/test_util.h"

using namespace skiff;
using namespace skiff::store;

namespace {

std::unique_ptr<Engine> mustCreate(EngineOptions options, std::unique_ptr<Disk> disk) {
  auto engine = Engine::create(std::move(options), std::move(disk));
  REQUIRE(engine.ok());
  return std::move(*engine);
}

mode_t modeOf(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

// Flips one bit where the marker lies in the file.
void rot(const std::string& file, std::string_view marker) {
  int fd = ::open(file.c_str(), O_RDWR);
  REQUIRE(fd >= 0);
  std::string bytes(std::filesystem::file_size(file), '\0');
  REQUIRE(::pread(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  size_t at = bytes.find(marker);
  REQUIRE(at != std::string::npos);
  for (; at != std::string::npos; at = bytes.find(marker, at + 1)) {
    char flipped = static_cast<char>(bytes[at] ^ 4);
    REQUIRE(::pwrite(fd, &flipped, 1, static_cast<off_t>(at)) == 1);
  }
  ::close(fd);
}

}  // namespace

TEST_CASE("crc32c is the Castagnoli one") {
  CHECK(crc32c("123456789") == 0xE3069283U);  // RFC 3720 and the catalogue of CRCs
  CHECK(crc32c("6789", crc32c("12345")) == 0xE3069283U);
  CHECK(crc32c("") == 0);
}

TEST_CASE("a record's stored form refuses any changed bit") {
  Record record("/key", SharedBytes("some value"), 3, 9, nullptr, WallTime(microseconds(77)));
  for (KeyPlace place : {KeyPlace::Outside, KeyPlace::Inside}) {
    std::string key = place == KeyPlace::Inside ? "" : "/key";
    std::string stored(encodedSize(record, place), '\0');
    encodeRecord(record, place, stored.data());
    auto back = decodeRecord(key, stored);
    REQUIRE(back.ok());
    CHECK((*back)->key() == "/key");
    CHECK((*back)->value().view() == "some value");
    CHECK((*back)->createRevision() == 3);
    CHECK((*back)->modRevision() == 9);
    CHECK((*back)->expiry() == record.expiry());
    for (size_t bit = 0; bit < stored.size() * 8; ++bit) {
      std::string rotten = stored;
      rotten[bit / 8] = static_cast<char>(rotten[bit / 8] ^ (1 << (bit % 8)));
      CHECK_FALSE(decodeRecord(key, rotten).ok());
    }
    for (size_t size = 0; size < stored.size(); ++size) {
      CHECK_FALSE(decodeRecord(key, std::string_view(stored).substr(0, size)).ok());
    }
  }
  std::string stored(encodedSize(record, KeyPlace::Outside), '\0');
  encodeRecord(record, KeyPlace::Outside, stored.data());
  CHECK_FALSE(decodeRecord("/kez", stored).ok());
}

TEST_CASE("reopening keeps every record and never reuses a revision") {
  TempDirectory temp;
  std::string directory = temp / "deep/store";
  std::string longKey = "/registry/" + std::string(600, 'k'), otherLong = longKey + "2", gone = longKey + "3";
  {
    auto store = mustOpen({.directory = directory});
    put(*store, "/a", "1");
    put(*store, "/b", std::string(10000, 'v'));
    put(*store, "/a", "2");
    put(*store, longKey, "long");
    put(*store, otherLong, "other");
    put(*store, gone, "x");
    removeKey(*store, gone);
    put(*store, longKey, "longer");
    put(*store, "/c", "");
    removeKey(*store, "/c");
    CHECK(store->revision() == 10);
    CHECK(store->stats().diskBytes > 10000);
    CHECK(modeOf(directory) == 0700);
    CHECK(modeOf(directory + "/data.mdb") == 0600);
  }
  auto store = mustOpen({.directory = directory});
  CHECK(store->revision() == 10);
  CHECK(valueOf(*store, "/a") == "2");
  CHECK(store->get("/a")->createRevision() == 1);
  CHECK(store->get("/a")->modRevision() == 3);
  CHECK(store->get("/b")->value().size() == 10000);
  CHECK(valueOf(*store, longKey) == "longer");
  CHECK(valueOf(*store, otherLong) == "other");
  CHECK(store->stats().keys == 4);
  CHECK(store->range({.at = 9}).ok());
  CHECK(store->watch("/", 9).ok());
  CHECK(put(*store, "/d", "1", 0).revision == 11);
  put(*store, otherLong + "4", "slots are not reused while taken");
  CHECK(valueOf(*store, otherLong) == "other");
  removeKey(*store, longKey);
  store.reset();
  CHECK(mustOpen({.directory = directory})->get(longKey) == nullptr);
  auto report = verifyStore(directory);
  REQUIRE(report.ok());
  CHECK(report->faults.empty());
  CHECK(report->keys == 5);
  CHECK(report->revision == 13);
}

TEST_CASE("a directory has one owner, who is named") {
  TempDirectory temp;
  auto store = mustOpen({.directory = temp / "s"});
  auto second = openStore({.directory = temp / "s"});
  REQUIRE(second.failedWith(Reason::Conflict));
  CHECK(second.error().message().find(std::to_string(::getpid())) != std::string::npos);
  store.reset();
  CHECK(openStore({.directory = temp / "s"}).ok());
}

TEST_CASE("many writers share a sync") {
  TempDirectory temp;
  constexpr int kWriters = 16, kEach = 20;
  auto store = mustOpen({.directory = temp / "s"});
  {
    std::latch start(kWriters);
    std::vector<rt::Thread> threads;
    for (int w = 0; w < kWriters; ++w) {
      threads.emplace_back("writer", [&, w] {
        start.arrive_and_wait();
        for (int i = 0; i < kEach; ++i) (void)store->commit({.key = concat("/", w, "/", i), .value = SharedBytes("x")});
      });
    }
  }
  Store::Stats stats = store->stats();
  CHECK(stats.commits == kWriters * kEach);
  CHECK(stats.syncs < stats.commits / 2);
  store.reset();
  CHECK(mustOpen({.directory = temp / "s"})->stats().keys == kWriters * kEach);
}

TEST_CASE("writes of one round see each other") {
  TempDirectory temp;
  std::filesystem::create_directory(temp / "s");
  FaultyDisk::Control control;
  // The first round is held until the others wait; then they are one round.
  std::latch firstRuns(1), goOn(1);
  int rounds = 0;
  control.beforeAppend = [&] {
    if (rounds++ > 0) return;
    firstRuns.count_down();
    goOn.wait();
  };
  auto store = mustCreate({}, std::make_unique<FaultyDisk>(LoggedDisk::open({.directory = temp / "s"}).value(), control));
  std::atomic<int> created = 0;
  {
    std::vector<rt::Thread> threads;
    threads.emplace_back("first", [&] { put(*store, "/first", "1"); });
    firstRuns.wait();
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back("writer", [&] {
        auto result = store->commit({.key = "/one", .expected = 0, .value = SharedBytes("1")});
        if (result.ok() && result->applied) ++created;
      });
    }
    while (store->waitingForTest() < 8) std::this_thread::yield();
    goOn.count_down();
  }
  CHECK(created == 1);
  CHECK(rounds == 2);
  CHECK(store->revision() == 2);
}

TEST_CASE("a failing sync changes nothing that can be seen, and later writes succeed") {
  TempDirectory temp;
  std::filesystem::create_directory(temp / "s");
  FaultyDisk::Control control;
  auto open = [&] {
    return mustCreate({}, std::make_unique<FaultyDisk>(LoggedDisk::open({.directory = temp / "s"}).value(), control));
  };
  auto fault = FaultyDisk::Fault::BeforeWrite;
  SUBCASE("lost") {}
  SUBCASE("on disk all the same") { fault = FaultyDisk::Fault::AfterWrite; }
  auto store = open();
  put(*store, "/a", "1");
  put(*store, "/b", "1");
  auto watcher = store->watch("/", 0).value();

  control.fault = fault;
  CHECK(store->commit({.key = "/a", .value = SharedBytes("bad")}).failedWith(Reason::ServiceUnavailable));
  CHECK(store->commit({.key = "/b", .remove = true}).failedWith(Reason::ServiceUnavailable));
  CHECK(store->commit({.key = "/new", .value = SharedBytes("bad")}).failedWith(Reason::ServiceUnavailable));
  CHECK(show(store->range({})) == "/a=1@1 /b=1@2");
  CHECK(store->revision() == 2);
  CHECK(show(watcher->take(10)) == "");

  control.fault = FaultyDisk::Fault::None;
  CHECK(put(*store, "/c", "1").revision == 3);
  CHECK(show(watcher->take(10)) == "+/c=1@3");
  store.reset();
  CHECK(show(open()->range({})) == "/a=1@1 /b=1@2 /c=1@3");
}

TEST_CASE("rot in the state is found by verify and refused at opening") {
  TempDirectory temp;
  std::string directory = temp / "s";
  {
    auto store = mustOpen({.directory = temp / "log"});
    put(*store, "/good", "fine");
    put(*store, "/bad", "MARKER" + std::string(5000, 'x'));
  }
  REQUIRE(snapshotStore(temp / "log", temp / "snap").ok());
  REQUIRE(restoreStore(temp / "snap", directory).ok());
  rot(directory + "/data.mdb", "MARKER");
  auto report = verifyStore(directory);
  REQUIRE(report.ok());
  CHECK(report->keys == 2);
  REQUIRE(report->faults.size() == 1);
  CHECK(report->faults[0] == "\"/bad\": record fails its checksum");
  auto store = openStore({.directory = directory});
  REQUIRE_FALSE(store.ok());
  CHECK(store.error().message().find("/bad") != std::string::npos);

  std::filesystem::resize_file(directory + "/data.mdb", 3 * 4096);
  report = verifyStore(directory);
  REQUIRE(report.ok());
  REQUIRE(report->faults.size() == 1);
  CHECK(report->faults[0].find("cut short") != std::string::npos);
  CHECK_FALSE(openStore({.directory = directory}).ok());
  CHECK(verifyStore(temp / "nowhere").failedWith(Reason::NotFound));
}

TEST_CASE("snapshot of a running store, restore elsewhere") {
  TempDirectory temp;
  auto store = mustOpen({.directory = temp / "s"});
  for (int i = 0; i < 100; ++i) put(*store, concat("/k/", i), std::string(1000, 'v'));
  REQUIRE(snapshotStore(temp / "s", temp / "snap").ok());
  put(*store, "/later", "1");
  CHECK(verifyStore(temp / "snap")->keys == 100);
  CHECK(modeOf(temp / "snap") == 0600);

  REQUIRE(restoreStore(temp / "snap", temp / "r").ok());
  CHECK(restoreStore(temp / "snap", temp / "r").failedWith(Reason::AlreadyExists));
  auto restored = mustOpen({.directory = temp / "r"});
  CHECK(restored->revision() == 100);
  CHECK(restored->stats().keys == 100);
  CHECK(restored->get("/later") == nullptr);
  rot(temp / "snap", "vvvvvvvv");
  CHECK_FALSE(restoreStore(temp / "snap", temp / "r2").ok());
  CHECK_FALSE(std::filesystem::exists(temp / "r2"));
}

TEST_CASE("records expire at their time, also after a restart") {
  TempDirectory temp;
  std::filesystem::create_directory(temp / "s");
  ManualClock clock;
  auto open = [&] { return mustCreate({.clock = &clock}, LoggedDisk::open({.directory = temp / "s"}).value()); };
  auto store = open();
  auto event = [&](std::string key, int ttl) {
    mustCommit(*store, {.key = std::move(key), .value = SharedBytes("e"), .timeToLive = seconds(ttl)});
  };
  event("/e/1", 10);
  event("/e/2", 20);
  event("/e/3", 10);
  event("/e/3", 60);  // renewed
  put(*store, "/e/4", "for ever");
  auto watcher = store->watch("/e/", 0).value();
  clock.advance(seconds(9));
  store->keepHouse();
  CHECK(store->stats().keys == 4);
  clock.advance(seconds(1));
  auto next = store->keepHouse();
  CHECK(show(watcher->take(10)) == "-/e/1@6");
  CHECK(next == seconds(10));
  store.reset();
  clock.advance(seconds(30));
  store = open();
  store->keepHouse();
  CHECK(store->get("/e/2") == nullptr);
  CHECK(store->get("/e/3") != nullptr);
  clock.advance(seconds(30));
  store->keepHouse();
  CHECK(show(store->range({})) == "/e/4=for ever@5");
}

TEST_CASE("history is dropped by age, and the housekeeper sleeps when there is none") {
  ManualClock clock;
  auto store = mustCreate({.clock = &clock, .historyAge = seconds(300)}, nullptr);
  CHECK(store->keepHouse() == std::nullopt);
  put(*store, "/a", "1");
  clock.advance(seconds(100));
  put(*store, "/a", "2");
  put(*store, "/a", "3");
  clock.advance(seconds(199));
  CHECK(store->keepHouse() == seconds(1));
  CHECK(store->compactedRevision() == 0);
  clock.advance(seconds(1));
  store->keepHouse();
  CHECK(store->compactedRevision() == 1);
  clock.advance(seconds(300));
  store->keepHouse();
  clock.advance(seconds(300));
  CHECK(store->keepHouse() == std::nullopt);
  CHECK(store->compactedRevision() == 2);  // the newest state stays
  CHECK(show(store->range({.at = 3})) == "/a=3@3");
}

TEST_CASE("history is bounded by number and by bytes") {
  auto few = mustOpen({.maxWindowEvents = 10, .inMemory = true});
  for (int i = 0; i < 50; ++i) put(*few, "/a", std::to_string(i));
  CHECK(few->stats().windowEvents == 10);
  CHECK(few->compactedRevision() == 40);
  auto small = mustOpen({.maxWindowBytes = 100'000, .inMemory = true});
  for (int i = 0; i < 50; ++i) put(*small, "/a", std::string(10'000, 'x'));
  CHECK(small->stats().windowEvents == 9);
  // New keys replace nothing and cost next to nothing.
  for (int i = 0; i < 50; ++i) put(*small, concat("/n/", i), std::string(10'000, 'x'));
  CHECK(small->stats().windowEvents > 50);
}

TEST_CASE("writers who do not wait are called once their write is there, and may write in turn") {
  TempDirectory temp;
  auto opened = openStore({.directory = temp / "store"});
  REQUIRE(opened.ok());
  Store& store = **opened;
  constexpr int kWriters = 4, kEach = 50;
  std::atomic<int> called{0}, refused{0};
  std::latch all(kWriters * kEach * 2);
  {
    std::vector<rt::Thread> threads;
    for (int w = 0; w < kWriters; ++w)
      threads.emplace_back("writer", [&, w] {
        for (int i = 0; i < kEach; ++i) {
          std::string key = "/a/" + std::to_string(w) + "/" + std::to_string(i);
          store.commitThen({.key = key, .expected = 0, .value = SharedBytes("v")}, [&, key](Result<WriteResult> result) {
            called += result.ok() && result->applied && store.get(key) == result->record;
            all.count_down();
            // From within, both ways.
            auto waited = store.commit({.key = key, .expected = result->revision, .value = SharedBytes("w")});
            called += waited.ok() && waited->applied;
            store.commitThen({.key = key, .expected = 0, .value = SharedBytes("x")}, [&](Result<WriteResult> late) {
              refused += late.ok() && !late->applied;
              all.count_down();
            });
          });
          if (i % 10 == 0) (void)store.commit({.key = "/b", .value = SharedBytes("v")}).ok();
        }
      });
  }
  all.wait();
  CHECK(called == kWriters * kEach * 2);
  CHECK(refused == kWriters * kEach);
  bool told = false;
  store.commitThen({.key = ""}, [&](Result<WriteResult> result) { told = result.failedWith(Reason::BadRequest); });
  CHECK(told);
}
