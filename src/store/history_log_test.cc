// What of the past a restart leaves readable.
#include <algorithm>
#include <fstream>

#include "base/read_file.h"
#include "store/test_util.h"

namespace skiff::store {
namespace {

EngineOptions optionsOf(const std::string& directory) { return {.directory = directory, .sync = false}; }

std::vector<std::string> segments(const std::string& directory) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (std::string name = entry.path().filename(); name.starts_with("history-")) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

std::string contentOf(const std::string& file) { return *readFile(file); }

void append(const std::string& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary | std::ios::app) << bytes;
}

std::string eventsAfter(Store& store, Revision after) {
  auto watcher = store.watch("/", after);
  return watcher.ok() ? show((*watcher)->take(100)) : std::string(reasonText(watcher.error().reason()));
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

TEST_CASE("what was written of a batch that never came to be is not history") {
  TempDirectory scratch;
  std::string directory = scratch / "s", before;
  {
    auto store = mustOpen(optionsOf(directory));
    before = writeSome(*store);
  }
  SUBCASE("cut short") { append(segments(directory).back(), std::string("\x40\0\0\0half", 8)); }
  SUBCASE("whole") {
    // The same batch again, as if for revision 7: the last of another store's log.
    TempDirectory other;
    {
      auto store = mustOpen(optionsOf(other / "s"));
      writeSome(*store);
      put(*store, "/d", "never");
    }
    std::string own = contentOf(segments(directory).back()), longer = contentOf(segments(other / "s").back());
    append(segments(directory).back(), longer.substr(own.size()));
  }
  auto store = mustOpen(optionsOf(directory));
  CHECK(eventsAfter(*store, 1) == before);
  put(*store, "/e", "1");
  store.reset();
  store = mustOpen(optionsOf(directory));
  CHECK(eventsAfter(*store, 1) == before + " +/e=1@7");
}

TEST_CASE("history that does not lead to the state is thrown away") {
  TempDirectory scratch;
  std::string directory = scratch / "s";
  writeSome(*mustOpen(optionsOf(directory)));
  std::string file = segments(directory).back();
  SUBCASE("it ends before") { std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1); }
  SUBCASE("a bit of it has changed") {
    std::string bytes = contentOf(file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    std::ofstream(file, std::ios::binary) << bytes;
  }
  SUBCASE("it tells of other writes") {
    TempDirectory other;
    {
      auto store = mustOpen(optionsOf(other / "s"));
      for (int i = 0; i < 6; ++i) put(*store, "/a", "x");
    }
    std::filesystem::copy_file(segments(other / "s").back(), file, std::filesystem::copy_options::overwrite_existing);
  }
  {
    auto store = mustOpen(optionsOf(directory));
    CHECK(eventsAfter(*store, 5) == "Expired");
    CHECK(show(store->range({})) == "/a=1@1 /b=2@3 /c=2@6");
    CHECK(segments(directory).empty());
    put(*store, "/a", "2");
  }
  CHECK(eventsAfter(*mustOpen(optionsOf(directory)), 6) == "~/a=2@7");
}

TEST_CASE("compacted history leaves the disk") {
  TempDirectory scratch;
  ManualClock clock;
  EngineOptions options = optionsOf(scratch / "s");
  options.clock = &clock;
  options.historyAge = std::chrono::seconds(100);
  {
    auto store = mustOpen(options);
    auto& engine = dynamic_cast<Engine&>(*store);
    for (int i = 0; i < 30; ++i) {
      put(*store, "/a", std::to_string(i));
      clock.advance(seconds(10));
      engine.keepHouse();
    }
    CHECK(segments(options.directory).size() <= 12);
  }
  auto store = mustOpen(options);
  CHECK(eventsAfter(*store, 1) == "Expired");
  CHECK(eventsAfter(*store, 28) == "~/a=28@29 ~/a=29@30");
}

TEST_CASE("a batch that the disk refused is not in history") {
  TempDirectory scratch;
  std::string directory = scratch / "s";
  std::filesystem::create_directories(directory);
  {
    FaultyDisk::Control control;
    auto disk = LmdbDisk::open(directory, false);
    REQUIRE(disk.ok());
    auto faulty = std::make_unique<FaultyDisk>(std::move(*disk), control);
    auto store = Engine::create(optionsOf(directory), std::move(faulty), std::make_unique<HistoryLog>(directory, nullptr));
    REQUIRE(store.ok());
    put(**store, "/a", "1");
    control.fault = FaultyDisk::Fault::BeforeWrite;
    CHECK_FALSE((*store)->commit({.key = "/lost", .value = SharedBytes(std::string("x"))}).ok());
    control.fault = FaultyDisk::Fault::None;
    put(**store, "/a", "2");
  }
  auto store = mustOpen(optionsOf(directory));
  CHECK(eventsAfter(*store, 1) == "~/a=2@2");
}

}  // namespace
}  // namespace skiff::store
