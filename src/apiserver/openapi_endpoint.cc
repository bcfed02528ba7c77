#include "apiserver/openapi_endpoint.h"

#include "apiserver/crd.h"
#include "apiserver/status.h"
#include "base/strings.h"
#include "pki/x509.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr std::string_view kV3 = "/openapi/v3";
constexpr std::string_view kGitVersion = "v1.37.2";

// What the documents are made from, with the map that keeps it alive.
struct Served {
  ResourceMapPtr map;
  RemoteApisPtr remote;
  std::vector<api::OpenApiVersion> versions;
  std::vector<api::OpenApiPart> parts;  // of aggregated servers
};

Served servedNow(const Resources& resources, const RemoteApiTable& remote) {
  Served served;
  served.map = resources.current();
  served.remote = remote.current();
  for (const RemoteVersion& version : served.remote->versions)
    if (version.documents && version.documents->openApiV2)
      served.parts.push_back({concat("/apis/", version.service.group, "/", version.service.version, "/"),
                              &version.documents->openApiV2->root});
  for (const ServedGroup& group : served.map->groups()) {
    for (const ServedVersion& version : group.versions) {
      api::OpenApiVersion& out = served.versions.emplace_back();
      out.group = version.group;
      out.version = version.version;
      for (const ServedPtr& resource : version.resources) {
        out.resources.push_back(resource->info);
        if (resource->customVersion)
          out.customSchemas.emplace(std::string(resource->info->kind), resource->customVersion->openApiSchema);
      }
    }
  }
  return served;
}

// Names a document's content: what is built in changes with the program's schema only, custom kinds with their definitions.
std::string hashOf(const Served& served, std::string_view name) {
  std::string text = concat(kGitVersion, ' ', api::kSchemaFingerprint, '\n', name, '\n');
  for (const ServedGroup& group : served.map->groups())
    for (const ServedVersion& version : group.versions)
      for (const ServedPtr& resource : version.resources) {
        if (name != "v2" && name != concat("apis/", group.name) && name != concat("apis/", group.name, '/', version.version) &&
            name != "apis")
          continue;
        text += concat(resource->info->plural, ' ', resource->custom ? resource->custom->definitionVersion() : "", '\n');
      }
  if (name == "v2")
    for (const RemoteVersion& version : served.remote->versions)
      if (version.documents) text += concat(version.service.name, ' ', version.documents->openApiV2Hash, '\n');
  return hexEncode(pki::sha256(text));
}

// The aggregated server that has the v3 document of that name; null: it is ours, or nobody's.
const RemoteVersion* remoteOf(const RemoteApis& remote, std::string_view name) {
  for (const RemoteVersion& version : remote.versions)
    if (version.documents && name == concat("apis/", version.service.group, "/", version.service.version) &&
        version.documents->openApiV3.contains(std::string(name)))
      return &version;
  return nullptr;
}

// A server's own address of its document, said in ours: only the query, which is the content's hash, is its business.
std::string remoteUrl(const RemoteVersion& version, const std::string& name) {
  const std::string& url = version.documents->openApiV3.at(name);
  size_t query = url.find('?');
  return concat(kV3, '/', name, query == std::string::npos ? "" : url.substr(query));
}

constexpr std::string_view kJson = "application/json";
// Go's parser of media types refuses the old name with an @, which clients still ask for: answers carry the other.
constexpr std::string_view kProtobufV2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
constexpr std::string_view kOldProtobufV2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

// The form that the client likes best; "" when it takes neither.
std::string_view formOf(const Exchange& exchange, bool v3) {
  auto clauses = parseAccept(join(exchange.request().headers.all("accept"), ","));
  if (clauses.empty()) return kJson;
  for (const MediaClause& clause : clauses) {
    if (clause.type == kJson || clause.type == "*/*" || clause.type == "application/*") return kJson;
    if (!v3 && (clause.type == kProtobufV2 || clause.type == kOldProtobufV2)) return kProtobufV2;
  }
  return {};
}

