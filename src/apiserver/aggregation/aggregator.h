// Group versions that other API servers serve: keeps the conditions of their APIServices, and hands their requests on.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "apiserver/aggregation/availability.h"
#include "apiserver/aggregation/remote_apis.h"
#include "apiserver/exchange.h"
#include "apiserver/registry.h"
#include "apiserver/relay.h"
#include "rt/event_loop.h"
#include "rt/executor.h"

namespace skiff::apiserver {

class Aggregator {
 public:
  Aggregator(RemoteServers::Options options, Registry& registry, const ClusterReader& cluster);
  ~Aggregator();
  // Takes over the APIServices that the store holds. Once, before requests come.
  Status start();
  void stop();
  // After each write of any object, on the writer's thread.
  void written(const ServedResource& resource, const api::ObjectPtr& object, bool removed);
  // True when the request is for an aggregated server: it is answered then, now or later. The request is authorized.
  bool serve(const ExchangePtr& exchange);
  // The same for a path that is not the request's own (its OpenAPI document).
  bool servePath(const ExchangePtr& exchange, const ApiService& service, std::string path, std::string query);
  const RemoteApiTable& table() const { return table_; }

 private:
  // One APIService with a service: checked when something about it changes, and again after a while.
  struct Watched {
    rt::TimerId timer = 0;
    bool checking = false, again = false;
    int failures = 0;
  };
  void enqueue(std::string name);            // from any thread
  void check(const std::string& name);       // on the loop
  void checked(const std::string& name, bool available);  // on the loop
  void forget(const std::string& name);      // on the loop
  bool refresh(const std::string& name);     // on a worker; whether it is available
  Status writeCondition(const std::string& name, const Availability& availability);
  void syncLocal();                          // from any thread
  void proxy(const ExchangePtr& exchange, const ApiService& service, const std::string& path, const std::string& query);

  Registry& registry_;
  const ClusterReader& cluster_;
  RemoteServers servers_;
  RemoteApiTable table_;
  std::unique_ptr<rt::EventLoop> loop_;
  std::map<std::string, Watched, std::less<>> watched_;  // on the loop
  std::atomic<bool> syncPending_ = false, stopped_ = false;
  std::mutex syncMutex_;  // one comparison of definitions and APIServices at a time: an older one may not overtake
  std::unique_ptr<rt::Executor> checkers_;
  RelayGroup underWay_;
  std::unique_ptr<rt::Executor> streams_;
  rt::Thread thread_;  // last: it uses everything above
};

}  // namespace skiff::apiserver
