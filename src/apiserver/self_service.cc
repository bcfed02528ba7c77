#include "apiserver/self_service.h"

#include <unistd.h>

#include "apiserver/bootstrap.h"
#include "apiserver/status.h"
#include "base/strings.h"
#include "codec/json.h"
#include "pki/x509.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

std::string quotedJson(std::string_view text) {
  std::string out;
  codec::writeJsonString(out, text);
  return out;
}

std::string hostName() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

std::string leaseJson(const std::string& address, int port, WallTime now) {
  std::string host = hostName(), id = serverIdentity();
  return concat(
      R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":")", id,
      R"(","namespace":"kube-system","labels":{"apiserver.kubernetes.io/identity":"kube-apiserver","kubernetes.io/hostname":)",
      quotedJson(host), R"(},"annotations":{"kubernetes.io/peer-advertise-address":)", quotedJson(concat(address, ":", port)),
      R"(}},"spec":{"holderIdentity":)", quotedJson(concat(id, "_", newUid())),
      R"(,"leaseDurationSeconds":3600,"renewTime":")", formatRfc3339Micro(now), R"("}})");
}

// Endpoints and slices tell an address that may have changed since the last run.
bool tellsAddress(std::string_view kind) { return kind == "Endpoints" || kind == "EndpointSlice"; }

Status correct(Registry& registry, const Value& wanted) {
  std::vector<std::string> warnings;
  bool slice = wanted["kind"].asString() == "EndpointSlice";
  WriteCall call;
  call.user = &serverUser();
  call.resource = slice ? registry.resources().current()->find("discovery.k8s.io", "v1", "endpointslices")
                        : registry.resources().current()->find("", "v1", "endpoints");
  if (!call.resource) return okStatus();  // switched off by runtimeConfig
  call.ns = "default";
  call.name = "kubernetes";
  call.warnings = &warnings;
  call.admit = call.tracked = false;
  UpdateRules rules;
  rules.patch = true;
  auto updated = registry.update(call, rules, [&](const Value* live, codec::Arena& arena) -> Result<Value> {
    Value object = live->clone(arena);
    for (std::string_view field : {"subsets", "endpoints", "ports"})
      if (const Value* value = wanted.find(field)) object.set(arena, field, value->clone(arena));
    return object;
  });
  if (!updated.ok()) return std::move(updated).error();
  return okStatus();
}

}  // namespace

// As upstream: a hash of the host's name.
std::string serverIdentity() { return concat("apiserver-", hexEncode(pki::sha256(hostName())).substr(0, 26)); }

Status publishSelf(Registry& registry, const std::string& address, int port, const std::vector<std::string>& bootstrap) {
  TRY(createBootstrapObjects(registry, {leaseJson(address, port, registry.clock().now())}));
  if (registry.store().shared()) return okStatus();  // the endpoints are those of all servers: EndpointLeases
  for (const std::string& json : bootstrap) {
    codec::Arena arena;
    Value object = TRY(codec::parseJson(json, arena));
    bool own = object["metadata"]["name"].asString() == "kubernetes" && tellsAddress(object["kind"].asString());
    if (own) TRY(correct(registry, object));
  }
  return okStatus();
}

}  // namespace skiff::apiserver
