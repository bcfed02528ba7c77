#include "apiserver/aggregation/authentication_config.h"

#include "apiserver/bootstrap.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kName = "extension-apiserver-authentication", kNamespace = "kube-system";

Value jsonList(const std::vector<std::string>& texts, Arena& arena) {
  Value list = Value::list();
  for (const std::string& text : texts) list.push(arena, Value::string(text));
  return Value::text(arena, codec::toJson(list));
}

Value wantedData(const SecurityOptions& options, Arena& arena) {
  Value data = Value::map();
  if (!options.clientCaPem.empty()) data.set(arena, "client-ca-file", Value::text(arena, options.clientCaPem));
  if (options.requestHeaderCaPem.empty()) return data;
  data.set(arena, "requestheader-allowed-names", jsonList(options.requestHeaderAllowedNames, arena));
  data.set(arena, "requestheader-client-ca-file", Value::text(arena, options.requestHeaderCaPem));
  data.set(arena, "requestheader-extra-headers-prefix", jsonList({"X-Remote-Extra-"}, arena));
  data.set(arena, "requestheader-group-headers", jsonList({"X-Remote-Group"}, arena));
  data.set(arena, "requestheader-uid-headers", jsonList({"X-Remote-Uid"}, arena));
  data.set(arena, "requestheader-username-headers", jsonList({"X-Remote-User"}, arena));
  return data;
}

Status correct(Registry& registry, const Value& data) {
  std::vector<std::string> warnings;
  WriteCall call;
  call.user = &serverUser();
  call.resource = registry.resources().current()->find("", "v1", "configmaps");
  call.ns = std::string(kNamespace);
  call.name = std::string(kName);
  call.warnings = &warnings;
  call.admit = call.tracked = false;
  UpdateRules rules;
  rules.patch = true;
  auto updated = registry.update(call, rules, [&](const Value* live, Arena& arena) -> Result<Value> {
    Value object = live->clone(arena);
    Value& there = object.child(arena, "data");
    for (const codec::Member& member : data.members()) there.set(arena, member.key, member.value.clone(arena));
    return object;
  });
  if (!updated.ok()) return std::move(updated).error();
  return okStatus();
}

}  // namespace

Status publishAuthenticationConfig(Registry& registry, const SecurityOptions& options) {
  Arena arena;
  Value data = wantedData(options, arena);
  if (data.empty()) return okStatus();
  Value metadata = Value::map(), object = Value::map();
  metadata.set(arena, "name", Value::string(kName));
  metadata.set(arena, "namespace", Value::string(kNamespace));
  object.set(arena, "apiVersion", Value::string("v1"));
  object.set(arena, "kind", Value::string("ConfigMap"));
  object.set(arena, "metadata", metadata);
  object.set(arena, "data", data);
  TRY(createBootstrapObjects(registry, {codec::toJson(object)}));
  return correct(registry, data);
}

}  // namespace skiff::apiserver
