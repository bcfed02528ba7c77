// One worker per pod: its passes never overlap, different pods run side by side on a bounded pool. A pass is asked for
// by API updates, runtime events, probe results, and by the pass before (back-offs, deadlines, refreshes).
//
//   wanted --deleted/failed/deadline--> terminating --containers gone--> terminated --API object gone--> forgotten
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/informer.h"
#include "client/workqueue.h"
#include "kubelet/pod_runtime.h"
#include "kubelet/status_manager.h"
#include "rt/executor.h"

namespace skiff::kubelet {

class PodWorkers {
 public:
  struct Deps {
    const NodeConfig& config;
    PodRuntime& runtime;
    RuntimeReader& reader;
    ImageManager& images;
    VolumeManager& volumes;
    Cgroups& cgroups;
    ProbeManager& probes;
    StatusManager& statuses;
    client::EventRecorder& events;
    client::Informer<api::core::v1::Node> node;            // our own
    std::function<std::optional<std::string>()> pressure;  // the scarce resource, if one is
  };
  explicit PodWorkers(Deps deps) : d_(std::move(deps)) {}
  ~PodWorkers();  // as stop
  void start();
  void stop();

  void podChanged(PodPtr pod);  // added or updated in its source
  void podGone(const PodPtr& lastState);
  // The API's copy of a static pod: its status is brought up to date.
  void mirrorSeen(const std::string& uid, const PodPtr& mirror);
  void wake(const std::string& uid);
  // Ends a pod for good, with what it is told. False when it is not here, or ends already.
  bool evict(const std::string& uid, std::string message);
  // The runtime says that this container ended; its own view may follow a moment later.
  void containerEnded(const std::string& containerId);

  struct View {
    PodPtr pod;
    std::shared_ptr<const RuntimePod> runtime;  // null before the first pass
    PodStatus status;                           // as last computed
  };
  std::optional<View> find(std::string_view ns, std::string_view name) const;
  std::optional<View> findByUid(const std::string& uid) const;
  std::vector<View> all() const;
  // What the runtime, the disk or the cgroups hold of pods that nobody wants: stopped and removed. Once, after the
  // first full list of pods.
  void removeOrphans();

 private:
  struct Entry {
    // Guarded by mutex_.
    PodPtr pod;
    bool gone = false;
    bool dirty = true;  // something happened; otherwise a pass may only be about refreshing volumes
    std::shared_ptr<const RuntimePod> runtime;
    PodStatus status;
    std::set<std::string> endedIds;
    std::optional<PodStatus> apiStatus;  // what the API shows, where it is not our last word: the next write starts there
    uint64_t written = 0;                // the resourceVersion of our last word
    std::optional<int64_t> killGrace;  // that the running termination uses
    std::optional<std::string> evicted;  // why
    // The worker's own: touched only while the queue has given it the key.
    bool admitted = false, terminated = false, hasStatus = false;
    bool over = false;  // all that counts has ended: the rest is stopped, and only then the phase says so
    std::string failReason, failMessage;
    std::optional<SteadyTime> retryAt;  // when the last pass wants to be repeated
    PodMemory memory;
  };
  using EntryPtr = std::shared_ptr<Entry>;

  void dispatch();
  void request(const std::string& uid);  // a full pass
  void syncOne(const std::string& uid);
  void schedule(Entry& entry, const std::string& uid);
  Status pass(Entry& entry, const std::string& uid, Pod& pod, bool gone);
  Status terminate(Entry& entry, Pod& pod, RuntimePod runtime, bool gone);
  bool takeEviction(Entry& entry, Pod& pod);
  bool admit(Entry& entry, const Pod& pod);
  bool pastDeadline(Entry& entry, const Pod& pod);
  Status publish(Entry& entry, Pod& pod, const RuntimePod& runtime, bool terminating, bool gone);
  void awaitEnds(Entry& entry, const RuntimePod& runtime);
  void cleanUp(const std::string& uid);
  void keepRuntime(Entry& entry, const RuntimePod& runtime);

  Deps d_;
  mutable std::mutex mutex_;  // guards entries_, byContainer_ and the marked part of each entry
  std::map<std::string, EntryPtr> entries_;
  std::map<std::string, std::string> byContainer_;  // container id -> uid
  client::WorkQueue queue_{{milliseconds(200), milliseconds(30000)}};
  std::unique_ptr<rt::Executor> executor_;
  rt::Thread thread_;
};

}  // namespace skiff::kubelet
