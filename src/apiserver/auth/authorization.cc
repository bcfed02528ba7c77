// May they: the superuser group, then each authorizer of the chain; the first with an opinion decides.
#include <algorithm>

#include "apiserver/auth/authentication.h"
#include "apiserver/auth/node_authorizer.h"
#include "apiserver/auth/rbac.h"
#include "apiserver/security.h"
#include "base/strings.h"

namespace skiff::apiserver {

namespace {

class SuperuserAuthorizer final : public Authorizer {
 public:
  Verdict authorize(const UserInfo& user, const RequestInfo&) override {
    bool master = std::ranges::find(user.groups, "system:masters") != user.groups.end();
    return {master ? Decision::Allow : Decision::NoOpinion, ""};
  }
};

class FixedAuthorizer final : public Authorizer {
 public:
  explicit FixedAuthorizer(Verdict verdict) : verdict_(std::move(verdict)) {}
  Verdict authorize(const UserInfo&, const RequestInfo&) override { return verdict_; }

 private:
  Verdict verdict_;
};

class ChainAuthorizer final : public Authorizer, public RuleLister {
 public:
  ChainAuthorizer(std::vector<std::unique_ptr<Authorizer>> parts,
                  std::shared_ptr<rbac::Resolver> resolver, bool rulesAreAll)
      : parts_(std::move(parts)), resolver_(std::move(resolver)), rulesAreAll_(rulesAreAll) {}

  Verdict authorize(const UserInfo& user, const RequestInfo& request) override {
    std::vector<std::string> reasons;
    for (auto& part : parts_) {
      Verdict verdict = part->authorize(user, request);
      if (verdict.decision != Decision::NoOpinion) return verdict;
      if (!verdict.reason.empty()) reasons.push_back(std::move(verdict.reason));
    }
    return {Decision::NoOpinion, join(reasons, "\n")};
  }

  bool listRules(const UserInfo& user, std::string_view ns, rbac::Rules& rules) override {
    if (resolver_ != nullptr) rules = resolver_->rulesFor(user, ns);
    return rulesAreAll_ && nodeNameOf(user).empty();
  }

 private:
  std::vector<std::unique_ptr<Authorizer>> parts_;
  std::shared_ptr<rbac::Resolver> resolver_;  // null without RBAC
  const bool rulesAreAll_;
};

}  // namespace

std::unique_ptr<Authorizer> makeAuthorizer(const SecurityOptions& options,
                                           const ClusterReader& cluster) {
  std::vector<std::unique_ptr<Authorizer>> parts;
  std::shared_ptr<rbac::Resolver> resolver;
  bool rulesAreAll = true;
  parts.push_back(std::make_unique<SuperuserAuthorizer>());
  for (const std::string& mode : options.authorizationModes) {
    if (mode == "Node") {
      parts.push_back(std::make_unique<NodeAuthorizer>(cluster));
    } else if (mode == "RBAC") {
      resolver = std::make_shared<rbac::Resolver>(cluster);
      parts.push_back(std::make_unique<rbac::RbacAuthorizer>(resolver));
    } else if (mode == "AlwaysAllow") {
      parts.push_back(std::make_unique<FixedAuthorizer>(Verdict{Decision::Allow, ""}));
      rulesAreAll = false;
    } else if (mode == "AlwaysDeny") {
      parts.push_back(std::make_unique<FixedAuthorizer>(
          Verdict{Decision::NoOpinion, "Everything is forbidden."}));
    }
  }
  return std::make_unique<ChainAuthorizer>(std::move(parts), std::move(resolver), rulesAreAll);
}

}  // namespace skiff::apiserver
