// Keeps a KeySpace equal to what lies in etcd: reads everything once at one revision, then follows a watch.
//
//   load: range pages at R -> KeySpace(R) --> watch from R+1 -> publish --lost--> watch again from where it was
//                                                  |
//                                                  +--older than etcd's history, or a gap--> resync: load, publishOverGap
//
// Progress messages of the watch prove that nothing is missing up to their revision, also where nothing happened. A member
// whose word cannot be trusted is given something to tell instead: a key that nobody reads is written.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "rt/executor.h"
#include "rt/stop.h"
#include "store/etcd/api.h"
#include "store/etcd/key_prefix.h"
#include "store/etcd/revision_gate.h"
#include "store/key_space.h"

namespace skiff::store::etcd {

class Follower {
 public:
  struct Parts {
    Api* api = nullptr;
    const KeyPrefix* prefix = nullptr;
    // After each publication, on the follower's thread.
    UniqueFunction<void(std::span<const EventPtr>, Revision)> published;
    std::function<bool()> startAbandoned;  // may be empty
  };
  // Blocks until everything is read once; tries until `timeout` is over.
  static Result<std::unique_ptr<Follower>> start(Parts parts, milliseconds timeout);
  ~Follower() { stop(); }
  void stop();

  KeySpace& keys() { return *keys_; }
  const KeySpace& keys() const { return *keys_; }
  // Waits until the state has reached the revision, and asks for proof where no event brings it there.
  bool await(Revision revision, SteadyTime deadline);
  // The same without asking: an event of this revision must come.
  bool awaitEvent(Revision revision, SteadyTime deadline) { return gate_.wait(revision, deadline); }

 private:
  struct State {
    std::vector<RecordPtr> records;
    Revision revision = 0;
  };
  explicit Follower(Parts parts) : parts_(std::move(parts)) {}
  Result<State> load(SteadyTime deadline);
  RecordPtr recordOf(const KeyValue& kv) const;
  void run();
  Status follow();               // one watch, until it is lost
  Status take(WatchResponse response);
  Status apply(std::vector<WatchEvent> events);
  Status resync();
  void publish(std::span<const EventPtr> events, Revision revision);
  void askForProof();
  void touch();
  void abandon();                // the watch is silent though there is something to say

  Parts parts_;
  std::unique_ptr<KeySpace> keys_;  // constant after start()
  RevisionGate gate_;
  std::vector<WatchEvent> fragments_;  // of revisions that are not complete; the follower's thread only
  bool resyncNeeded_ = false;          // the same
  std::mutex streamMutex_;             // guards stream_
  std::shared_ptr<WatchStream> stream_;
  bool provesProgress_ = true;         // of the last watch
  SteadyTime touched_;
  std::atomic<bool> stopping_ = false;
  rt::StopSignal stop_;
  rt::Thread thread_;
};

}  // namespace skiff::store::etcd
