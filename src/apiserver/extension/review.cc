#include "apiserver/extension/review.h"

#include "base/strings.h"

namespace skiff::apiserver::extension {
namespace {

using codec::Arena;
using codec::Value;

Value triple(Arena& arena, std::string_view group, std::string_view version, std::string_view last,
             std::string_view lastName) {
  Value out = Value::map();
  out.set(arena, "group", Value::text(arena, group));
  out.set(arena, "version", Value::text(arena, version));
  out.set(arena, lastName, Value::text(arena, last));
  return out;
}

// The kind that travels: the resource's own in that version, or a subresource's (Binding, PodExecOptions).
Value kindOf(const AdmissionRequest& request, std::string_view version, Arena& arena) {
  const Value* object = request.object ? request.object : request.oldObject;
  std::string_view kind = object ? (*object)["kind"].asString() : "";
  if (kind.empty() || kind == request.resource->kind)
    return triple(arena, request.resource->group, version, request.resource->kind, "kind");
  std::string_view apiVersion = (*object)["apiVersion"].asString();
  auto parts = cut(apiVersion, "/").value_or(std::pair(std::string_view(), apiVersion));
  return triple(arena, parts.first, parts.second, kind, "kind");
}

Value userValue(const UserInfo& user, Arena& arena) {
  Value out = Value::map();
  if (!user.name.empty()) out.set(arena, "username", Value::text(arena, user.name));
  if (!user.uid.empty()) out.set(arena, "uid", Value::text(arena, user.uid));
  for (const std::string& group : user.groups) out.child(arena, "groups").push(arena, Value::text(arena, group));
  for (const auto& [key, values] : user.extra) {
    Value list = Value::list();
    for (const std::string& value : values) list.push(arena, Value::text(arena, value));
    out.child(arena, "extra").set(arena, key, list);
  }
  return out;
}

std::string_view optionsKindOf(Operation operation) {
  switch (operation) {
    case Operation::Create: return "CreateOptions";
    case Operation::Update: return "UpdateOptions";
    case Operation::Delete: return "DeleteOptions";
    case Operation::Connect: return "";
  }
  return {};
}

Value optionsValue(const AdmissionRequest& request, Arena& arena) {
  if (request.options) return *request.options;
  std::string_view kind = optionsKindOf(request.operation);
  if (kind.empty()) return {};
  Value out = Value::map();
  out.set(arena, "kind", Value::string(kind));
  out.set(arena, "apiVersion", Value::string("meta.k8s.io/v1"));
  return out;
}

}  // namespace

Value requestAttributes(const AdmissionRequest& request, const MatchedResource& matched, Arena& arena) {
  std::string_view asked = (request.requested ? request.requested : request.resource)->version;
  const api::ResourceInfo& resource = *request.resource;
  std::string_view name = request.name;
  if (name.empty() && request.object) name = (*request.object)["metadata"]["name"].asString();
  Value out = Value::map();
  auto text = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) out.set(arena, key, Value::text(arena, value));
  };
  out.set(arena, "kind", kindOf(request, matched.version, arena));
  out.set(arena, "resource", triple(arena, matched.group, matched.version, matched.plural, "resource"));
  text("subResource", request.subresource);
  out.set(arena, "requestKind", kindOf(request, asked, arena));
  out.set(arena, "requestResource", triple(arena, resource.group, asked, resource.plural, "resource"));
  text("requestSubResource", request.subresource);
  text("name", name);
  text("namespace", request.ns);
  text("operation", operationName(request.operation));
  out.set(arena, "userInfo", request.user ? userValue(*request.user, arena) : Value::map());
  out.set(arena, "dryRun", Value::boolean(request.dryRun));
  out.set(arena, "options", optionsValue(request, arena));
  return out;
}

}  // namespace skiff::apiserver::extension
