// What a command works with: the flags common to all, the connection, and what resources the server has.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/flags.h"
#include "base/result.h"
#include "client/transport.h"
#include "codec/value.h"

namespace skiff::ctl {

using Args = std::vector<std::string>;
using Query = std::vector<std::pair<std::string, std::string>>;
using DocumentPtr = std::shared_ptr<codec::Document>;

struct ApiResource {
  std::string group, version, plural, singular, kind;
  bool namespaced = false;
  std::vector<std::string> shortNames, categories, verbs;
  std::string apiVersion() const;
  std::string path(std::string_view ns, std::string_view name = {}, std::string_view subresource = {}) const;
  std::string display(std::string_view name) const;  // "deployment.apps/web"
};

class Session {
 public:
  // Adds the global flags (--kubeconfig, --context, -n, --server, ...) to `flags`.
  explicit Session(Flags& flags);
  Status connect();  // after the flags were parsed

  const std::string& ns() const { return ns_; }  // -n, or the context's, or "default"
  bool nsGiven() const { return !overrides_.ns.empty(); }
  const client::Config& config() const { return config_; }
  client::Transport& transport() { return *transport_; }

  // JSON documents by path. Errors are those of the server.
  Result<DocumentPtr> get(const std::string& path, Query query = {}, const std::string& accept = {});
  Result<DocumentPtr> send(const std::string& method, const std::string& path, Query query, std::string body,
                           const std::string& contentType = "application/json");
  Result<std::string> text(const std::string& path, Query query = {});

  // Discovery, asked once.
  Result<const std::vector<ApiResource>*> resources();
  Result<ApiResource> find(std::string_view name);  // "po", "deployments.apps", "deploy.v1.apps", "Pod"
  Result<ApiResource> byKind(std::string_view apiVersion, std::string_view kind);
  Result<std::vector<ApiResource>> expand(std::string_view names);  // "pods,svc", "all"

 private:
  client::KubeconfigOverrides overrides_;
  std::string requestTimeout_ = "0", ns_;
  client::Config config_;
  std::unique_ptr<client::Transport> transport_;
  std::vector<ApiResource> resources_;
  bool discovered_ = false;
};

// Prints "error: message" (or "Error from server (Reason): message") and gives 1.
int printError(const Error& error);
// Lines of cells with three spaces between columns, as kubectl.
std::string alignColumns(const std::vector<std::vector<std::string>>& rows);

// Objects named on the command line or in files.
struct Target {
  ApiResource resource;
  std::string ns, name;
  DocumentPtr manifest;  // from a file; null for those named
};
// "pods", "pods a b", "pod/a svc/b": names may be empty (all of the resource).
Result<std::vector<Target>> targetsOf(Session& session, const Args& args);
// Files, directories, "-" and http-less paths of -f; with recursion off.
Result<std::vector<DocumentPtr>> readManifests(const std::vector<std::string>& files, bool recursive);
Result<std::vector<Target>> targetsOfManifests(Session& session, const std::vector<DocumentPtr>& manifests);

// -o: json, yaml, name, wide, jsonpath=..., custom-columns=...; "" prints the server's table.
Result<std::string> printObject(const codec::Value& object, const std::string& output);
bool isObjectOutput(std::string_view output);  // not a table

}  // namespace skiff::ctl
