// What a kubelet may do: its own node, and what the pods bound to it need.
// https://kubernetes.io/docs/reference/access-authn-authz/node/
#pragma once
#include <string_view>

#include "apiserver/auth/rbac_rules.h"

namespace skiff::apiserver {

// "" when the user is no node: name system:node:NAME in group system:nodes.
std::string_view nodeNameOf(const UserInfo& user);

class NodeAuthorizer final : public Authorizer {
 public:
  explicit NodeAuthorizer(const ClusterReader& cluster);
  Verdict authorize(const UserInfo& user, const RequestInfo& request) override;

 private:
  Verdict authorizeReference(std::string_view node, const RequestInfo& request) const;
  Verdict authorizeNodeObject(std::string_view node, const RequestInfo& request) const;
  Verdict authorizeCertificateRequest(std::string_view node, const RequestInfo& request) const;
  Verdict authorizePod(std::string_view node, const RequestInfo& request) const;
  bool podsReference(std::string_view node, const RequestInfo& request) const;

  const ClusterReader& cluster_;
  const rbac::Rules rules_;  // of the role system:node
};

// Does the pod use that secret, config map, claim or service account?
bool podReferences(const codec::Value& pod, std::string_view resource, std::string_view name);

}  // namespace skiff::apiserver
