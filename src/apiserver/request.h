// What is known of a request on its way: who asks (authn), for what (request info), and what authorization and admission
// look at.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema.h"
#include "base/result.h"
#include "codec/value.h"
#include "net/http.h"

namespace skiff::apiserver {

class CustomResource;  // crd.h

struct UserInfo {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
};

// Parsed from method, path and query as upstream's request info: verbs get list watch create update patch delete
// deletecollection (or the lower-case method for paths outside resources).
struct RequestInfo {
  bool isResource = false;
  std::string path;
  std::string verb;
  std::string group, version, resource, subresource, ns, name;
  std::vector<std::string> parts;  // of the path below the version
  std::string fieldSelector, labelSelector;
};
RequestInfo parseRequestInfo(const net::Request& request);

enum class Decision { Allow, Deny, NoOpinion };
struct Verdict {
  Decision decision = Decision::NoOpinion;
  std::string reason;
  std::string error = {};  // why somebody who should have been asked was not: without a permission, the request fails for it
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // Reads its configuration; before the first request.
  virtual Status start() { return okStatus(); }
  virtual void stop() {}  // no more waiting for others
  // nullopt: no credentials of a known kind (anonymous or 401, by the chain's end). An Error: wrong credentials (401).
  // May block: others are asked about tokens.
  virtual Result<std::optional<UserInfo>> authenticate(const net::Request& request) = 0;
  // The same if it is known without asking anybody; nullopt: authenticate() would wait, and belongs on a worker.
  virtual std::optional<Result<std::optional<UserInfo>>> tryAuthenticate(const net::Request& request) { return authenticate(request); }
};

class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual Status start() { return okStatus(); }
  virtual void stop() {}
  virtual Verdict authorize(const UserInfo& user, const RequestInfo& request) = 0;  // may block: webhooks
  // The verdict if it is known without asking anybody; nullopt: authorize() would wait, and belongs on a worker.
  virtual std::optional<Verdict> tryAuthorize(const UserInfo& user, const RequestInfo& request) { return authorize(user, request); }
};

enum class Operation { Create, Update, Delete, Connect };
// "CREATE" ..., as rules, reviews and metrics spell them.
inline std::string_view operationName(Operation operation) {
  constexpr std::string_view kNames[] = {"CREATE", "UPDATE", "DELETE", "CONNECT"};
  return kNames[size_t(operation)];
}

// One request as admission plug-ins and strategies see it. Objects are conformed and defaulted value trees; `object` may
// be edited by mutating plug-ins with `arena`.
struct AdmissionRequest {
  const UserInfo* user = nullptr;
  Operation operation = Operation::Create;
  const api::ResourceInfo* resource = nullptr;  // also of custom resources
  std::string_view subresource;
  std::string_view ns, name;
  codec::Value* object = nullptr;           // null for Delete
  const codec::Value* oldObject = nullptr;  // null for Create
  const codec::Value* options = nullptr;    // DeleteOptions etc. as a tree, may be null
  bool dryRun = false;
  codec::Arena* arena = nullptr;
  std::vector<std::string>* warnings = nullptr;  // answered as Warning headers
  std::string_view traceparent;  // W3C trace context of the client's request, passed on to webhooks
  std::map<std::string, std::string>* auditAnnotations = nullptr;  // told to the audit log; null when nobody wants them
  // In the version that the client asked for; `resource` is in the one that is stored, as the objects are. Null: the same.
  const api::ResourceInfo* requested = nullptr;
  const CustomResource* custom = nullptr;  // that `resource` is of; null: built in
  // Brings an object that a plug-in has replaced back into its kind's form: pruned and defaulted. May be empty.
  std::function<Status(codec::Value&)> reform;
  // Webhooks and policies may change what plug-ins before them decided by: if one asks, all mutating plug-ins run a second
  // time, and never a third.
  bool reinvoke = false, isReinvocation = false;
  std::map<std::string, uint64_t> reinvocable;  // hash of the object as a webhook left it, by webhook
};

class AdmissionPlugin {
 public:
  virtual ~AdmissionPlugin() = default;
  virtual std::string_view name() const = 0;
  // Runs on a worker; may block (webhooks).
  virtual Status mutate(AdmissionRequest&) { return okStatus(); }
  virtual Status validate(const AdmissionRequest&) { return okStatus(); }
};

class ServiceClaims;

// What plug-ins, authorizers and strategies may read of the cluster: live objects straight from memory, no informers.
class ClusterReader {
 public:
  virtual ~ClusterReader() = default;
  // Objects as trees kept alive by the pointer. group "" is core. Null when absent.
  virtual codec::DocumentPtr get(std::string_view group, std::string_view resource, std::string_view ns,
                                 std::string_view name) const = 0;
  virtual std::vector<codec::DocumentPtr> list(std::string_view group, std::string_view resource,
                                               std::string_view ns) const = 0;
  // A number that changes with every write to that resource: for caches built from list().
  virtual int64_t version(std::string_view group, std::string_view resource) const = 0;
  // Writes through the registry as the server itself (ResourceQuota usage, allocations); expected resourceVersion in
  // the object's metadata.
  virtual Status update(std::string_view group, std::string_view resource, std::string_view subresource,
                        codec::DocumentPtr object) = 0;
  // What services take must be agreed on with the other servers of the store; null: there are none.
  virtual ServiceClaims* serviceClaims() const { return nullptr; }
};

}  // namespace skiff::apiserver
