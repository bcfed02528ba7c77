// Role based access control: an index of all bindings by subject, made again when roles or bindings have changed.
#pragma once
#include <memory>
#include <mutex>
#include <unordered_map>

#include "apiserver/auth/rbac_rules.h"
#include "base/strings.h"

namespace skiff::apiserver::rbac {

class Index;

// One role that a user holds somewhere.
struct Grant {
  std::shared_ptr<const Rules> rules;
  std::string ns;       // "" in every namespace and outside of them
  std::string because;  // `ClusterRoleBinding "x" of ClusterRole "y" to Group "z"`
};
// All that a user holds; in the order of the bindings' names, cluster-wide ones first.
struct Grants {
  std::vector<Grant> cluster;
  std::unordered_map<std::string, std::vector<Grant>, StringHash, std::equal_to<>> byNamespace;
  std::vector<std::string> errors;  // bindings of roles that do not exist
};

// Thread safe. Lookups cost a hash of the user; the grants of recent users are kept until a role or binding changes.
class Resolver {
 public:
  explicit Resolver(const ClusterReader& cluster) : cluster_(cluster) {}
  std::shared_ptr<const Grants> grantsOf(const UserInfo& user);
  // The rules of a role reference; nullptr when there is no such role.
  std::shared_ptr<const Rules> roleRules(std::string_view kind, std::string_view ns,
                                         std::string_view name);
  // Everything the user may do in a namespace ("": cluster-wide only).
  Rules rulesFor(const UserInfo& user, std::string_view ns);

 private:
  std::shared_ptr<const Index> index();

  const ClusterReader& cluster_;
  std::mutex mutex_;  // guards what follows
  std::shared_ptr<const Index> index_;
  std::unordered_map<std::string, std::shared_ptr<const Grants>> users_;
};

class RbacAuthorizer final : public Authorizer {
 public:
  explicit RbacAuthorizer(std::shared_ptr<Resolver> resolver) : resolver_(std::move(resolver)) {}
  Verdict authorize(const UserInfo& user, const RequestInfo& request) override;

 private:
  std::shared_ptr<Resolver> resolver_;
};

inline constexpr std::string_view kGroup = "rbac.authorization.k8s.io";
inline constexpr std::string_view kServiceAccountPrefix = "system:serviceaccount:";

}  // namespace skiff::apiserver::rbac
