// The log in front of the state: what a restart finds, what is folded away, what it makes of damage.
#include <algorithm>
#include <fstream>

#include "base/read_file.h"
#include "store/logged_disk.h"
#include "store/test_util.h"

namespace skiff::store {
namespace {

EngineOptions optionsOf(const std::string& directory) { return {.directory = directory, .sync = false}; }

std::vector<std::string> filesOf(const std::string& directory, std::string_view prefix) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (std::string name = entry.path().filename(); name.starts_with(prefix)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}
std::vector<std::string> segments(const std::string& directory) { return filesOf(directory, "log-"); }

std::string contentOf(const std::string& file) { return *readFile(file); }
void write(const std::string& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

std::string eventsAfter(Store& store, Revision after) {
  auto watcher = store.watch("/", after);
  return watcher.ok() ? show((*watcher)->take(1000)) : std::string(reasonText(watcher.error().reason()));
}

// Revisions 1 to 6: a key that lives, one that is replaced, one that comes, goes and comes again.
std::string writeSome(Store& store) {
  put(store, "/a", "1");
  put(store, "/b", "1");
  put(store, "/b", "2");
  put(store, "/c", "1");
  removeKey(store, "/c");
  put(store, "/c", "2");
  return eventsAfter(store, 1);
}

// A store whose segments end after a few writes.
struct SmallSegments {
  explicit SmallSegments(std::string dir) : directory(std::move(dir)) { std::filesystem::create_directories(directory); }
  std::unique_ptr<Engine> open() {
    auto disk = LoggedDisk::open({.directory = directory, .segmentBytes = 1000, .sync = false});
    REQUIRE(disk.ok());
    auto engine = Engine::create(optionsOf(directory), std::move(*disk));
    REQUIRE_MESSAGE(engine.ok(), (engine.ok() ? "" : engine.error().message()));
    return std::move(*engine);
  }
  std::string directory;
};

TEST_CASE("a watch goes on after a restart where it stood, and older states stay readable") {
  TempDirectory scratch;
  std::string directory = scratch / "s", before;
  {
    auto store = mustOpen(optionsOf(directory));
    before = writeSome(*store);
    CHECK(before == "+/b=1@2 ~/b=2@3 +/c=1@4 -/c@5 +/c=2@6");
  }
  for (int restart = 0; restart < 3; ++restart) {
    auto store = mustOpen(optionsOf(directory));
    CHECK(eventsAfter(*store, 1) == before);
    CHECK(eventsAfter(*store, 4) == "-/c@5 +/c=2@6");
    CHECK(show(store->range({.at = 4})) == "/a=1@1 /b=2@3 /c=1@4");
    CHECK(show(store->range({.at = 5})) == "/a=1@1 /b=2@3");
    CHECK(show(store->range({})) == "/a=1@1 /b=2@3 /c=2@6");
    CHECK(store->stats().keys == 3);
  }
}

TEST_CASE("history goes on over restarts and writes") {
  TempDirectory scratch;
  std::string directory = scratch / "s";
  writeSome(*mustOpen(optionsOf(directory)));
  for (int restart = 0; restart < 3; ++restart) put(*mustOpen(optionsOf(directory)), "/a", std::to_string(restart));
  auto store = mustOpen(optionsOf(directory));
  CHECK(eventsAfter(*store, 5) == "+/c=2@6 ~/a=0@7 ~/a=1@8 ~/a=2@9");
  put(*store, "/a", "x");
  CHECK(eventsAfter(*store, 8) == "~/a=2@9 ~/a=x@10");
}

TEST_CASE("a torn batch at the end never came to be, whatever is left of it") {
  TempDirectory scratch;
  std::string directory = scratch / "s", before;
  {
    auto store = mustOpen(optionsOf(directory));
    before = writeSome(*store);
  }
  std::string file = segments(directory).back(), sound = contentOf(file);
  // What a file used again has behind: batches of another segment.
  put(*mustOpen(optionsOf(directory)), "/d", "other");
  std::string other = segments(directory).back(), behind = contentOf(other);
  REQUIRE(other != file);
  std::filesystem::remove(other);
  for (std::string rest : {std::string(), std::string("\x40\0\0\0half", 8), std::string(5000, '\0'), std::string(5000, 'x'), behind}) {
    write(file, sound + rest);
    auto store = mustOpen(optionsOf(directory));
    CHECK(eventsAfter(*store, 1) == before);
    CHECK(store->revision() == 6);
  }
  put(*mustOpen(optionsOf(directory)), "/e", "1");
  CHECK(eventsAfter(*mustOpen(optionsOf(directory)), 1) == before + " +/e=1@7");
}

TEST_CASE("every single bit that changes in the log is refused, or was in the last batch") {
  TempDirectory scratch;
  std::string directory = scratch / "s";
  {
    auto store = mustOpen(optionsOf(directory));
    put(*store, "/a", "1");
    put(*store, "/b", "1");
  }
  std::string file = segments(directory).back(), sound = contentOf(file);
  size_t refused = 0, cut = 0;
  for (size_t bit = 0; bit < sound.size() * 8; ++bit) {
    std::string rotten = sound;
    rotten[bit / 8] = static_cast<char>(rotten[bit / 8] ^ (1 << (bit % 8)));
    write(file, rotten);
    auto store = openStore(optionsOf(directory));
    if (!store.ok()) ++refused;
    else if (show((*store)->range({})) == "/a=1@1") ++cut;
    else FAIL("bit ", bit, " went unnoticed: ", show((*store)->range({})));
  }
  CHECK(refused > 0);
  CHECK(cut > 0);
  CHECK(refused > cut);
  write(file, sound);
  std::string rotten = sound;
  rotten[sound.find("/a")] = 'x';
  write(file, rotten);
  auto report = verifyStore(directory);
  REQUIRE(report.ok());
  REQUIRE(report->faults.size() == 1);
  CHECK(report->faults[0].find("it has no sound batch, but later ones, at byte 28") != std::string::npos);
}

TEST_CASE("a log that does not go on from the state is refused") {
  TempDirectory scratch;
  SmallSegments log(scratch / "s");
  {
    auto store = log.open();
    for (int i = 0; i < 40; ++i) put(*store, concat("/", i), std::string(100, 'x'));
  }
  auto files = segments(log.directory);
  REQUIRE(files.size() > 3);
  SUBCASE("its beginning is missing") { std::filesystem::remove(files[0]); }
  SUBCASE("a part is missing") { std::filesystem::remove(files[1]); }
  SUBCASE("a part is cut short") { std::filesystem::resize_file(files[1], std::filesystem::file_size(files[1]) - 1); }
  SUBCASE("a part is another store's") {
    TempDirectory other;
    SmallSegments theirs(other / "s");
    for (int i = 0; i < 40; ++i) put(*theirs.open(), "/same", "x");
    std::filesystem::copy_file(segments(theirs.directory).front(), files[0], std::filesystem::copy_options::overwrite_existing);
  }
  CHECK_FALSE(openStore(optionsOf(log.directory)).ok());
  CHECK_FALSE(verifyStore(log.directory)->faults.empty());
}

TEST_CASE("what nobody can ask for any more is folded into the state, and its files are used again") {
  TempDirectory scratch;
  SmallSegments log(scratch / "s");
  std::map<std::string, std::string> expected;
  {
    auto store = log.open();
    for (int i = 0; i < 300; ++i) {
      std::string key = concat("/", i % 7), value = concat(i, std::string(100, 'v'));
      if (i % 11 == 0) {
        removeKey(*store, key);
        expected.erase(key);
      } else {
        put(*store, key, value);
        expected[key] = value;
      }
    }
    size_t most = segments(log.directory).size();
    CHECK(most > 20);
    Revision upTo = store->revision() - 20;
    REQUIRE(store->compact(upTo).ok());
    auto left = [&] { return segments(log.directory).size(); };
    for (int i = 0; i < 5000 && left() > 5; ++i) std::this_thread::sleep_for(milliseconds(1));
    CHECK(left() <= 5);
    CHECK(filesOf(log.directory, "spare-").size() <= 3);
    size_t blocks = left() + filesOf(log.directory, "spare-").size();
    for (int i = 0; i < 8; ++i) {
      put(*store, "/last", std::string(100, 'w'));
      expected["/last"] = std::string(100, 'w');
    }
    CHECK(segments(log.directory).size() + filesOf(log.directory, "spare-").size() <= blocks + 1);
    CHECK(eventsAfter(*store, upTo - 1) == "Expired");
  }
  CHECK(verifyStore(log.directory)->faults.empty());
  for (int restart = 0; restart < 2; ++restart) {
    auto store = log.open();
    CHECK(store->stats().keys == expected.size());
    for (const auto& [key, value] : expected) CHECK(valueOf(*store, key) == value);
    CHECK(store->watch("/", store->revision() - 20).ok());
  }
}

TEST_CASE("a snapshot holds what was written until then, folded or not") {
  TempDirectory scratch;
  SmallSegments log(scratch / "s");
  auto store = log.open();
  auto snapshotKeys = [&](const std::string& name) {
    Status taken = snapshotStore(log.directory, scratch / name);
    REQUIRE_MESSAGE(taken.ok(), (taken.ok() ? "" : taken.error().message()));
    auto report = verifyStore(scratch / name);
    REQUIRE(report.ok());
    CHECK(report->faults.empty());
    CHECK(report->revision == store->revision());
    return report->keys;
  };
  std::string longKey = "/" + std::string(600, 'k');
  put(*store, longKey, "1");
  for (int i = 0; i < 50; ++i) put(*store, concat("/", i), std::string(100, 'x'));
  CHECK(snapshotKeys("one") == 51);
  REQUIRE(store->compact(store->revision()).ok());
  for (int i = 0; i < 5000 && segments(log.directory).size() > 2; ++i) std::this_thread::sleep_for(milliseconds(1));
  CHECK(segments(log.directory).size() <= 2);
  removeKey(*store, longKey);
  removeKey(*store, "/3");
  CHECK(snapshotKeys("two") == 49);
}

TEST_CASE("a failed append leaves nothing behind, though it may have reached the disk") {
  TempDirectory scratch;
  std::string directory = scratch / "s";
  std::filesystem::create_directories(directory);
  auto fault = FaultyDisk::Fault::BeforeWrite;
  SUBCASE("it did not") {}
  SUBCASE("it did") { fault = FaultyDisk::Fault::AfterWrite; }
  {
    FaultyDisk::Control control;
    auto disk = LoggedDisk::open({.directory = directory, .sync = false});
    REQUIRE(disk.ok());
    auto store = Engine::create(optionsOf(directory), std::make_unique<FaultyDisk>(std::move(*disk), control));
    REQUIRE(store.ok());
    put(**store, "/a", "1");
    control.fault = fault;
    for (int i = 0; i < 3; ++i) CHECK_FALSE((*store)->commit({.key = "/lost", .value = SharedBytes(std::string("x"))}).ok());
    control.fault = FaultyDisk::Fault::None;
    put(**store, "/a", "2");
  }
  auto store = mustOpen(optionsOf(directory));
  CHECK(eventsAfter(*store, 1) == "~/a=2@2");
  CHECK(store->get("/lost") == nullptr);
}

}  // namespace
}  // namespace skiff::store
