#include "apiserver/endpoint_leases.h"

#include "api/convert.h"
#include "apiserver/strategies/formats.h"
#include "base/log.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

constexpr seconds kLeaseTime{15};
constexpr milliseconds kRenewEvery{10'000};
constexpr std::string_view kMasters = "/registry/masterleases/";
constexpr std::string_view kPeers = "/registry/peerserverleases/";

Value addressList(const std::set<std::string>& addresses, Arena& arena) {
  Value list = Value::list();
  for (const std::string& address : addresses) {
    Value item = Value::map();
    item.set(arena, "ip", Value::text(arena, address));
    list.push(arena, item);
  }
  return list;
}

Value portList(int port, Arena& arena) {
  Value item = Value::map();
  item.set(arena, "name", Value::string("https"));
  item.set(arena, "port", Value::integer(port));
  item.set(arena, "protocol", Value::string("TCP"));
  Value list = Value::list();
  list.push(arena, item);
  return list;
}

bool isTold(std::string_view address) {
  auto ip = formats::parseIp(address);
  return ip && !ip->isLoopback() && !ip->isUnspecified();
}

WriteCall callFor(const Registry& registry, std::string_view group, std::string_view plural, std::string_view ns,
                  std::string_view name, std::vector<std::string>& warnings) {
  WriteCall call;
  call.user = &serverUser();
  call.resource = registry.resources().current()->find(group, "v1", plural);
  call.ns = std::string(ns);
  call.name = std::string(name);
  call.warnings = &warnings;
  call.admit = call.tracked = false;
  return call;
}

Status change(Registry& registry, std::string_view group, std::string_view plural, std::string_view ns, std::string_view name,
              const std::function<void(Value&, Arena&)>& edit) {
  std::vector<std::string> warnings;
  WriteCall call = callFor(registry, group, plural, ns, name, warnings);
  if (!call.resource) return okStatus();  // switched off by runtimeConfig
  UpdateRules rules;
  rules.patch = true;
  auto updated = registry.update(call, rules, [&](const Value* live, Arena& arena) -> Result<Value> {
    Value object = live->clone(arena);
    edit(object, arena);
    return object;
  });
  if (!updated.ok()) return std::move(updated).error();
  return okStatus();
}

void setAddresses(Value& endpoints, const std::set<std::string>& addresses, int port, Arena& arena) {
  Value& subsets = endpoints.child(arena, "subsets");
  bool wellFormed = subsets.size() == 1 && std::as_const(subsets).at(0)["ports"].size() == 1;
  Value subset = Value::map();
  subset.set(arena, "addresses", addressList(addresses, arena));
  // Servers may have different ports: the first one's is kept, as upstream's servers keep it.
  subset.set(arena, "ports", wellFormed ? std::as_const(subsets).at(0)["ports"].clone(arena) : portList(port, arena));
  subsets = Value::list();
  if (!addresses.empty()) subsets.push(arena, subset);
}

void setSliceAddresses(Value& slice, const std::set<std::string>& addresses, int port, Arena& arena) {
  Value list = Value::list();
  for (const std::string& address : addresses) {
    Value endpoint = Value::map();
    Value own = Value::list();
    own.push(arena, Value::text(arena, address));
    endpoint.set(arena, "addresses", own);
    endpoint.child(arena, "conditions").set(arena, "ready", Value::boolean(true));
    list.push(arena, endpoint);
  }
  slice.set(arena, "endpoints", list);
  if (std::as_const(slice)["ports"].empty()) slice.set(arena, "ports", portList(port, arena));
}

}  // namespace

Status EndpointLeases::start() {
  TRY(renew());
  started_ = true;
  thread_ = rt::Thread("endpoint-leases", [this] { run(); });
  return okStatus();
}

void EndpointLeases::stop() {
  if (!std::exchange(started_, false)) return;
  stop_.raise();
  thread_.join();
  remove(concat(kPeers, self_.identity));
  remove(concat(kMasters, self_.address));
  if (Status told = reconcile(); !told.ok())
    log::warn("Cannot leave the endpoints of the service kubernetes", {{"err", told.error().message()}});
}

void EndpointLeases::run() {
  while (!stop_.waitFor(kRenewEvery))
    if (Status renewed = renew(); !renewed.ok())
      log::warn("Cannot renew the lease of this server's endpoint", {{"err", renewed.error().message()}});
}

Status EndpointLeases::renew() {
  TRY(renewIdentity());
  if (!isTold(self_.address)) return okStatus();
  TRY(renewLease(concat(kMasters, self_.address), false));
  TRY(renewLease(concat(kPeers, self_.identity), true));
  return reconcile();
}

Status EndpointLeases::renewLease(const std::string& key, bool peer) {
  const api::TypeInfo* type = api::findKind("", "v1", "Endpoints");
  store::RecordPtr before = registry_.store().get(key);
  Arena arena;
  Value object = Value::map();
  Value& metadata = object.child(arena, "metadata");
  // Each renewal is a change.
  metadata.set(arena, "generation", Value::integer(before ? before->modRevision() : 1));
  if (peer) metadata.child(arena, "labels").set(arena, "apiserverIdentity", Value::text(arena, self_.identity));
  Value subset = Value::map();
  subset.set(arena, "addresses", addressList({self_.address}, arena));
  if (peer) subset.set(arena, "ports", portList(self_.port, arena));
  object.child(arena, "subsets").push(arena, subset);
  std::string raw;
  TRY(api::encodeProtobuf(object, *type, raw));
  store::Write write{.key = key, .value = SharedBytes(api::wrapProtobuf("v1", "Endpoints", raw)), .timeToLive = kLeaseTime};
  TRY(registry_.store().commit(std::move(write)));
  return okStatus();
}

// Servers look at it to tell which of them are alive; one that is not renewed is removed.
Status EndpointLeases::renewIdentity() {
  std::string now = formatRfc3339Micro(registry_.clock().now());
  Status renewed = change(registry_, "coordination.k8s.io", "leases", "kube-system", self_.identity,
                          [&](Value& lease, Arena& arena) { lease.child(arena, "spec").set(arena, "renewTime", Value::text(arena, now)); });
  return renewed.failedWith(Reason::NotFound) ? okStatus() : renewed;
}

std::set<std::string> EndpointLeases::addresses() const {
  std::set<std::string> out;
  store::RangeOptions range{.from = std::string(kMasters), .to = store::prefixEnd(kMasters)};
  auto leases = registry_.store().range(range);
  if (!leases.ok()) return out;
  for (const store::RecordPtr& lease : leases->records) out.insert(lease->key().substr(kMasters.size()));
  return out;
}

Status EndpointLeases::reconcile() {
  std::set<std::string> all = addresses();
  Status endpoints = change(registry_, "", "endpoints", "default", "kubernetes",
                            [&](Value& object, Arena& arena) { setAddresses(object, all, self_.port, arena); });
  if (!endpoints.ok() && !endpoints.failedWith(Reason::NotFound)) return endpoints;
  Status slices = change(registry_, "discovery.k8s.io", "endpointslices", "default", "kubernetes",
                         [&](Value& object, Arena& arena) { setSliceAddresses(object, all, self_.port, arena); });
  return slices.failedWith(Reason::NotFound) ? okStatus() : slices;
}

void EndpointLeases::remove(const std::string& key) {
  auto removed = registry_.store().commit({.key = key, .remove = true});
  if (!removed.ok()) log::warn("Cannot remove this server's lease", {{"key", key}, {"err", removed.error().message()}});
}

}  // namespace skiff::apiserver
