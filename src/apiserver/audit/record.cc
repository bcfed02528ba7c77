#include "apiserver/audit/record.h"

#include <algorithm>

#include "apiserver/exchange.h"
#include "base/strings.h"
#include "codec/json.h"
#include "codec/yaml.h"

namespace skiff::apiserver::audit {
namespace {

using codec::Value;

void member(std::string& out, std::string_view key) {
  if (out.back() != '{') out += ',';
  codec::writeJsonString(out, key);
  out += ':';
}

void text(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  member(out, key);
  codec::writeJsonString(out, value);
}

void list(std::string& out, std::string_view key, const std::vector<std::string>& values) {
  if (values.empty()) return;
  member(out, key);
  out += '[';
  for (const std::string& value : values) {
    if (out.back() != '[') out += ',';
    codec::writeJsonString(out, value);
  }
  out += ']';
}

void removeManagedFields(Value& object) {
  if (Value* metadata = object.find("metadata")) metadata->erase("managedFields");
  if (Value* items = object.find("items"))
    for (Value& item : items->items())
      if (Value* metadata = item.find("metadata")) metadata->erase("managedFields");
}

std::string hostOf(std::string_view address) {
  if (address.starts_with('[')) return std::string(address.substr(1, address.find(']') - 1));
  size_t colon = address.rfind(':');
  return std::string(colon == std::string_view::npos ? address : address.substr(0, colon));
}

}  // namespace

// The proxies' word first, then the peer, each once.
std::vector<std::string> sourceAddresses(const net::Request& request) {
  std::vector<std::string> out;
  for (std::string_view part : splitNonEmpty(request.headers.get("x-forwarded-for"), ',')) out.emplace_back(trim(part));
  if (std::string real(trim(request.headers.get("x-real-ip"))); !real.empty() && std::ranges::find(out, real) == out.end())
    out.push_back(std::move(real));
  // Callers in the process have no peer: they are on this machine.
  std::string peer = request.peer.remoteAddress.empty() ? "127.0.0.1" : hostOf(request.peer.remoteAddress);
  if (out.empty() || out.back() != peer) out.push_back(std::move(peer));
  return out;
}

std::string Record::shown(const Value& object) const {
  if (!decision.omitManagedFields) return codec::toJson(object);
  codec::Arena arena;
  Value copy = object.clone(arena);
  removeManagedFields(copy);
  return codec::toJson(copy);
}

void Record::setRequest(const Value& object) {
  const Value& metadata = object["metadata"];
  ns_ = metadata["namespace"].str();
  name_ = metadata["name"].str();
  uid_ = metadata["uid"].str();
  resourceVersion_ = metadata["resourceVersion"].str();
  if (wantsRequest()) request_ = shown(object);
}

void Record::setRawRequest(std::string_view body) {
  if (!wantsRequest() || trim(body).empty()) return;
  codec::Arena arena;
  auto parsed = codec::parseJson(body, arena);
  if (!parsed.ok()) parsed = codec::parseYaml(body, arena);  // patches of server-side apply
  if (parsed.ok()) request_ = shown(*parsed);
}

void Record::setResponse(const Value& object) {
  if (wantsResponse()) response_ = shown(object);
}

void Record::setResponseJson(std::string_view json) {
  if (!wantsResponse()) return;
  codec::Arena arena;
  if (auto parsed = codec::parseJson(json, arena); parsed.ok()) response_ = shown(*parsed);
}

void Record::setStatus(const Value& status) {
  codec::Arena arena;
  Value copy = Value::map();
  for (const auto& each : status.members())
    if (each.key != "kind" && each.key != "apiVersion") copy.append(arena, each.key, each.value);
  status_ = codec::toJson(copy);
}

void Record::writeUser(std::string& out, const UserInfo& who) const {
  out += '{';
  text(out, "username", who.name);
  text(out, "uid", who.uid);
  list(out, "groups", who.groups);
  if (!who.extra.empty()) {
    member(out, "extra");
    out += '{';
    for (const auto& [key, values] : who.extra) list(out, key, values);
    out += '}';
  }
  out += '}';
}

// `resolved`: with what only the request's object tells.
void Record::writeObjectRef(std::string& out, const Exchange& exchange, bool resolved) const {
  const RequestInfo& info = exchange.info;
  member(out, "objectRef");
  out += '{';
  text(out, "resource", info.resource);
  text(out, "namespace", info.ns.empty() && resolved ? std::string_view(ns_) : std::string_view(info.ns));
  text(out, "name", info.name.empty() && resolved ? std::string_view(name_) : std::string_view(info.name));
  if (resolved) text(out, "uid", uid_);
  text(out, "apiGroup", info.group);
  text(out, "apiVersion", info.version);
  if (resolved) text(out, "resourceVersion", resourceVersion_);
  text(out, "subresource", info.subresource);
  out += '}';
}

std::string Record::event(const Exchange& exchange, Stage stage, int status, WallTime now, Objects objects) const {
  const net::Request& request = exchange.request();
  bool answered = stage != Stage::RequestReceived;
  std::string out = "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\"";
  text(out, "level", levelName(decision.level));
  text(out, "auditID", exchange.auditId);
  text(out, "stage", stageName(stage));
  text(out, "requestURI", request.query.empty() ? request.path : concat(request.path, '?', request.query));
  text(out, "verb", exchange.info.verb);
  member(out, "user");
  writeUser(out, user);
  if (answered && exchange.user.name != user.name && !user.name.empty()) {
    member(out, "impersonatedUser");
    writeUser(out, exchange.user);
  }
  list(out, "sourceIPs", sourceAddresses(request));
  text(out, "userAgent", request.headers.get("user-agent"));
  if (exchange.info.isResource) writeObjectRef(out, exchange, answered);
  if (answered) {
    member(out, "responseStatus");
    // A Status says its code only where the answer does.
    if (status_.empty()) out += concat("{\"metadata\":{},\"code\":", status, '}');
    else if (status_.find("\"code\":") != std::string::npos) out += status_;
    else out += concat(std::string_view(status_).substr(0, status_.size() - 1), ",\"code\":", status, '}');
  }
  if (objects == Objects::Shown && (stage == Stage::ResponseComplete || stage == Stage::Panic)) {
    if (!request_.empty()) member(out, "requestObject"), out += request_;
    if (!response_.empty()) member(out, "responseObject"), out += response_;
  }
  text(out, "requestReceivedTimestamp", formatRfc3339Micro(received));
  text(out, "stageTimestamp", formatRfc3339Micro(now));
  std::map<std::string, std::string> told = answered ? annotations : std::map<std::string, std::string>();
  if (objects == Objects::Left) told["audit.k8s.io/truncated"] = "true";
  if (!told.empty()) {
    member(out, "annotations");
    out += '{';
    for (const auto& [key, value] : told) {
      member(out, key);
      codec::writeJsonString(out, value);
    }
    out += '}';
  }
  return out + '}';
}

std::string Record::legacyLine(const Exchange& exchange, Stage stage, int status, WallTime now) const {
  const net::Request& request = exchange.request();
  std::vector<std::string> groups;
  for (const std::string& group : user.groups) groups.push_back(quoted(group));
  bool impersonates = stage != Stage::RequestReceived && exchange.user.name != user.name && !user.name.empty();
  std::string answer = stage == Stage::RequestReceived ? "<deferred>" : std::to_string(status);
  std::string_view ns = exchange.info.ns.empty() ? std::string_view("<none>") : std::string_view(exchange.info.ns);
  return concat(formatRfc3339Micro(now), " AUDIT: id=", quoted(exchange.auditId), " stage=", quoted(stageName(stage)), " ip=",
                quoted(sourceAddresses(request).front()), " method=", quoted(exchange.info.verb), " user=",
                quoted(user.name.empty() ? "<none>" : user.name), " groups=", quoted(groups.empty() ? "<none>" : join(groups, ",")),
                " as=", quoted(impersonates ? exchange.user.name : "<self>"), " asgroups=", quoted(impersonates ? join(exchange.user.groups, ",") : "<lookup>"),
                " user-agent=", quoted(request.headers.get("user-agent")), " namespace=", quoted(ns), " uri=",
                quoted(request.query.empty() ? request.path : concat(request.path, '?', request.query)), " response=", quoted(answer));
}

}  // namespace skiff::apiserver::audit
