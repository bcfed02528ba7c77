// --authorization-policy-file: attribute based access control, a JSON object a line, read once.
// https://kubernetes.io/docs/reference/access-authn-authz/abac/
#pragma once
#include <string>
#include <vector>

#include "apiserver/auth/rbac_rules.h"
#include "apiserver/request.h"

namespace skiff::apiserver {

class AbacAuthorizer final : public Authorizer {
 public:
  static Result<std::unique_ptr<AbacAuthorizer>> fromFile(const std::string& path);
  Verdict authorize(const UserInfo& user, const RequestInfo& request) override;
  rbac::Rules rulesFor(const UserInfo& user, std::string_view ns) const;

 private:
  // "*" is any; an empty user and group is nobody, an empty place is none.
  struct Policy {
    std::string user, group, ns, apiGroup, resource, path;
    bool readonly = false;
    bool isOf(const UserInfo& who) const;
    bool covers(const RequestInfo& request) const;
  };
  std::vector<Policy> policies_;
};

}  // namespace skiff::apiserver
