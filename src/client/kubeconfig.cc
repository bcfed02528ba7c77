// https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/strings.h"
#include "client/transport.h"
#include "codec/json.h"
#include "codec/yaml.h"

namespace skiff::client {
namespace {

using codec::Value;

Result<std::string> readFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error(Reason::NotFound, concat("open ", path, ": no such file or directory"));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct File {
  std::string directory;  // relative paths inside start here
  std::shared_ptr<codec::Document> document;
};

std::vector<std::string> candidatePaths(const KubeconfigOverrides& overrides) {
  if (!overrides.path.empty()) return {overrides.path};
  if (const char* list = std::getenv("KUBECONFIG"); list && *list) {
    std::vector<std::string> paths;
    for (auto path : splitNonEmpty(list, ':')) paths.emplace_back(path);
    return paths;
  }
  const char* home = std::getenv("HOME");
  return {concat(home ? home : "", "/.kube/config")};
}

// The first file that names an entry wins.
struct Found {
  const Value* entry = nullptr;
  std::string directory;
};
Found findNamed(const std::vector<File>& files, std::string_view list, std::string_view name, std::string_view body) {
  for (const auto& file : files)
    for (const auto& item : file.document->root[list].items())
      if (item["name"].asString() == name) return {item.find(body), file.directory};
  return {};
}

// "x-data" (base64) or the file "x".
Result<std::string> dataOrFile(const Found& found, std::string_view name) {
  if (!found.entry) return std::string();
  if (auto data = (*found.entry)[concat(name, "-data")].asString(); !data.empty()) {
    auto decoded = base64Decode(data);
    if (!decoded) return badRequest(concat("unable to decode ", name, "-data"));
    return *decoded;
  }
  auto path = (*found.entry)[name].asString();
  if (path.empty()) return std::string();
  return readFile(path.starts_with('/') ? std::string(path) : concat(found.directory, "/", path));
}

Result<Config> inCluster() {
  constexpr std::string_view kDirectory = "/var/run/secrets/kubernetes.io/serviceaccount/";
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (!host || !port) return Error(Reason::NotFound, "no configuration has been provided");
  Config config;
  std::string_view name = host;
  config.server = name.find(':') != name.npos ? concat("https://[", name, "]:", std::string_view(port))
                                              : concat("https://", name, ":", std::string_view(port));
  config.caPem = TRY(readFile(concat(kDirectory, "ca.crt")));
  config.tokenFile = concat(kDirectory, "token");
  if (auto ns = readFile(concat(kDirectory, "namespace")); ns.ok()) config.defaultNamespace = *ns;
  return config;
}

Status applyOverrides(const KubeconfigOverrides& o, Config& config) {
  if (!o.server.empty()) config.server = o.server;
  if (!o.token.empty()) config.token = o.token;
  if (!o.caFile.empty()) config.caPem = TRY(readFile(o.caFile));
  if (!o.certFile.empty()) config.certPem = TRY(readFile(o.certFile));
  if (!o.keyFile.empty()) config.keyPem = TRY(readFile(o.keyFile));
  if (!o.tlsServerName.empty()) config.tlsServerName = o.tlsServerName;
  if (!o.ns.empty()) config.defaultNamespace = o.ns;
  if (o.insecure) config.insecure = true;
  if (!o.asUser.empty()) config.asUser = o.asUser;
  if (!o.asGroups.empty()) config.asGroups = o.asGroups;
  return okStatus();
}

Status readUser(const Found& user, Config& config) {
  config.certPem = TRY(dataOrFile(user, "client-certificate"));
  config.keyPem = TRY(dataOrFile(user, "client-key"));
  if (!user.entry) return okStatus();
  const Value& entry = *user.entry;
  config.token = entry["token"].str();
  if (auto path = entry["tokenFile"].asString(); !path.empty())
    config.tokenFile = path.starts_with('/') ? std::string(path) : concat(user.directory, "/", path);
  config.username = entry["username"].str();
  config.password = entry["password"].str();
  config.asUser = entry["as"].str();
  for (const auto& group : entry["as-groups"].items()) config.asGroups.push_back(group.str());
  return okStatus();
}

}  // namespace

Result<Config> loadKubeconfig(const KubeconfigOverrides& overrides) {
  std::vector<File> files;
  for (const auto& path : candidatePaths(overrides)) {
    auto text = readFile(path);
    if (!text.ok()) {
      if (!overrides.path.empty()) return std::move(text).error();
      continue;
    }
    auto documents = TRY(codec::parseYamlStream(*text));
    if (documents.empty()) continue;
    auto slash = path.rfind('/');
    files.push_back({slash == std::string::npos ? "." : path.substr(0, slash), documents.front()});
  }
  Config config;
  std::string context = overrides.context;
  for (const auto& file : files)
    if (context.empty()) context = file.document->root["current-context"].str();
  if (files.empty() || context.empty()) {
    if (auto inside = inCluster(); inside.ok()) config = *inside;
    if (config.server.empty()) config.server = "http://localhost:8080";
    TRY(applyOverrides(overrides, config));
    return config;
  }
  auto chosen = findNamed(files, "contexts", context, "context");
  if (!chosen.entry) return badRequest(concat("context ", quoted(context), " does not exist"));
  auto clusterName = overrides.cluster.empty() ? (*chosen.entry)["cluster"].str() : overrides.cluster;
  auto userName = overrides.user.empty() ? (*chosen.entry)["user"].str() : overrides.user;
  if (auto ns = (*chosen.entry)["namespace"].str(); !ns.empty()) config.defaultNamespace = ns;
  auto cluster = findNamed(files, "clusters", clusterName, "cluster");
  if (!cluster.entry) return badRequest(concat("cluster ", quoted(clusterName), " does not exist"));
  config.server = (*cluster.entry)["server"].str();
  config.insecure = (*cluster.entry)["insecure-skip-tls-verify"].asBool();
  config.tlsServerName = (*cluster.entry)["tls-server-name"].str();
  config.caPem = TRY(dataOrFile(cluster, "certificate-authority"));
  TRY(readUser(findNamed(files, "users", userName, "user"), config));
  TRY(applyOverrides(overrides, config));
  return config;
}

std::string writeKubeconfig(const Config& config, std::string_view clusterName, std::string_view userName) {
  codec::Arena arena;
  auto text = [&](std::string_view s) { return Value::text(arena, s); };
  Value cluster, user, context;
  cluster.set(arena, "server", text(config.server));
  if (!config.caPem.empty()) cluster.set(arena, "certificate-authority-data", text(base64Encode(config.caPem)));
  if (!config.certPem.empty()) {
    user.set(arena, "client-certificate-data", text(base64Encode(config.certPem)));
    user.set(arena, "client-key-data", text(base64Encode(config.keyPem)));
  }
  if (!config.token.empty()) user.set(arena, "token", text(config.token));
  context.set(arena, "cluster", text(clusterName));
  context.set(arena, "user", text(userName));
  auto named = [&](std::string_view name, std::string_view body, Value value) {
    Value item, list;
    item.set(arena, "name", text(name));
    item.set(arena, body, value);
    list.push(arena, item);
    return list;
  };
  Value root;
  root.set(arena, "apiVersion", text("v1"));
  root.set(arena, "kind", text("Config"));
  root.set(arena, "clusters", named(clusterName, "cluster", cluster));
  root.set(arena, "contexts", named(clusterName, "context", context));
  root.set(arena, "users", named(userName, "user", user));
  root.set(arena, "current-context", text(clusterName));
  return codec::toYaml(root);
}

}  // namespace skiff::client
