#include "dns/informer_cluster.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "dns/test_util.h"
#include "net/http_client.h"
#include "net/streams.h"

using namespace skiff;
using namespace skiff::dns;

namespace {

// A watch on which a test puts events.
class FakeWatch final : public client::WatchStream {
 public:
  struct State {
    std::mutex mutex;  // guards the two below
    std::condition_variable changed;
    std::deque<api::WatchEvent> events;
    bool cancelled = false;
  };
  explicit FakeWatch(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Result<std::optional<api::WatchEvent>> next(milliseconds) override {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->cancelled || !state_->events.empty(); });
    if (state_->events.empty()) return std::optional<api::WatchEvent>();
    auto event = std::move(state_->events.front());
    state_->events.pop_front();
    return std::optional(std::move(event));
  }
  void cancel() override {
    std::lock_guard lock(state_->mutex);
    state_->cancelled = true;
    state_->changed.notify_all();
  }

 private:
  std::shared_ptr<State> state_;
};

class FakeTransport final : public client::Transport {
 public:
  template <class T>
  void add(const T& object) {
    lists[std::string(T::kResource)].push_back(api::Object::fromTyped(object));
  }
  void modify(const std::string& resource, api::WatchEvent event) {
    auto& state = *watches.at(resource);
    std::lock_guard lock(state.mutex);
    state.events.push_back(std::move(event));
    state.changed.notify_all();
  }

  Result<api::ObjectPtr> call(client::ApiRequest) override { return internalError("not here"); }
  Result<api::ObjectList> list(client::ApiRequest request) override {
    return api::ObjectList{.resourceVersion = "1", .items = lists[resourceOf(request.path)]};
  }
  Result<std::unique_ptr<client::WatchStream>> watch(client::ApiRequest request) override {
    return std::unique_ptr<client::WatchStream>(std::make_unique<FakeWatch>(watches.at(resourceOf(request.path))));
  }
  Result<net::Response> raw(client::ApiRequest) override { return internalError("not here"); }
  Result<std::unique_ptr<net::ResponseStream>> stream(client::ApiRequest) override { return internalError("not here"); }
  Result<std::unique_ptr<net::ByteStream>> upgrade(client::ApiRequest, net::Headers, net::Response*) override {
    return internalError("not here");
  }

  std::map<std::string, std::vector<api::ObjectPtr>> lists = {{"services", {}}, {"endpointslices", {}}, {"namespaces", {}}};
  const std::map<std::string, std::shared_ptr<FakeWatch::State>> watches = {
      {"services", std::make_shared<FakeWatch::State>()},
      {"endpointslices", std::make_shared<FakeWatch::State>()},
      {"namespaces", std::make_shared<FakeWatch::State>()}};

 private:
  static std::string resourceOf(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }
};

template <class Condition>
void eventually(Condition holds) {
  SteadyTime deadline = Clock::real().steadyNow() + seconds(5);
  while (!holds() && Clock::real().steadyNow() < deadline) std::this_thread::yield();
  CHECK(holds());
}

}  // namespace

TEST_CASE("informers feed the zone, and what changes is seen") {
  auto transport = std::make_shared<FakeTransport>();
  FakeCluster made;
  auto& dual = made.addService("default", "web", {"10.96.0.7", "fd00:0::7"});
  dual.metadata.resourceVersion = "1";
  made.addService("default", "db", {"None"});
  auto& slice = made.addSlice("default", "db", {"10.0.0.1=db-0"}, {{"sql", "TCP", 5432}});
  slice.metadata.name = "db-x";
  transport->add(dual);
  transport->add(*made.services[1]);
  transport->add(slice);
  api::core::v1::Namespace ns;
  ns.metadata.name = "default";
  transport->add(ns);

  auto factory = client::InformerFactory::create(std::make_shared<client::Client>(transport, "test"));
  InformerCluster cluster(*factory);
  CHECK_FALSE(cluster.ready());
  factory->start();
  REQUIRE(factory->waitForSync(seconds(5)));
  CHECK(cluster.ready());
  CHECK(cluster.hasNamespace("default"));
  CHECK_FALSE(cluster.hasNamespace("other"));
  CHECK(cluster.service("default", "web")->spec.clusterIPs.size() == 2);
  CHECK(cluster.servicesByClusterIp("fd00::7").size() == 1);
  CHECK(cluster.servicesByClusterIp("None").empty());
  REQUIRE(cluster.slicesOf("default", "db").size() == 1);
  CHECK(cluster.slicesByAddress("10.0.0.1").size() == 1);

  CountingRng rng;
  Zone zone(cluster, nameOf("cluster.local"), Clock::real(), rng);
  auto answer = zone.resolve({nameOf("db-0.db.default.svc.cluster.local"), kA, kClassIn});
  CHECK(showSections(answer->rcode, answer->answers, {}, {}) == "NOERROR db-0.db.default.svc.cluster.local. A 10.0.0.1");

  slice.endpoints[0].addresses[0] = "10.0.0.2";
  slice.metadata.resourceVersion = "2";
  transport->modify("endpointslices", {api::WatchEvent::Type::Modified, api::Object::fromTyped(slice)});
  eventually([&] { return cluster.slicesByAddress("10.0.0.2").size() == 1; });
  CHECK(cluster.slicesByAddress("10.0.0.1").empty());
  dual.metadata.resourceVersion = "3";
  transport->modify("services", {api::WatchEvent::Type::Deleted, api::Object::fromTyped(dual)});
  eventually([&] { return cluster.service("default", "web") == nullptr; });
  factory->stop();
}
