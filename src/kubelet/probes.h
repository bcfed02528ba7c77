// Liveness, readiness and startup probes: a pure state machine each, and one scheduler thread for all of them that
// sleeps until the next probe is due. https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
#pragma once
#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/clock.h"
#include "client/events.h"
#include "kubelet/handlers.h"
#include "kubelet/pod_util.h"
#include "kubelet/runtime.h"
#include "rt/executor.h"

namespace skiff::kubelet {

enum class ProbeKind { Liveness, Readiness, Startup };

// Counts answers until they tip the result. Readiness and startup begin as failed, liveness as fine.
class ProbeState {
 public:
  ProbeState(ProbeKind kind, int successThreshold, int failureThreshold)
      : success_(std::max(successThreshold, 1)), failure_(std::max(failureThreshold, 1)), result_(kind == ProbeKind::Liveness) {}
  // True when the result changed, or a failure became (or stays) final.
  bool record(bool success) {
    if (success != last_ || run_ == 0) run_ = 0;
    last_ = success;
    ++run_;
    if (run_ < (success ? success_ : failure_)) return false;
    bool changed = !decided_ || result_ != success;
    result_ = success;
    decided_ = true;
    return changed;
  }
  // A run of the container that had passed before the kubelet restarted: it counts as passed until it fails.
  void resume() { result_ = decided_ = true; }
  bool result() const { return result_; }
  bool failedForGood() const { return decided_ && !result_; }
  bool decided() const { return decided_; }

 private:
  int success_, failure_;
  bool result_, last_ = true, decided_ = false;
  int run_ = 0;
};

class ProbeManager {
 public:
  ProbeManager(cri::Client& runtime, client::EventRecorder& events, const Clock& clock,
               std::function<void(const std::string& uid)> onChange);
  ~ProbeManager();  // as stop
  void start();
  void stop();

  // Probes the running containers of the pod from now on, and no others of it. Called by the pod's worker.
  void update(const PodPtr& pod, const RuntimePod& runtime, const std::string& podIp, bool terminating);
  void remove(const std::string& uid);

  struct Results {
    std::map<std::string, bool> ready, started;  // by container name; only of those that have such probes
    std::set<std::string> undecided;             // no probe has answered yet for this run of the container
    std::set<std::string> failedLiveness, failedStartup;
  };
  Results results(const std::string& uid) const;

 private:
  struct Worker;
  using Key = std::string;  // uid/container/kind
  void schedule();
  void run(const std::shared_ptr<Worker>& worker);
  ActionResult probeOnce(const Worker& worker);

  cri::Client& runtime_;
  HandlerRunner handlers_;
  client::EventRecorder& events_;
  const Clock& clock_;
  std::function<void(const std::string&)> onChange_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::map<Key, std::shared_ptr<Worker>> workers_;
  std::multimap<SteadyTime, std::weak_ptr<Worker>> due_;
  bool stopped_ = false;
  std::unique_ptr<rt::Executor> executor_;
  rt::Thread thread_;
};

}  // namespace skiff::kubelet
