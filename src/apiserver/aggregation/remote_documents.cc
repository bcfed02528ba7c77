#include "apiserver/aggregation/remote_documents.h"

#include "base/strings.h"
#include "codec/json.h"
#include "net/body.h"
#include "pki/x509.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

constexpr milliseconds kDiscoveryTimeout{10000};
constexpr milliseconds kOpenApiTimeout{15000};  // servers build the document when it is first asked for
// Beyond these sizes a document is no description of an API; upstream's own OpenAPI is 4 MiB.
constexpr size_t kMaxDiscoveryBytes = 16 * 1024 * 1024;
constexpr size_t kMaxOpenApiBytes = 64 * 1024 * 1024;
constexpr std::string_view kAggregatedAccept =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

Result<codec::DocumentPtr> readJson(const ApiService& service, RemoteServers& servers, std::string_view path,
                                    std::string_view accept, milliseconds timeout, size_t maxBytes) {
  net::Response answer = TRY(servers.get(service, path, accept, timeout));
  if (answer.status != 200)
    return Error(answer.status == 404 ? Reason::NotFound : Reason::ServiceUnavailable,
                 concat("bad status from ", path, ": ", answer.status));
  std::string text = net::bodyText(answer);
  if (text.size() > maxBytes) return Error(Reason::ServiceUnavailable, concat("the answer to ", path, " is too large"));
  auto document = TRY(codec::parseJsonDocument(text));
  return codec::DocumentPtr(std::move(document));
}

// From the server's aggregated discovery; null when it has none.
codec::DocumentPtr aggregatedResources(const ApiService& service, RemoteServers& servers) {
  auto all = readJson(service, servers, "/apis", kAggregatedAccept, kDiscoveryTimeout, kMaxDiscoveryBytes);
  if (!all.ok() || (*all)->root["kind"].asString() != "APIGroupDiscoveryList") return nullptr;
  for (const Value& group : (*all)->root["items"].items()) {
    if (group["metadata"]["name"].asString() != service.group) continue;
    for (const Value& version : group["versions"].items())
      if (version["version"].asString() == service.version) return codec::cloneDocument(version["resources"]);
  }
  return nullptr;
}

Result<codec::DocumentPtr> readResources(const ApiService& service, RemoteServers& servers) {
  if (auto aggregated = aggregatedResources(service, servers)) return aggregated;
  std::string path = concat("/apis/", service.group, "/", service.version);
  auto list = TRY(readJson(service, servers, path, "application/json", kDiscoveryTimeout, kMaxDiscoveryBytes));
  auto document = std::make_shared<codec::Document>();
  document->root = discoveryOf(list->root, service, document->arena);
  return codec::DocumentPtr(std::move(document));
}

void readOpenApiV2(RemoteDocuments& out, const ApiService& service, RemoteServers& servers, const RemoteDocuments* before) {
  std::string_view known = before ? std::string_view(before->openApiV2Etag) : "";
  auto answer = servers.get(service, "/openapi/v2", "application/json", kOpenApiTimeout, known);
  if (!answer.ok()) return;
  if (answer->status == 304 && before) {
    out.openApiV2 = before->openApiV2;
    out.openApiV2Hash = before->openApiV2Hash;
    out.openApiV2Etag = before->openApiV2Etag;
    return;
  }
  std::string text = net::bodyText(*answer);
  if (answer->status != 200 || text.size() > kMaxOpenApiBytes) return;
  auto document = codec::parseJsonDocument(text);
  if (!document.ok()) return;
  out.openApiV2 = std::move(document).value();
  out.openApiV2Hash = hexEncode(pki::sha256(text));
  out.openApiV2Etag = std::string(answer->headers.get("etag"));
}

Value kindOf(const Value& resource, const ApiService& service, Arena& arena) {
  auto orOwn = [](std::string_view said, std::string_view own) { return said.empty() ? own : said; };
  Value kind = Value::map();
  kind.set(arena, "group", Value::text(arena, orOwn(resource["group"].asString(), service.group)));
  kind.set(arena, "version", Value::text(arena, orOwn(resource["version"].asString(), service.version)));
  kind.set(arena, "kind", Value::text(arena, resource["kind"].asString()));
  return kind;
}

void copyMembers(Value& to, const Value& from, std::initializer_list<std::string_view> keys, Arena& arena) {
  for (std::string_view key : keys)
    if (const Value* value = from.find(key)) to.set(arena, key, value->clone(arena));
}

}  // namespace

bool RemoteDocuments::sameAs(const RemoteDocuments& other) const {
  auto same = [](const codec::DocumentPtr& a, const codec::DocumentPtr& b) { return a && b ? a->root == b->root : a == b; };
  return same(resources, other.resources) && openApiV2Hash == other.openApiV2Hash && openApiV3 == other.openApiV3;
}

Value discoveryOf(const Value& resourceList, const ApiService& service, Arena& arena) {
  Value out = Value::list();
  for (const Value& resource : resourceList["resources"].items()) {
    if (resource["name"].asString().find('/') != std::string_view::npos) continue;
    Value entry = Value::map();
    entry.set(arena, "resource", Value::text(arena, resource["name"].asString()));
    entry.set(arena, "responseKind", kindOf(resource, service, arena));
    entry.set(arena, "scope", Value::string(resource["namespaced"].asBool() ? "Namespaced" : "Cluster"));
    entry.set(arena, "singularResource", Value::text(arena, resource["singularName"].asString()));
    copyMembers(entry, resource, {"verbs", "shortNames", "categories"}, arena);
    std::string prefix = concat(resource["name"].asString(), "/");
    for (const Value& sub : resourceList["resources"].items()) {
      if (!sub["name"].asString().starts_with(prefix)) continue;
      Value one = Value::map();
      one.set(arena, "subresource", Value::text(arena, sub["name"].asString().substr(prefix.size())));
      one.set(arena, "responseKind", kindOf(sub, service, arena));
      copyMembers(one, sub, {"verbs"}, arena);
      entry.child(arena, "subresources").push(arena, one);
    }
    out.push(arena, entry);
  }
  return out;
}

Result<std::shared_ptr<const RemoteDocuments>> readRemoteDocuments(const ApiService& service, RemoteServers& servers,
                                                                   const RemoteDocuments* before) {
  auto out = std::make_shared<RemoteDocuments>();
  out->resources = TRY(readResources(service, servers));
  readOpenApiV2(*out, service, servers, before);
  auto v3 = readJson(service, servers, "/openapi/v3", "application/json", kOpenApiTimeout, kMaxDiscoveryBytes);
  if (v3.ok())
    for (const codec::Member& path : (*v3)->root["paths"].members())
      out->openApiV3.emplace(std::string(path.key), path.value["serverRelativeURL"].str());
  return std::shared_ptr<const RemoteDocuments>(std::move(out));
}

}  // namespace skiff::apiserver
