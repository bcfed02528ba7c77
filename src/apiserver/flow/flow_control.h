// API Priority and Fairness: every request from outside takes seats of a priority level before it is served, or waits for them
// in a fair queue, or is told to come again. Long-running requests take none, watches only until they have begun; callers in
// the process are not asked: they are the server's own components, each with one request at a time.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
//
//   server.cc -- enter() --> Seated: serve now
//                        --> MustWait: park() with the rest of the request as a continuation
//                        --> Refused: 429
//
// Configuration: compiled from the store's objects after each write to one, swapped in as a whole.
// Time: while a request waits, a timer thread looks for deadlines and lends seats between levels; at idle nothing runs.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "apiserver/exchange.h"
#include "apiserver/flow/classifier.h"
#include "apiserver/flow/flow_options.h"
#include "apiserver/flow/priority_level.h"
#include "apiserver/flow/work_estimate.h"
#include "apiserver/registry.h"
#include "rt/event_loop.h"
#include "rt/executor.h"

namespace skiff::apiserver::flow {

class FlowControl {
 public:
  FlowControl(FlowOptions options, const Registry& registry, const ClusterReader& reader);
  ~FlowControl();
  void load();  // from now on, writes to the configuration count
  void written(const ServedResource& resource, const api::ObjectPtr& object, bool removed);
  void stop();

  enum class Entry { Seated, MustWait, Refused };
  Entry enter(Exchange& exchange);
  // `resume` is called later, on a worker. False: there is no place to wait.
  bool park(Exchange& exchange, PriorityLevel::Resume resume);
  // After the answer.
  void leave(Exchange& exchange, SteadyTime now);

  // The /debug/api_priority_and_fairness/ tables; false when it is no such path.
  bool serveDebug(Exchange& exchange) const;
  void writeMetrics(std::string& out) const;

  // What the timer does, exposed for tests with a clock of their own.
  void tick();
  int limitOf(std::string_view level) const;

 private:
  struct State;  // one configuration in force
  using StatePtr = std::shared_ptr<const State>;
  StatePtr state() const;
  void reload();
  void shareSeats(SteadyTime now);
  void armTick();
  Entry enterUnfair(Exchange& exchange);
  std::chrono::milliseconds waitLimit(const Exchange& exchange) const;

  FlowOptions options_;
  const Registry& registry_;
  const ClusterReader& reader_;
  WatchCounts watches_;
  WorkEstimator estimator_;
  std::shared_ptr<rt::Executor> resumers_;
  std::atomic<bool> loaded_ = false, stopped_ = false, ticking_ = false;
  std::atomic<int> reads_ = 0, writes_ = 0;  // without fairness
  std::atomic<std::shared_ptr<const State>> state_;

  mutable std::mutex mutex_;  // guards what follows; taken before a level's lock
  std::vector<LevelSeats> seats_;  // of the state's levels
  double fairFraction_ = 0;
  SteadyTime shared_{};  // when seats were shared last
  std::map<std::string, std::shared_ptr<PriorityLevel>, std::less<>> levels_;
  std::map<std::string, std::shared_ptr<FlowStats>, std::less<>> stats_;  // by "schema\0level"
  std::unique_ptr<rt::EventLoop> loop_;  // made when a request waits for the first time
  rt::Thread timer_;
};

// Which requests go on for long: watches, and streams to nodes, pods and services.
bool isLongRunning(const RequestInfo& request);
// What a refused request is told.
void respondTooMany(Exchange& exchange);

}  // namespace skiff::apiserver::flow
