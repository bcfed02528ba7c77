#include "apiserver/aggregation/aggregator.h"

#include <algorithm>

#include "apiserver/aggregation/local_api_services.h"
#include "apiserver/aggregation/object_relay.h"
#include "apiserver/list.h"
#include "apiserver/relay.h"
#include "apiserver/status.h"
#include "base/log.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

// An aggregated server that answers is looked at again after this time, as upstream; one that does not, sooner at first.
constexpr milliseconds kRecheck{30000};
constexpr milliseconds kFirstRetry{1000};
constexpr size_t kMaxCheckers = 16;
constexpr size_t kMaxStreams = 512;  // requests and watches that are with aggregated servers at the same time

milliseconds retryAfter(int failures) {
  return std::min(kRecheck, kFirstRetry * (1 << std::min(failures - 1, 5)));
}

void setAvailable(Value& object, const Availability& availability, std::string_view now, Arena& arena) {
  std::string_view status = availability.available ? "True" : "False";
  Value& conditions = object.child(arena, "status").child(arena, "conditions");
  if (!conditions.isList()) conditions = Value::list();
  Value condition = Value::map();
  condition.set(arena, "type", Value::string("Available"));
  condition.set(arena, "status", Value::string(status));
  condition.set(arena, "lastTransitionTime", Value::text(arena, now));
  condition.set(arena, "reason", Value::text(arena, availability.reason));
  condition.set(arena, "message", Value::text(arena, availability.message));
  for (Value& item : conditions.items()) {
    if (item["type"].asString() != "Available") continue;
    if (item["status"].asString() == status) condition.set(arena, "lastTransitionTime", item["lastTransitionTime"]);
    item = condition;
    return;
  }
  conditions.push(arena, condition);
}

struct GroupVersionPath {
  std::string_view group, version;
};
// Of "/apis/GROUP/VERSION" and what is below it.
std::optional<GroupVersionPath> groupVersionOf(std::string_view path) {
  auto parts = splitNonEmpty(path, '/');
  if (parts.size() < 3 || parts[0] != "apis") return std::nullopt;
  return GroupVersionPath{parts[1], parts[2]};
}

Error unavailable() { return {Reason::ServiceUnavailable, "the server is currently unable to handle the request", ErrorDetails{}}; }

}  // namespace

Aggregator::Aggregator(RemoteServers::Options options, Registry& registry, const ClusterReader& cluster)
    : registry_(registry),
      cluster_(cluster),
      servers_(std::move(options), cluster),
      loop_(rt::EventLoop::create()),
      checkers_(rt::Executor::create({.name = "apiservices", .maxThreads = kMaxCheckers})),
      streams_(rt::Executor::create({.name = "aggregator", .maxThreads = kMaxStreams, .maxQueue = 64})),
      thread_("aggregation", [this] { loop_->run(); }) {}

Aggregator::~Aggregator() { stop(); }

void Aggregator::stop() {
  if (stopped_.exchange(true)) return;
  underWay_.stop();
  checkers_->stop();
  streams_->stop();
  loop_->stop();
  thread_.join();
}

Status Aggregator::start() {
  ServedPtr resource = registry_.resources().current()->find(kApiRegistrationGroup, "v1", kApiServices);
  if (!resource) return okStatus();  // switched off by runtimeConfig
  ListPage page = TRY(listPage(registry_, *resource, "", {}));
  for (const api::ObjectPtr& object : page.items) {
    ApiService service = parseApiService(object->root());
    if (!service.remote()) continue;
    table_.put(service);
    enqueue(service.name);
  }
  syncLocal();
  return okStatus();
}

void Aggregator::written(const ServedResource& resource, const api::ObjectPtr& object, bool removed) {
  const api::ResourceInfo& info = *resource.storage;
  if (resource.custom) return;
  if (info.group == "apiextensions.k8s.io" && info.plural == "customresourcedefinitions") return syncLocal();
  if (info.group == kApiRegistrationGroup && info.plural == kApiServices) {
    ApiService service = parseApiService(object->root());
    auto current = table_.current();
    const RemoteVersion* known = current->find(service.group, service.version);
    // A change of status is our own doing, and no reason to look again.
    bool look = removed ? known != nullptr : known ? !known->service.sameTarget(service) : service.remote();
    removed ? table_.remove(service.name) : table_.put(service);
    if (look) enqueue(service.name);
    return;
  }
  bool service = info.group.empty() && info.plural == "services";
  bool slice = info.group == "discovery.k8s.io" && info.plural == "endpointslices";
  if (!service && !slice) return;
  std::string_view name = service ? object->name() : object->labels()["kubernetes.io/service-name"].asString();
  for (const RemoteVersion& version : table_.current()->versions)
    if (version.service.serviceNamespace == object->ns() && version.service.serviceName == name) enqueue(version.service.name);
}

void Aggregator::enqueue(std::string name) {
  loop_->post([this, name = std::move(name)] { check(name); });
}

void Aggregator::check(const std::string& name) {
  if (stopped_) return;
  auto current = table_.current();
  bool known = std::ranges::any_of(current->versions, [&](const RemoteVersion& one) { return one.service.name == name; });
  if (!known && !watched_.contains(name)) return;  // local, and always was
  Watched& watched = watched_[name];
  if (watched.timer) loop_->cancel(std::exchange(watched.timer, 0));
  if (watched.checking) {
    watched.again = true;
    return;
  }
  if (!known) return forget(name);
  watched.checking = checkers_->submit([this, name] {
    bool available = refresh(name);
    loop_->post([this, name, available] { checked(name, available); });
  });
}

