// What the engine needs of a durable medium: apply a batch whole, and read everything at the start.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace skiff::store {

struct DiskChange {
  std::string_view key;
  RecordPtr record;  // null: the key is removed
};

struct DiskState {
  std::vector<RecordPtr> records;
  Revision revision = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  virtual Result<DiskState> load() = 0;
  // All or nothing and on stable storage when it returns ok. After an error the batch may or may not be there:
  // the caller repairs those keys with a later batch. Each key occurs at most once. One caller at a time.
  virtual Status apply(std::span<const DiskChange> changes, Revision revision) = 0;
  virtual uint64_t bytes() const = 0;
  // Whether the key would be written otherwise now than it was, though its value is the same (encryption). Any thread.
  virtual bool isStale([[maybe_unused]] std::string_view key) const { return false; }
};

}  // namespace skiff::store
