#include "apiserver/discovery.h"

#include "apiserver/group_views.h"
#include "apiserver/status.h"
#include "base/strings.h"
#include "codec/json.h"
#include "pki/x509.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kAggregatedParameters = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

Value texts(Arena& arena, std::span<const std::string_view> list, bool sorted = false) {
  std::vector<std::string_view> copy(list.begin(), list.end());
  if (sorted) std::ranges::sort(copy);
  Value out = Value::list();
  for (std::string_view text : copy) out.push(arena, Value::string(text));
  return out;
}

Value versionEntry(Arena& arena, const GroupVersionView& version) {
  Value entry = Value::map();
  entry.set(arena, "groupVersion", Value::text(arena, api::apiVersionOf(version.group, version.version)));
  entry.set(arena, "version", Value::text(arena, version.version));
  return entry;
}

Value groupValue(Arena& arena, const GroupView& group) {
  Value out = Value::map();
  out.set(arena, "name", Value::text(arena, group.name));
  Value versions = Value::list();
  for (const GroupVersionView& version : group.versions) versions.push(arena, versionEntry(arena, version));
  out.set(arena, "versions", versions);
  out.set(arena, "preferredVersion", versionEntry(arena, group.versions.front()));
  return out;
}

struct Entry {
  std::string name;
  const ServedResource* resource;
  const api::SubresourceInfo* sub;  // null: the resource itself
};

// Resources and subresources in the order of their full names, as the lists show them.
std::vector<Entry> entriesOf(const ServedVersion& version) {
  std::vector<Entry> entries;
  for (const ServedPtr& resource : version.resources) {
    entries.push_back({std::string(resource->info->plural), resource.get(), nullptr});
    for (const api::SubresourceInfo& sub : resource->info->subresources)
      entries.push_back({concat(resource->info->plural, '/', sub.name), resource.get(), &sub});
  }
  if (!version.resources.front()->custom) std::ranges::sort(entries, {}, &Entry::name);
  return entries;
}

// Of a custom resource: the first eight bytes of SHA-256 of "group/version/kind" in base64, as upstream.
std::string storageHash(const ServedResource& resource) {
  if (!resource.custom) return std::string(resource.info->storageVersionHash);
  const api::ResourceInfo& storage = *resource.storage;
  std::string text = concat(storage.group, '/', storage.version, '/', storage.kind);
  return base64Encode(pki::sha256(text).substr(0, 8));
}

Value entryValue(Arena& arena, const Entry& entry) {
  const api::ResourceInfo& info = *entry.resource->info;
  Value out = Value::map();
  out.set(arena, "name", Value::text(arena, entry.name));
  out.set(arena, "singularName", Value::string(entry.sub ? "" : info.singular));
  out.set(arena, "namespaced", Value::boolean(info.namespaced));
  if (entry.sub) {
    if (entry.sub->group != info.group || entry.sub->version != info.version) {
      if (!entry.sub->group.empty()) out.set(arena, "group", Value::string(entry.sub->group));
      if (!entry.sub->version.empty()) out.set(arena, "version", Value::string(entry.sub->version));
    }
    out.set(arena, "kind", Value::string(entry.sub->kind));
    out.set(arena, "verbs", texts(arena, entry.sub->verbs));
    return out;
  }
  out.set(arena, "kind", Value::string(info.kind));
  out.set(arena, "verbs", texts(arena, info.verbs));
  if (!info.shortNames.empty()) out.set(arena, "shortNames", texts(arena, info.shortNames));
  if (!info.categories.empty()) out.set(arena, "categories", texts(arena, info.categories));
  if (std::string hash = storageHash(*entry.resource); !hash.empty())
    out.set(arena, "storageVersionHash", Value::text(arena, hash));
  return out;
}

Value kindValue(Arena& arena, std::string_view group, std::string_view version, std::string_view kind) {
  Value out = Value::map();
  out.set(arena, "group", Value::string(group));
  out.set(arena, "version", Value::string(version));
  out.set(arena, "kind", Value::string(kind));
  return out;
}