void Aggregator::checked(const std::string& name, bool available) {
  auto found = watched_.find(name);
  if (found == watched_.end() || stopped_) return;
  Watched& watched = found->second;
  watched.checking = false;
  watched.failures = available ? 0 : watched.failures + 1;
  if (std::exchange(watched.again, false)) return check(name);
  milliseconds delay = available ? kRecheck : retryAfter(watched.failures);
  watched.timer = loop_->after(delay, [this, name] {
    if (auto due = watched_.find(name); due != watched_.end()) due->second.timer = 0;
    check(name);
  });
}

// Its APIService is gone, or is this server's own now.
void Aggregator::forget(const std::string& name) {
  watched_.erase(name);
  checkers_->submit([this, name] {
    auto written = writeCondition(name, {true, "Local", "Local APIServices are always available"});
    if (!written.ok() && !written.failedWith(Reason::NotFound))
      log::warn("Cannot set the condition of an APIService", {{"apiservice", name}, {"err", written.error().message()}});
  });
}

bool Aggregator::refresh(const std::string& name) {
  codec::DocumentPtr object = cluster_.get(kApiRegistrationGroup, kApiServices, "", name);
  if (!object) return false;
  ApiService service = parseApiService(object->root);
  if (!service.remote()) return true;
  Availability availability = checkAvailability(service, cluster_, servers_);
  if (availability.available) {
    auto current = table_.current();
    const RemoteVersion* known = current->find(service.group, service.version);
    bool same = known && known->service.sameTarget(service);
    auto documents = readRemoteDocuments(service, servers_, same ? known->documents.get() : nullptr);
    if (documents.ok()) table_.documents(service, std::move(documents).value());
    else log::warn("Cannot read what an aggregated server serves", {{"apiservice", name}, {"err", documents.error().message()}});
  }
  // Before the condition: who waits for that finds the group served and in discovery.
  table_.setAvailable(service, availability.available);
  auto written = writeCondition(name, availability);
  if (!written.ok() && !written.failedWith(Reason::NotFound))
    log::warn("Cannot set the condition of an APIService", {{"apiservice", name}, {"err", written.error().message()}});
  return availability.available;
}

Status Aggregator::writeCondition(const std::string& name, const Availability& availability) {
  std::vector<std::string> warnings;
  WriteCall call;
  call.user = &serverUser();
  call.resource = registry_.resources().current()->find(kApiRegistrationGroup, "v1", kApiServices);
  call.name = name;
  call.subresource = "status";
  call.fieldManager = "kube-apiserver";
  call.admit = false;
  call.warnings = &warnings;
  UpdateRules rules;
  rules.patch = true;
  std::string now = formatRfc3339(registry_.clock().now());
  auto updated = registry_.update(call, rules, [&](const Value* live, Arena& arena) -> Result<Value> {
    Value object = live->clone(arena);
    setAvailable(object, availability, now, arena);
    return object;
  });
  if (!updated.ok()) return std::move(updated).error();
  return okStatus();
}

void Aggregator::syncLocal() {
  if (syncPending_.exchange(true)) return;
  bool taken = checkers_->submit([this] {
    std::lock_guard lock(syncMutex_);
    syncPending_ = false;
    syncLocalApiServices(registry_);
  });
  if (!taken) syncPending_ = false;
}

bool Aggregator::serve(const ExchangePtr& exchange) {
  auto current = table_.current();
  if (current->versions.empty()) return false;
  auto path = groupVersionOf(exchange->request().path);
  const RemoteVersion* version = path ? current->find(path->group, path->version) : nullptr;
  if (!version) return false;
  return servePath(exchange, version->service, exchange->request().path, exchange->request().query);
}

bool Aggregator::servePath(const ExchangePtr& exchange, const ApiService& service, std::string path, std::string query) {
  if (!service.available) {
    exchange->fail(unavailable());
    return true;
  }
  auto run = [this, exchange, service, path = std::move(path), query = std::move(query)] { proxy(exchange, service, path, query); };
  // A caller in the process waits on its own thread, but for a watch, whose events come later.
  bool inPlace = exchange->inProcess() && !exchange->caller()->sink;
  if (inPlace) run();
  else if (!streams_->submit(std::move(run)))
    exchange->fail(tooManyRequests("Too many requests, please try again later.", 1));
  return true;
}

void Aggregator::proxy(const ExchangePtr& exchange, const ApiService& service, const std::string& path, const std::string& query) {
  bool upgrade = wantsUpgrade(*exchange);
  auto unreachable = [](const Error& error) {
    return Error(Reason::ServiceUnavailable, concat("error trying to reach service: ", error.message()), ErrorDetails{});
  };
  auto client = servers_.clientFor(service, upgrade ? RemoteServers::Use::Upgrades : RemoteServers::Use::Requests);
  if (!client.ok()) return exchange->fail(unreachable(client.error()));
  net::Request request = relayedRequest(*exchange, path, query, serverNameOf(service));
  tellUser(request, exchange->user);
  if (exchange->inProcess()) return relayObjects(exchange, **client, std::move(request), unreachable, underWay_);
  if (upgrade) return relayUpgrade(exchange, **client, std::move(request), unreachable);
  relay(exchange, **client, std::move(request), unreachable, underWay_);
}

}  // namespace skiff::apiserver
