#include "ctl/session.h"

#include <algorithm>
#include <cstdio>

#include "base/strings.h"
#include "codec/json.h"
#include "net/body.h"

namespace skiff::ctl {
namespace {

using codec::Value;

std::vector<std::string> strings(const Value& list) {
  std::vector<std::string> out;
  for (const auto& item : list.items()) out.push_back(item.str());
  return out;
}

void addGroup(const Value& group, std::vector<ApiResource>& out) {
  for (const auto& version : group["versions"].items())
    for (const auto& r : version["resources"].items()) {
      ApiResource resource;
      resource.group = group["metadata"]["name"].str();
      resource.version = version["version"].str();
      resource.plural = r["resource"].str();
      resource.singular = r["singularResource"].str();
      resource.kind = r["responseKind"]["kind"].str();
      resource.namespaced = r["scope"].asString() == "Namespaced";
      resource.shortNames = strings(r["shortNames"]);
      resource.categories = strings(r["categories"]);
      resource.verbs = strings(r["verbs"]);
      out.push_back(std::move(resource));
    }
}

}  // namespace

std::string ApiResource::apiVersion() const { return group.empty() ? version : concat(group, "/", version); }

std::string ApiResource::path(std::string_view ns, std::string_view name, std::string_view subresource) const {
  std::string out = group.empty() ? concat("/api/", version) : concat("/apis/", group, "/", version);
  if (namespaced && !ns.empty()) out += concat("/namespaces/", percentEncode(ns));
  out += concat("/", plural);
  if (!name.empty()) out += concat("/", percentEncode(name));
  if (!subresource.empty()) out += concat("/", subresource);
  return out;
}

std::string ApiResource::display(std::string_view name) const {
  auto base = singular.empty() ? toLower(kind) : singular;
  return group.empty() ? concat(base, "/", name) : concat(base, ".", group, "/", name);
}

Session::Session(Flags& flags) {
  flags.text("kubeconfig", &overrides_.path, "path to the kubeconfig file")
      .text("context", &overrides_.context, "kubeconfig context to use")
      .text("cluster", &overrides_.cluster, "kubeconfig cluster to use")
      .text("user", &overrides_.user, "kubeconfig user to use")
      .text("namespace", &overrides_.ns, "namespace of this request", 'n')
      .text("server", &overrides_.server, "address of the API server", 's')
      .text("token", &overrides_.token, "bearer token")
      .text("certificate-authority", &overrides_.caFile, "CA of the server")
      .text("client-certificate", &overrides_.certFile, "client certificate")
      .text("client-key", &overrides_.keyFile, "client key")
      .text("tls-server-name", &overrides_.tlsServerName, "name in the server's certificate")
      .text("as", &overrides_.asUser, "user to impersonate")
      .array("as-group", &overrides_.asGroups, "group to impersonate")
      .boolean("insecure-skip-tls-verify", &overrides_.insecure, "do not check the server's certificate")
      .text("request-timeout", &requestTimeout_, "how long to wait for one request");
}

Status Session::connect() {
  config_ = TRY(client::loadKubeconfig(overrides_));
  config_.userAgent = "kubectl/v1.37 (skiff)";
  ns_ = config_.defaultNamespace;
  transport_ = TRY(client::httpTransport(config_));
  return okStatus();
}

Result<DocumentPtr> Session::get(const std::string& path, Query query, const std::string& accept) {
  auto response = TRY(transport_->raw({.method = "GET", .path = path, .query = std::move(query), .accept = accept}));
  return codec::parseJsonDocument(net::bodyText(response));
}

Result<DocumentPtr> Session::send(const std::string& method, const std::string& path, Query query, std::string body,
                                  const std::string& contentType) {
  auto response = TRY(transport_->raw({.method = method, .path = path, .query = std::move(query),
                                       .rawBody = std::move(body), .contentType = contentType}));
  return codec::parseJsonDocument(net::bodyText(response));
}

Result<std::string> Session::text(const std::string& path, Query query) {
  auto response = TRY(transport_->raw({.method = "GET", .path = path, .query = std::move(query), .accept = "*/*"}));
  return net::bodyText(response);
}

Result<const std::vector<ApiResource>*> Session::resources() {
  if (discovered_) return &resources_;
  const std::string accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  for (const char* path : {"/api", "/apis"}) {
    auto document = TRY(get(path, {}, accept));
    for (const auto& group : document->root["items"].items()) addGroup(group, resources_);
  }
  discovered_ = true;
  return &resources_;
}

Result<ApiResource> Session::find(std::string_view name) {
  auto* all = TRY(resources());
  // "deployments.v1.apps", "deployments.apps", "deployments"
  std::string wanted = toLower(name.substr(0, name.find('.')));
  std::string_view rest = name.find('.') == name.npos ? "" : name.substr(name.find('.') + 1);
  auto named = [&](const ApiResource& r) {
    return r.plural == wanted || r.singular == wanted || toLower(r.kind) == wanted ||
           std::find(r.shortNames.begin(), r.shortNames.end(), wanted) != r.shortNames.end();
  };
  for (const auto& r : *all)
    if (named(r) && (rest.empty() || rest == r.group || rest == concat(r.version, ".", r.group))) return r;
  return badRequest(concat("the server doesn't have a resource type ", quoted(name)));
}

Result<ApiResource> Session::byKind(std::string_view apiVersion, std::string_view kind) {
  auto* all = TRY(resources());
  for (const auto& r : *all)
    if (r.kind == kind && r.apiVersion() == apiVersion) return r;
  return badRequest(concat("resource mapping not found: no matches for kind ", quoted(kind), " in version ",
                           quoted(apiVersion), "\nensure CRDs are installed first"));
}

Result<std::vector<ApiResource>> Session::expand(std::string_view names) {
  std::vector<ApiResource> out;
  for (auto name : splitNonEmpty(names, ',')) {
    auto* all = TRY(resources());
    size_t before = out.size();
    for (const auto& r : *all)
      if (std::find(r.categories.begin(), r.categories.end(), name) != r.categories.end() &&
          std::find(r.verbs.begin(), r.verbs.end(), "list") != r.verbs.end())
        out.push_back(r);
    if (out.size() == before) out.push_back(TRY(find(name)));
  }
  return out;
}

int printError(const Error& error) {
  bool fromServer = error.reason() != Reason::BadRequest && error.reason() != Reason::Unknown && error.details();
  if (fromServer) {
    std::fprintf(stderr, "Error from server (%s): %s\n", std::string(reasonText(error.reason())).c_str(),
                 error.message().c_str());
  } else {
    std::fprintf(stderr, "error: %s\n", error.message().c_str());
  }
  return 1;
}

std::string alignColumns(const std::vector<std::vector<std::string>>& rows) {
  // Width in characters, not bytes.
  auto width = [](std::string_view text) {
    return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
  };
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], width(row[i]));
    }
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] + 3 - width(row[i]), ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace skiff::ctl