Value aggregatedResource(Arena& arena, const ServedResource& resource) {
  const api::ResourceInfo& info = *resource.info;
  Value out = Value::map();
  out.set(arena, "resource", Value::string(info.plural));
  bool custom = resource.custom != nullptr;
  out.set(arena, "responseKind", kindValue(arena, custom ? info.group : "", custom ? info.version : "", info.kind));
  out.set(arena, "scope", Value::string(info.namespaced ? "Namespaced" : "Cluster"));
  out.set(arena, "singularResource", Value::string(info.singular));
  out.set(arena, "verbs", texts(arena, info.verbs));
  if (!info.shortNames.empty()) out.set(arena, "shortNames", texts(arena, info.shortNames));
  if (!info.categories.empty()) out.set(arena, "categories", texts(arena, info.categories));
  Value subs = Value::list();
  for (const api::SubresourceInfo& sub : info.subresources) {
    Value entry = Value::map();
    entry.set(arena, "subresource", Value::string(sub.name));
    bool own = sub.group == info.group && sub.version == info.version;
    entry.set(arena, "responseKind",
              own && !custom ? kindValue(arena, "", "", sub.kind) : kindValue(arena, sub.group, sub.version, sub.kind));
    entry.set(arena, "verbs", texts(arena, sub.verbs));
    subs.push(arena, entry);
  }
  if (!subs.empty()) out.set(arena, "subresources", subs);
  return out;
}

Value aggregatedVersion(Arena& arena, const GroupVersionView& version) {
  Value entry = Value::map();
  entry.set(arena, "version", Value::text(arena, version.version));
  Value resources = Value::list();
  bool current = true;
  if (version.remote) {
    current = version.remote->service.available && version.remote->documents;
    if (version.remote->documents) resources = version.remote->documents->resources->root.clone(arena);
  } else {
    std::vector<ServedPtr> sorted = version.local->resources;
    std::ranges::sort(sorted, {}, [](const ServedPtr& resource) { return resource->info->plural; });
    for (const ServedPtr& resource : sorted) resources.push(arena, aggregatedResource(arena, *resource));
  }
  entry.set(arena, "resources", resources);
  entry.set(arena, "freshness", Value::string(current ? "Current" : "Stale"));
  return entry;
}

Value aggregatedList(Arena& arena, bool core, const ResourceMap& map, const RemoteApis& remote) {
  Value items = Value::list();
  for (const GroupView& group : groupViews(map, remote)) {
    if (group.name.empty() != core) continue;
    Value metadata = Value::map();
    if (!group.name.empty()) metadata.set(arena, "name", Value::text(arena, group.name));
    Value versions = Value::list();
    for (const GroupVersionView& version : group.versions) versions.push(arena, aggregatedVersion(arena, version));
    Value item = Value::map();
    item.set(arena, "metadata", metadata);
    item.set(arena, "versions", versions);
    items.push(arena, item);
  }
  Value out = Value::map();
  out.set(arena, "kind", Value::string("APIGroupDiscoveryList"));
  out.set(arena, "apiVersion", Value::string("apidiscovery.k8s.io/v2"));
  out.set(arena, "metadata", Value::map());
  out.set(arena, "items", items);
  return out;
}

