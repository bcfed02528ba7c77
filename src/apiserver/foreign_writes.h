// What other servers write to the same store has to have the consequences here that our own writes have: definitions are
// served, APIServices followed, indexes made anew. A store that only this server writes tells of nothing, and all this sleeps.
//
// The store's publisher notes which keys have changed; a thread of this object looks at what they are now and tells. So
// a key that changes often is told once, and never in an old state. Our own writes come by a second time: listeners
// must take what they know already.
#pragma once
#include <condition_variable>
#include <map>
#include <mutex>

#include "apiserver/registry.h"
#include "rt/executor.h"

namespace skiff::apiserver {

class StoreReader;

class ForeignWrites {
 public:
  using Listener = std::function<void(const ServedResource&, const api::ObjectPtr&, bool removed)>;
  ForeignWrites(store::Store& store, const Resources& resources, StoreReader& reader, Listener listener);
  ~ForeignWrites() { stop(); }
  void stop();

 private:
  struct Followed {
    std::string_view group, plural;
    std::string prefix;
  };
  const Followed* builtinOf(std::string_view key) const;
  ServedPtr customOf(std::string_view key) const;
  bool isFollowed(const store::Event& event) const;
  void note(std::span<const store::EventPtr> events);  // on the publisher's thread
  void run();
  void tell(const std::string& key, const store::RecordPtr& last);

  store::Store& store_;
  const Resources& resources_;
  StoreReader& reader_;
  const Listener listener_;
  std::vector<Followed> followed_;  // constant once made
  std::mutex mutex_;  // guards the three below
  std::condition_variable changed_;
  std::map<std::string, store::RecordPtr> noted_;  // by key: the record of its last event
  bool stopped_ = false;
  rt::Thread thread_;
};

}  // namespace skiff::apiserver
