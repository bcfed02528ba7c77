// Values that are sealed on their way to a medium, on a disk and in an etcd alike.
#include "base/read_file.h"
#include "store/etcd/etcd_store.h"
#include "store/etcd/fake_etcd.h"
#include "store/etcd/sealed_api.h"
#include "store/sealed_disk.h"
#include "store/test_util.h"

namespace skiff::store {
namespace {

// "seal:KEYNAME:" and the text backwards.
class Mirror final : public Transformer {
 public:
  Result<std::string> seal(std::string_view, std::string_view value) override {
    if (broken) return Error(Reason::ServiceUnavailable, "no keys");
    return concat("seal:", name, ":", std::string(value.rbegin(), value.rend()));
  }
  Result<std::string> open(std::string_view, std::string_view stored) override {
    std::string seal = sealOf(stored);
    if (seal.find("lost") != std::string::npos) return Error(Reason::Invalid, "the key is gone");
    stored.remove_prefix(seal.size());
    return seal.empty() ? std::string(stored) : std::string(stored.rbegin(), stored.rend());
  }
  std::string sealOf(std::string_view stored) const override {
    if (!stored.starts_with("seal:")) return {};
    return std::string(stored.substr(0, stored.find(':', 5) + 1));
  }
  bool isStale(std::string_view, std::string_view seal) override { return seal != concat("seal:", name, ":"); }
  std::string name = "one";
  bool broken = false;
};

std::string textOf(const Store& store, const std::string& key) {
  RecordPtr record = store.get(key);
  return record ? std::string(record->value().view()) : "(none)";
}

std::string onDisk(const std::string& directory, const std::string& key) {
  auto store = mustOpen({.directory = directory, .sync = false});
  return textOf(*store, key);
}

TEST_CASE("a disk holds sealed values, memory plain ones") {
  TempDirectory scratch;
  auto mirror = std::make_shared<Mirror>();
  EngineOptions options{.directory = scratch / "store", .sync = false, .transformer = mirror};
  put(*mustOpen({.directory = options.directory, .sync = false}), "/registry/a", "plain");
  {
    auto store = mustOpen(options);
    CHECK(textOf(*store, "/registry/a") == "plain");
    CHECK(store->isStale("/registry/a"));
    put(*store, "/registry/b", "abc");
    CHECK(textOf(*store, "/registry/b") == "abc");
    CHECK_FALSE(store->isStale("/registry/b"));
    mirror->name = "two";
    CHECK(store->isStale("/registry/b"));
    put(*store, "/registry/b", "abc");
    CHECK_FALSE(store->isStale("/registry/b"));
    mirror->broken = true;
    CHECK_FALSE(store->commit({.key = "/registry/c", .value = SharedBytes(std::string("x"))}).ok());
    CHECK(textOf(*store, "/registry/c") == "(none)");
    mirror->broken = false;
    put(*store, "/registry/d", "after");
  }
  CHECK(onDisk(options.directory, "/registry/a") == "plain");
  CHECK(onDisk(options.directory, "/registry/b") == "seal:two:cba");
  CHECK(onDisk(options.directory, "/registry/c") == "(none)");
  CHECK(textOf(*mustOpen(options), "/registry/b") == "abc");
}

TEST_CASE("history on disk is sealed too") {
  TempDirectory scratch;
  EngineOptions options{.directory = scratch / "store", .sync = false, .transformer = std::make_shared<Mirror>()};
  {
    auto store = mustOpen(options);
    put(*store, "/registry/a", "secret");
    put(*store, "/registry/a", "other");
  }
  for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
    CHECK(readFile(entry.path())->find("secret") == std::string::npos);
  }
  auto store = mustOpen(options);
  auto watcher = store->watch("/registry/", 1);
  REQUIRE(watcher.ok());
  auto batch = (*watcher)->take(10);
  REQUIRE(batch.events.size() == 1);
  CHECK(batch.events[0]->previous->value().view() == "secret");
  CHECK(batch.events[0]->record->value().view() == "other");
}

TEST_CASE("after a change of keys nothing needs the old one") {
  TempDirectory scratch;
  auto mirror = std::make_shared<Mirror>();
  EngineOptions options{.directory = scratch / "store", .sync = false, .transformer = mirror};
  {
    auto store = mustOpen(options);
    mirror->name = "lost";
    put(*store, "/registry/a", "abc");
    put(*store, "/registry/b", "old");
    removeKey(*store, "/registry/b");
    mirror->name = "two";
    put(*store, "/registry/a", "abc");
    put(*store, "/registry/c", "new");
  }
  auto store = mustOpen(options);
  CHECK(show(store->range({})) == "/registry/a=abc@4 /registry/c=new@5");
  CHECK(store->watch("/registry/", 3).failedWith(Reason::Expired));  // the first change tells of a value under the old key
  CHECK(show((*store->watch("/registry/", 4))->take(10)) == "+/registry/c=new@5");
}

TEST_CASE("what cannot be opened is kept as it is") {
  TempDirectory scratch;
  auto mirror = std::make_shared<Mirror>();
  EngineOptions options{.directory = scratch / "store", .sync = false, .transformer = mirror};
  put(*mustOpen({.directory = options.directory, .sync = false}), "/registry/a", "seal:lost:xyz");
  auto store = mustOpen(options);
  CHECK(textOf(*store, "/registry/a") == "seal:lost:xyz");
  CHECK(removeKey(*store, "/registry/a").applied);
}

TEST_CASE("an etcd holds sealed values, whoever wrote them") {
  etcd::FakeEtcd server;
  auto mirror = std::make_shared<Mirror>();
  server.put("/registry/a", "seal:old:olleh");
  EtcdOptions options;
  options.compactionInterval = {};
  options.startTimeout = {};
  auto opened = etcd::EtcdStore::create(std::move(options), std::make_unique<etcd::SealedApi>(server.connect(), mirror));
  REQUIRE(opened.ok());
  Store& store = **opened;
  CHECK(textOf(store, "/registry/a") == "hello");
  CHECK(store.isStale("/registry/a"));
  WriteResult written = put(store, "/registry/b", "abc", 0);
  CHECK(textOf(store, "/registry/b") == "abc");
  CHECK_FALSE(store.isStale("/registry/b"));
  WriteResult refused = put(store, "/registry/b", "x", written.revision + 100);
  CHECK_FALSE(refused.applied);
  CHECK(refused.record->value().view() == "abc");
  auto plain = server.connect()->range({.key = "/registry/b"}, milliseconds(1000));
  REQUIRE(plain.ok());
  CHECK(plain->kvs.at(0).value == "seal:one:cba");
}

}  // namespace
}  // namespace skiff::store