void respond(Exchange& exchange, std::string body, std::string_view type, const std::string& etag,
             std::string_view cacheControl) {
  net::Response response;
  response.headers = exchange.headers(type);
  if (!cacheControl.empty()) response.headers.set("cache-control", cacheControl);
  response.headers.add("etag", etag);
  response.headers.add("vary", "Accept");
  if (exchange.request().headers.get("if-none-match") == etag) response.status = 304;
  else response.body.emplace_back(std::move(body));
  exchange.respond(std::move(response));
}

}  // namespace

bool OpenApiEndpoint::serve(const ExchangePtr& exchange) {
  std::string path = exchange->request().path;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  bool v3 = path == kV3 || path.starts_with(concat(kV3, '/'));
  if (path != "/openapi/v2" && !v3) return false;
  if (v3 && path != kV3) {
    RemoteApisPtr remote = aggregator_.table().current();
    if (const RemoteVersion* version = remoteOf(*remote, path.substr(kV3.size() + 1)))
      return aggregator_.servePath(exchange, version->service, path, exchange->request().query);
  }
  std::string_view form = formOf(*exchange, v3);
  if (form.empty()) {
    exchange->fail({Reason::NotAcceptable, "406: Not Acceptable\n\nAvailable representations: application/json", ErrorDetails{}});
    return true;
  }
  bool taken = workers_.submit([this, exchange, path, v3, form] {
    if (!v3) return serveV2(*exchange, form);
    if (path == kV3) return serveIndex(*exchange);
    serveV3(*exchange, path.substr(kV3.size() + 1));
  });
  if (!taken) exchange->fail(tooManyRequests("Too many requests, please try again later.", 1));
  return true;
}

void OpenApiEndpoint::serveV2(Exchange& exchange, std::string_view form) {
  Served served = servedNow(resources_, aggregator_.table());
  std::string etag = concat('"', hashOf(served, "v2"), '"');
  if (exchange.request().headers.get("if-none-match") == etag) return respond(exchange, "", form, etag, "");
  api::OpenApiInfo info{std::string(kGitVersion)};
  std::string body = form == kJson ? api::openApiV2(served.versions, info, served.parts)
                                   : api::openApiV2Protobuf(served.versions, info, served.parts);
  respond(exchange, std::move(body), form, etag, "");
}

void OpenApiEndpoint::serveIndex(Exchange& exchange) {
  Served served = servedNow(resources_, aggregator_.table());
  codec::Arena arena;
  Value paths = Value::map();
  for (const std::string& name : api::openApiV3Names(served.versions)) {
    Value entry = Value::map();
    entry.set(arena, "serverRelativeURL", Value::text(arena, concat(kV3, '/', name, "?hash=", hashOf(served, name))));
    paths.set(arena, name, entry);
  }
  for (const RemoteVersion& version : served.remote->versions) {
    std::string name = concat("apis/", version.service.group, "/", version.service.version);
    if (!remoteOf(*served.remote, name)) continue;
    Value entry = Value::map();
    entry.set(arena, "serverRelativeURL", Value::text(arena, remoteUrl(version, name)));
    paths.set(arena, name, entry);
  }
  Value out = Value::map();
  out.set(arena, "paths", paths);
  exchange.value(200, out, nullptr);
}

void OpenApiEndpoint::serveV3(Exchange& exchange, const std::string& name) {
  Served served = servedNow(resources_, aggregator_.table());
  std::vector<std::string> names = api::openApiV3Names(served.versions);
  if (std::ranges::find(names, name) == names.end()) return exchange.text(404, "404 page not found\n");
  std::string hash = hashOf(served, name), etag = concat('"', hash, '"');
  // A URL with its document's hash may be kept for ever; another hash is answered by the way to the right one.
  std::string_view asked = exchange.query.get("hash");
  if (!asked.empty() && asked != hash) {
    net::Response response;
    response.status = 301;
    response.headers = exchange.headers("");
    response.headers.add("location", concat(kV3, '/', name, "?hash=", hash));
    return exchange.respond(std::move(response));
  }
  if (exchange.request().headers.get("if-none-match") == etag) return respond(exchange, "", kJson, etag, "");
  auto body = api::openApiV3(served.versions, name, {std::string(kGitVersion)});
  if (!body.ok()) return exchange.fail(body.error());
  respond(exchange, std::move(body).value(), kJson, etag, asked.empty() ? "" : "public, immutable");
}

}  // namespace skiff::apiserver
