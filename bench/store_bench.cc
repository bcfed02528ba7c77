// One comparable line per figure of the store: store_bench [directory]. Needs about 100 MB of disk there.
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <latch>

#include "base/strings.h"
#include "rt/executor.h"
#include "store/engine.h"

using namespace skiff;
using namespace skiff::store;

namespace {

constexpr size_t kValueBytes = 3072;  // a pod
constexpr int kObjects = 10'000;

double secondsSince(SteadyTime start) {
  return std::chrono::duration<double>(Clock::real().steadyNow() - start).count();
}

size_t residentBytes() {
  size_t total = 0, resident = 0;
  FILE* statm = std::fopen("/proc/self/statm", "r");
  if (statm && std::fscanf(statm, "%zu %zu", &total, &resident) != 2) resident = 0;
  if (statm) std::fclose(statm);
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

std::unique_ptr<Store> open(const std::string& directory) {
  auto store = openStore({.directory = directory});
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.error().message().c_str());
    std::exit(1);
  }
  return std::move(*store);
}

Write podWrite(int i) {
  return {.key = concat("/registry/pods/namespace-", i % 10, "/pod-", i), .value = SharedBytes(std::string(kValueBytes, 'v'))};
}

void benchWrites(Store& store, int writers, int each) {
  std::vector<std::vector<double>> times(static_cast<size_t>(writers));
  auto before = store.stats();
  SteadyTime start = Clock::real().steadyNow();
  {
    std::vector<rt::Thread> threads;
    for (int w = 0; w < writers; ++w) {
      threads.emplace_back("writer", [&, w] {
        for (int i = 0; i < each; ++i) {
          SteadyTime begin = Clock::real().steadyNow();
          MUST(store.commit(podWrite(w * each + i)).ok());
          times[static_cast<size_t>(w)].push_back(secondsSince(begin) * 1e3);
        }
      });
    }
  }
  double total = secondsSince(start);
  std::vector<double> all;
  for (auto& t : times) all.insert(all.end(), t.begin(), t.end());
  std::sort(all.begin(), all.end());
  auto after = store.stats();
  std::printf("write   %2d writers   %8.0f ops/s   p50 %6.3f ms   p99 %6.3f ms   %.1f writes a sync\n", writers,
              static_cast<double>(all.size()) / total, all[all.size() / 2], all[all.size() * 99 / 100],
              static_cast<double>(after.commits - before.commits) / static_cast<double>(after.syncs - before.syncs));
}

void benchReads(Store& store) {
  constexpr int kRounds = 200;
  SteadyTime start = Clock::real().steadyNow();
  size_t records = 0;
  for (int i = 0; i < kRounds; ++i) {
    records += store.range({.from = "/registry/pods/", .to = "/registry/pods0"})->records.size();
  }
  std::printf("range   %zu records  %8.0f us\n", records / kRounds, secondsSince(start) / kRounds * 1e6);
  start = Clock::real().steadyNow();
  constexpr int kGets = 200'000;
  for (int i = 0; i < kGets; ++i) MUST(store.get(concat("/registry/pods/namespace-", i % 10, "/pod-", i % 1000)));
  std::printf("get                  %8.0f ns\n", secondsSince(start) / kGets * 1e9);
}

void benchWatch() {
  constexpr int kWatchers = 1000, kEvents = 2000;
  auto store = std::move(openStore({.inMemory = true})).value();
  std::vector<std::unique_ptr<Watcher>> watchers;
  size_t resident = residentBytes();
  for (int i = 0; i < kWatchers; ++i) watchers.push_back(store->watch("/registry/pods/", 0).value());
  double each = static_cast<double>(residentBytes() - resident) / kWatchers;
  size_t woken = 0, delivered = 0;
  double writing = 0;
  SteadyTime start = Clock::real().steadyNow();
  for (int i = 0; i < kEvents; ++i) {
    for (auto& watcher : watchers) watcher->notify([&woken] { ++woken; });
    SteadyTime begin = Clock::real().steadyNow();
    MUST(store->commit(podWrite(i)).ok());
    writing += secondsSince(begin);
    for (auto& watcher : watchers) delivered += watcher->take(100).events.size();
  }
  double total = secondsSince(start);
  MUST(woken == size_t{kWatchers} * kEvents && delivered == woken);
  std::printf("watch   %d watchers %8.0f events/s   commit with %d wake-ups %.1f us   %.0f bytes a watcher\n", kWatchers,
              static_cast<double>(delivered) / total, kWatchers, writing / kEvents * 1e6, each);

  // A commit must not care about watchers of other prefixes.
  std::vector<std::unique_ptr<Watcher>> others;
  for (int i = 0; i < 5000; ++i) {
    others.push_back(store->watch(concat("/registry/configmaps/ns/name-", i), 0).value());
    others.back()->notify([] {});
  }
  start = Clock::real().steadyNow();
  constexpr int kCommits = 20'000;
  for (int i = 0; i < kCommits; ++i) {
    MUST(store->commit({.key = "/registry/leases/ns/lease", .value = SharedBytes("x")}).ok());
  }
  std::printf("commit  beside 5000 watchers of other keys, no disk %.2f us\n", secondsSince(start) / kCommits * 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  std::string directory = concat(argc > 1 ? argv[1] : "/tmp", "/skiff-store-bench-", ::getpid());
  {
    auto store = open(directory);
    benchWrites(*store, 1, 2000);
    benchWrites(*store, 64, kObjects / 64 + 1);
    benchReads(*store);
  }
  ::malloc_trim(0);
  size_t resident = residentBytes();
  SteadyTime start = Clock::real().steadyNow();
  auto store = open(directory);
  std::printf("open    %zu records  %8.1f ms   %.1f MB resident added\n", store->stats().keys, secondsSince(start) * 1e3,
              static_cast<double>(residentBytes() - resident) / 1e6);
  store.reset();
  std::filesystem::remove_all(directory);
  benchWatch();
}
