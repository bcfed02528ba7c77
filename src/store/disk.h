// What the engine needs of a durable medium: append events whole, and tell at the start what there is.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace skiff::store {

struct DiskState {
  std::vector<RecordPtr> records;
  Revision revision = 0;
};

// A state, and what led from there to the newest one.
struct Past {
  DiskState base;
  std::vector<EventPtr> events;
  Revision newest = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  // Once, before all else.
  virtual Result<Past> load() = 0;
  // All or nothing and on stable storage when it returns ok. After an error nothing has happened: what is appended next takes
  // its place. One caller at a time.
  virtual Status append(std::span<const EventPtr> events) = 0;
  // Nobody will ask for what was before the revision. Any thread.
  virtual void forget(Revision upTo) = 0;
  virtual uint64_t bytes() const = 0;
  // Whether the key would be written otherwise now than it was, though its value is the same (encryption). Any thread.
  virtual bool isStale([[maybe_unused]] std::string_view key) const { return false; }
};

}  // namespace skiff::store
