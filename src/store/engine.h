// The embedded engine: opens a directory, keeps it durable. And the offline tools of `skiff store`.
#pragma once
#include <memory>
#include <string>

#include "store/store.h"
#include "store/transformer.h"

namespace skiff::store {

struct EngineOptions {
  std::string directory;                  // made with mode 0700 if absent
  const Clock* clock = &Clock::real();
  std::chrono::seconds historyAge{300};   // automatic compaction keeps at least this much, as upstream's 5 minutes
  size_t maxWindowEvents = 200000;        // and at most this many events in memory
  size_t maxWindowBytes = 256 << 20;      // of values that only history keeps
  bool sync = true;                       // false only for tests
  std::shared_ptr<Transformer> transformer;  // of values on their way to the disk and back; null: none
  bool inMemory = false;                  // no directory at all: tests and fixtures
};

// Reason::Conflict when another process has the directory open (its pid in the message).
Result<std::unique_ptr<Store>> openStore(EngineOptions options);

struct VerifyReport {
  uint64_t keys = 0, bytes = 0;
  Revision revision = 0;
  std::vector<std::string> faults;  // empty: sound
};
Result<VerifyReport> verifyStore(const std::string& directory);
// Works while a server runs on the directory. The snapshot is one file that restoreStore and verifyStore understand.
Status snapshotStore(const std::string& directory, const std::string& file);
Status restoreStore(const std::string& file, const std::string& directory);  // the directory must be absent or empty

}  // namespace skiff::store
