#include "apiserver/self_service.h"

#include "apiserver/bootstrap.h"
#include "apiserver/object_meta.h"
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

std::string serviceJson(const SelfService& self) {
  std::string ip = quotedJson(self.serviceIp);
  return concat(
      R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"kubernetes","namespace":"default","labels":{"component":)"
      R"("apiserver","provider":"kubernetes"}},"spec":{"clusterIP":)",
      ip, R"(,"clusterIPs":[)", ip,
      R"(],"internalTrafficPolicy":"Cluster","ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack","ports":[{"name":"https",)"
      R"("port":443,"protocol":"TCP","targetPort":)",
      self.port, R"(}],"sessionAffinity":"None","type":"ClusterIP"}})");
}

std::string endpointsJson(const SelfService& self) {
  return concat(
      R"({"apiVersion":"v1","kind":"Endpoints","metadata":{"name":"kubernetes","namespace":"default","labels":{)"
      R"("endpointslice.kubernetes.io/skip-mirror":"true"}},"subsets":[{"addresses":[{"ip":)",
      quotedJson(self.address), R"(}],"ports":[{"name":"https","port":)", self.port, R"(,"protocol":"TCP"}]}]})");
}

std::string sliceJson(const SelfService& self) {
  bool v6 = self.address.find(':') != std::string::npos;
  return concat(R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","addressType":")", v6 ? "IPv6" : "IPv4",
                R"(","metadata":{"name":"kubernetes","namespace":"default","labels":{"kubernetes.io/service-name":)"
                R"("kubernetes"}},"endpoints":[{"addresses":[)",
                quotedJson(self.address), R"(],"conditions":{"ready":true}}],"ports":[{"name":"https","port":)", self.port,
                R"(,"protocol":"TCP"}]})");
}

// Upstream names an API server by a hash of its host's name.
std::string leaseJson(const SelfService& self, WallTime now) {
  std::string id = toLower(hexEncode(pki::sha256(self.hostName)).substr(0, 26));
  return concat(
      R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"apiserver-)", id,
      R"(","namespace":"kube-system","labels":{"apiserver.kubernetes.io/identity":"kube-apiserver","kubernetes.io/hostname":)",
      quotedJson(self.hostName), R"(},"annotations":{"kubernetes.io/peer-advertise-address":")", self.address, ":", self.port,
      R"("}},"spec":{"holderIdentity":)", quotedJson(concat("apiserver-", id, "_", newUid())),
      R"(,"leaseDurationSeconds":3600,"renewTime":")", formatRfc3339Micro(now), R"("}})");
}

// An object of a former run, made to say what is true now.
Status correct(Registry& registry, std::string_view group, std::string_view plural, std::string_view key,
               const std::string& json) {
  static const UserInfo kServer{"system:apiserver", "", {"system:masters"}, {}};
  std::vector<std::string> warnings;
  WriteCall call;
  call.user = &kServer;
  call.resource = registry.resources().current()->find(group, "v1", plural);
  call.ns = "default";
  call.name = "kubernetes";
  call.tracked = false;
  call.warnings = &warnings;
  call.admit = false;
  UpdateRules rules;
  rules.patch = true;
  auto updated = registry.update(call, rules, [&](const Value* live, codec::Arena& arena) -> Result<Value> {
    Value wanted = TRY(codec::parseJson(json, arena));
    Value object = live->clone(arena);
    for (std::string_view field : {key, std::string_view("ports"), std::string_view("addressType")})
      if (const Value* value = wanted.find(field)) object.set(arena, field, *value);
    return object;
  });
  if (!updated.ok()) return std::move(updated).error();
  return okStatus();
}

}  // namespace

std::string firstServiceIp(std::string_view cidr) {
  auto slash = cut(cidr, "/");
  auto parts = split(slash ? slash->first : cidr, '.');
  if (parts.size() != 4) return {};
  auto last = parseUint(parts[3]);
  if (!last || *last > 254) return {};
  return concat(parts[0], '.', parts[1], '.', parts[2], '.', *last + 1);
}

Status publishSelf(Registry& registry, const SelfService& self) {
  std::vector<std::string> objects{leaseJson(self, registry.clock().now())};
  if (!self.serviceIp.empty()) objects.push_back(serviceJson(self));
  // Nobody reaches a loopback address from a pod, and endpoints may not have one.
  bool reachable = !self.address.starts_with("127.") && self.address != "::1";
  std::string endpoints = endpointsJson(self), slice = sliceJson(self);
  if (reachable) {
    objects.push_back(endpoints);
    objects.push_back(slice);
  }
  TRY(createBootstrapObjects(registry, objects));
  if (!reachable) return okStatus();
  TRY(correct(registry, "", "endpoints", "subsets", endpoints));
  return correct(registry, "discovery.k8s.io", "endpointslices", "endpoints", slice);
}

}  // namespace skiff::apiserver
