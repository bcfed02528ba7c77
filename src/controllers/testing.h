// A cluster of straw for tests: the API server as a map of objects, informers that tell of each change at once (or when
// resumed), a clock that stands still and a recorder that remembers.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/object.h"
#include "client/events.h"
#include "client/informer.h"
#include "client/transport.h"
#include "controllers/controller.h"

namespace skiff::controllers::testing {

class ManualClock final : public Clock {
 public:
  WallTime now() const override { return wall_; }
  SteadyTime steadyNow() const override { return steady_; }
  void advance(milliseconds by) {
    wall_ += by;
    steady_ += by;
  }

 private:
  WallTime wall_ = *parseRfc3339("2026-11-22T10:00:00Z");
  SteadyTime steady_{std::chrono::hours(1)};
};

// Names, uids, resource versions, generations, status and finalize subresources, preconditions, finalizers, merge
// patches and as much of strategic ones as the controllers use. No validation, no defaults, no grace periods.
class FakeApi final : public client::Transport {
 public:
  explicit FakeApi(const Clock& clock) : clock_(clock) {}
  Result<api::ObjectPtr> call(client::ApiRequest request) override;
  Result<api::ObjectList> list(client::ApiRequest request) override;
  Result<std::unique_ptr<client::WatchStream>> watch(client::ApiRequest request) override;
  Result<net::Response> raw(client::ApiRequest request) override;
  Result<std::unique_ptr<net::ResponseStream>> stream(client::ApiRequest request) override;
  Result<std::unique_ptr<net::ByteStream>> upgrade(client::ApiRequest request, net::Headers headers,
                                                   net::Response* answer) override;

  using Listener = std::function<void(const std::string& resource, const api::ObjectPtr& before, const api::ObjectPtr& now)>;
  void listen(Listener listener) { listeners_.push_back(std::move(listener)); }
  const std::map<std::string, api::ObjectPtr>& objects(const std::string& resource) { return store_[resource]; }
  // Refuses every creation of the resource ("pods") from now on; nullopt: allows it again.
  void refuseCreates(const std::string& resource, std::optional<Error> error);
  std::recursive_mutex& mutex() { return mutex_; }

 private:
  struct Target {
    std::string group, version, plural, ns, name, subresource;
    std::string key() const { return ns.empty() ? name : ns + "/" + name; }
  };
  static Target parse(const std::string& path);
  Result<api::ObjectPtr> create(const Target& target, const client::ApiRequest& request);
  Result<api::ObjectPtr> update(const Target& target, codec::Value wanted);
  Result<api::ObjectPtr> remove(const Target& target, const client::ApiRequest& request);
  Result<api::ObjectPtr> patch(const Target& target, const client::ApiRequest& request);
  Result<api::ObjectPtr> publish(const Target& target, std::shared_ptr<codec::Document> document, api::ObjectPtr before);
  void notify(const std::string& resource, const api::ObjectPtr& before, const api::ObjectPtr& now);

  const Clock& clock_;
  std::recursive_mutex mutex_;  // guards all below
  std::map<std::string, std::map<std::string, api::ObjectPtr>> store_;  // by plural, then by key
  std::map<std::string, Error> refused_;
  std::vector<Listener> listeners_;
  int64_t counter_ = 0;
};

class FakeInformers final : public client::InformerFactory {
 public:
  explicit FakeInformers(FakeApi& api);
  client::ObjectInformer& ofResource(const client::Resource& resource, const Options& options) override;
  void start() override {}
  bool waitForSync(milliseconds) override { return true; }
  void stop() override {}
  // While paused the caches stand still: what a controller sees when its watch lags.
  void pause() { paused_ = true; }
  void resume();

  class Informer;

 private:
  struct Change {
    std::string resource;
    api::ObjectPtr before, now;
  };
  void deliver(const Change& change);
  FakeApi& api_;
  std::map<std::string, std::shared_ptr<Informer>> informers_;
  bool paused_ = false;
  std::vector<Change> pending_;
};

class FakeRecorder final : public client::EventRecorder {
 public:
  void record(const api::core::v1::ObjectReference& about, std::string_view type, std::string_view reason,
              std::string message) override;
  std::vector<std::string> events;  // "Normal SuccessfulCreate Created pod: a"

 private:
  std::mutex mutex_;  // guards events
};

struct Cluster {
  Cluster();
  ManualClock clock;
  std::shared_ptr<FakeApi> api;
  FakeInformers informers;
  FakeRecorder recorder;
  ControllersOptions options;
  std::shared_ptr<client::Client> client;
  std::unique_ptr<rt::Executor> executor;
  Context context;

  // Works the queue off, as the controller's workers would. The error of the last key that failed.
  Status run(Controller& controller);
  template <class T>
  T create(T object) {
    auto created = client->create(object);
    MUST(created.ok());
    return std::move(created).value();
  }
  template <class T>
  T createJson(std::string_view json) {
    auto object = api::fromJson<T>(json);
    MUST(object.ok());
    return create(std::move(object).value());
  }
  template <class T>
  T get(std::string_view name, std::string_view ns = "ns") {
    auto object = client->get<T>(ns, name);
    MUST(object.ok());
    return std::move(object).value();
  }
  template <class T>
  std::vector<T> list() {
    auto objects = client->list<T>({.ns = "ns"});
    MUST(objects.ok());
    return std::move(objects).value();
  }
  // Sets the status of every live pod as a kubelet would: "Running" ones are ready.
  void setPods(std::string_view phase);
};

}  // namespace skiff::controllers::testing
