// A writer is killed at random moments; what it acknowledged must be there afterwards, and a watch must go on.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <latch>
#include <random>

#include "rt/executor.h"
#include "store/test_util.h"

using namespace skiff;
using namespace skiff::store;

namespace {

struct Ack {
  int32_t writer;
  int32_t number;
  int64_t revision;
};

// Runs in the child: four writers, each acknowledges to the pipe what the store has acknowledged to it.
[[noreturn]] void writeForEver(const std::string& directory, int round, int pipe) {
  auto store = openStore({.directory = directory});
  if (!store.ok()) ::_exit(3);
  std::vector<rt::Thread> threads;
  for (int w = 0; w < 4; ++w) {
    threads.emplace_back("writer", [&, w] {
      for (int i = 0;; ++i) {
        std::string key = concat("/r", round, "/", w, "/", i);
        auto done = (*store)->commit({.key = key, .expected = 0, .value = SharedBytes(key + std::string(500, 'v'))});
        if (!done.ok() || !done->applied) ::_exit(4);
        Ack ack{w, i, done->revision};
        if (::write(pipe, &ack, sizeof ack) != sizeof ack) ::_exit(5);  // under PIPE_BUF: whole
      }
    });
  }
  threads.clear();
  ::_exit(6);
}

}  // namespace

TEST_CASE("kill -9 loses no acknowledged write and no event") {
  TempDirectory temp;
  std::string directory = temp / "s";
  std::mt19937 random(std::random_device{}());
  Revision last = put(*mustOpen({.directory = directory}), "/first", "1").revision;
  size_t total = 1;
  for (int round = 0; round < 4; ++round) {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(pipe[0]);
      writeForEver(directory, round, pipe[1]);
    }
    ::close(pipe[1]);
    size_t killAfter = 20 + random() % 200;
    std::vector<Ack> acks;
    for (Ack ack; ::read(pipe[0], &ack, sizeof ack) == sizeof ack;) {
      acks.push_back(ack);
      if (acks.size() == killAfter) ::kill(child, SIGKILL);
    }
    ::close(pipe[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));

    REQUIRE(verifyStore(directory)->faults.empty());
    auto store = mustOpen({.directory = directory});
    for (const Ack& ack : acks) {
      RecordPtr record = store->get(concat("/r", round, "/", ack.writer, "/", ack.number));
      REQUIRE(record);
      CHECK(record->modRevision() == ack.revision);
      CHECK(record->value().view().starts_with(record->key()));
      CHECK(ack.revision > last);
    }
    auto watcher = store->watch("/", last);
    REQUIRE(watcher.ok());
    for (const EventPtr& event : (*watcher)->take(SIZE_MAX).events) CHECK(event->revision == ++last);
    CHECK(last == store->revision());
    total += acks.size();
    CHECK(store->stats().keys >= total);
  }
}