// The form in which the client takes the aggregated list; nullopt: it wants the plain one.
std::optional<Format> aggregatedFormat(const Exchange& exchange) {
  for (const MediaClause& clause : parseAccept(join(exchange.request().headers.all("accept"), ","))) {
    bool protobuf = clause.type == "application/vnd.kubernetes.protobuf";
    if (clause.type != "application/json" && clause.type != "*/*" && !protobuf) continue;
    if (clause.parameter("as") == "APIGroupDiscoveryList" && clause.parameter("g") == "apidiscovery.k8s.io" &&
        clause.parameter("v") == "v2")
      return protobuf ? Format::Protobuf : Format::Json;
    if (clause.parameter("as").empty()) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

bool Discovery::serve(Exchange& exchange) {
  std::string_view path = exchange.request().path;
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  std::vector<std::string_view> parts = splitNonEmpty(path, '/');
  if (parts.empty()) return false;
  bool core = parts[0] == "api";
  if (!core && parts[0] != "apis") return false;
  if (parts.size() > (core ? 2u : 3u)) return false;
  auto negotiated = negotiate(exchange.request(), exchange.query, "", Protobuf::Offered);
  bool wholeList = parts.size() == 1;
  if (wholeList && aggregated(exchange, core)) return true;
  if (!negotiated.ok()) {
    exchange.fail(negotiated.error());
    return true;
  }
  exchange.out = std::move(negotiated).value();
  ResourceMapPtr map = resources_.current();
  if (wholeList) {
    core ? apiVersions(exchange) : groupList(exchange);
    return true;
  }
  if (core) {
    if (const ServedVersion* version = map->version("", parts[1])) resourceList(exchange, *version);
    else exchange.fail(pathNotFound());
    return true;
  }
  if (parts.size() == 2) {
    group(exchange, parts[1]);
  } else if (!map->group(parts[1])) {
    exchange.text(404, "404 page not found\n");
  } else if (const ServedVersion* version = map->version(parts[1], parts[2])) {
    resourceList(exchange, *version);
  } else {
    exchange.fail(pathNotFound());
  }
  return true;
}

void Discovery::apiVersions(Exchange& exchange) {
  Arena arena;
  Value out = Value::map();
  out.set(arena, "kind", Value::string("APIVersions"));
  Value versions = Value::list();
  versions.push(arena, Value::string("v1"));
  out.set(arena, "versions", versions);
  Value address = Value::map();
  address.set(arena, "clientCIDR", Value::string("0.0.0.0/0"));
  address.set(arena, "serverAddress", Value::string(serverAddress_));
  Value addresses = Value::list();
  addresses.push(arena, address);
  out.set(arena, "serverAddressByClientCIDRs", addresses);
  exchange.value(200, out, api::findType("meta/v1", "APIVersions"));
}

void Discovery::groupList(Exchange& exchange) {
  Arena arena;
  ResourceMapPtr map = resources_.current();
  RemoteApisPtr remote = remote_.current();
  Value out = Value::map();
  out.set(arena, "kind", Value::string("APIGroupList"));
  out.set(arena, "apiVersion", Value::string("v1"));
  Value groups = Value::list();
  for (const GroupView& group : groupViews(*map, *remote))
    if (!group.name.empty()) groups.push(arena, groupValue(arena, group));
  out.set(arena, "groups", groups);
  exchange.value(200, out, api::findType("meta/v1", "APIGroupList"));
}

void Discovery::group(Exchange& exchange, std::string_view name) {
  Arena arena;
  ResourceMapPtr map = resources_.current();
  RemoteApisPtr remote = remote_.current();
  std::vector<GroupView> views = groupViews(*map, *remote);
  auto group = std::ranges::find(views, name, &GroupView::name);
  if (group == views.end()) return exchange.text(404, "404 page not found\n");
  Value value = groupValue(arena, *group);
  Value out = Value::map();
  out.set(arena, "kind", Value::string("APIGroup"));
  out.set(arena, "apiVersion", Value::string("v1"));
  for (const codec::Member& member : std::as_const(value).members()) out.set(arena, member.key, member.value);
  exchange.value(200, out, api::findType("meta/v1", "APIGroup"));
}

void Discovery::resourceList(Exchange& exchange, const ServedVersion& version) {
  Arena arena;
  Value out = Value::map();
  out.set(arena, "kind", Value::string("APIResourceList"));
  if (!version.group.empty()) out.set(arena, "apiVersion", Value::string("v1"));
  out.set(arena, "groupVersion", Value::text(arena, api::apiVersionOf(version.group, version.version)));
  Value resources = Value::list();
  for (const Entry& entry : entriesOf(version)) resources.push(arena, entryValue(arena, entry));
  out.set(arena, "resources", resources);
  exchange.value(200, out, api::findType("meta/v1", "APIResourceList"));
}

bool Discovery::aggregated(Exchange& exchange, bool core) {
  std::optional<Format> format = aggregatedFormat(exchange);
  if (!format) return false;
  bool protobuf = *format == Format::Protobuf;
  Cached cached;
  {
    std::lock_guard lock(mutex_);
    Cached& entry = cached_[core][protobuf];
    ResourceMapPtr map = resources_.current();
    RemoteApisPtr remote = remote_.current();
    if (entry.map != map || entry.remote != remote) {
      Arena arena;
      auto body = encodeDocument(aggregatedList(arena, core, *map, *remote), api::findType("apidiscovery/v2", "APIGroupDiscoveryList"),
                                 *format, false);
      if (!body.ok()) {
        exchange.fail(body.error());
        return true;
      }
      entry.map = map;
      entry.remote = remote;
      entry.body = std::move(body).value();
      entry.etag = concat('"', hexEncode(std::to_string(fnv64a(entry.body.view()))), '"');
    }
    cached = entry;
  }
  net::Response response;
  response.headers = exchange.headers(concat(contentType(*format), kAggregatedParameters));
  response.headers.set("cache-control", "public");
  response.headers.add("etag", cached.etag);
  response.headers.add("vary", "Accept");
  if (exchange.request().headers.get("if-none-match") == cached.etag) {
    response.status = 304;
  } else {
    response.body.push_back(cached.body);
  }
  exchange.respond(std::move(response));
  return true;
}

std::vector<std::string> Discovery::paths() const {
  std::vector<std::string> out{"/api", "/api/v1", "/apis", "/apis/"};
  ResourceMapPtr map = resources_.current();
  RemoteApisPtr remote = remote_.current();
  for (const GroupView& group : groupViews(*map, *remote)) {
    if (group.name.empty()) continue;
    out.push_back(concat("/apis/", group.name));
    for (const GroupVersionView& version : group.versions)
      out.push_back(concat("/apis/", group.name, '/', version.version));
  }
  return out;
}

}  // namespace skiff::apiserver
