// May they: the superuser group, then each authorizer of the chain; the first with an opinion decides.
#include <algorithm>
#include <mutex>

#include "apiserver/auth/abac.h"
#include "apiserver/auth/authentication.h"
#include "apiserver/auth/authorization_configuration.h"
#include "apiserver/auth/config_file.h"
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

// One state of the configuration.
struct Chain {
  std::vector<std::unique_ptr<Authorizer>> parts;
  std::shared_ptr<rbac::Resolver> resolver;  // null without RBAC
  const AbacAuthorizer* abac = nullptr;
  bool hasNode = false, hasWebhook = false, allowsAll = false;

  template <class Ask>
  std::optional<Verdict> ask(Ask ask) const {
    std::vector<std::string> reasons, errors;
    for (const auto& part : parts) {
      std::optional<Verdict> verdict = ask(*part);
      if (!verdict || verdict->decision != Decision::NoOpinion) return verdict;
      if (!verdict->reason.empty()) reasons.push_back(std::move(verdict->reason));
      if (!verdict->error.empty()) errors.push_back(std::move(verdict->error));
    }
    return Verdict{Decision::NoOpinion, join(reasons, "\n"), errors.size() > 1 ? concat("[", join(errors, ", "), "]") : join(errors, "")};
  }

  KnownRules rulesOf(const UserInfo& user, std::string_view ns) const {
    KnownRules out;
    if (resolver) out.rules = resolver->rulesFor(user, ns);
    auto add = [&](rbac::Rules more) { std::ranges::move(more, std::back_inserter(out.rules)); };
    if (abac) add(abac->rulesFor(user, ns));
    if (allowsAll) {
      add({{.verbs = {"*"}, .apiGroups = {"*"}, .resources = {"*"}, .resourceNames = {}, .nonResourceUrls = {}},
           {.verbs = {"*"}, .apiGroups = {}, .resources = {}, .resourceNames = {}, .nonResourceUrls = {"*"}}});
    }
    std::vector<std::string_view> missing;
    if (hasNode && !nodeNameOf(user).empty()) missing.push_back("node authorizer does not support user rule resolution");
    if (hasWebhook) missing.push_back("webhook authorizer does not support user rule resolution");
    out.problem = missing.size() > 1 ? concat("[", join(missing, ", "), "]") : join(missing, "");
    return out;
  }
};

class ConfiguredAuthorizer final : public Authorizer, public RuleLister {
 public:
  ConfiguredAuthorizer(const SecurityOptions& options, const ClusterReader& cluster) : options_(options), cluster_(cluster) {
    // What needs no files works at once.
    if (auto chain = make(authorizersOfFlags(options_)); chain.ok()) chain_ = *std::move(chain);
  }

  Status start() override {
    if (options_.authorization.configFile.empty()) {
      use(TRY(make(authorizersOfFlags(options_))));
      return okStatus();
    }
    file_ = TRY(ReloadedFile::start(options_.authorization.configFile, [this](const std::string& text) { return apply(text); }));
    return okStatus();
  }

  void stop() override {
    for (const auto& part : chain()->parts) part->stop();
  }

  Verdict authorize(const UserInfo& user, const RequestInfo& request) override {
    return *chain()->ask([&](Authorizer& part) { return std::optional(part.authorize(user, request)); });
  }
  std::optional<Verdict> tryAuthorize(const UserInfo& user, const RequestInfo& request) override {
    return chain()->ask([&](Authorizer& part) { return part.tryAuthorize(user, request); });
  }
  KnownRules listRules(const UserInfo& user, std::string_view ns) override { return chain()->rulesOf(user, ns); }

 private:
  std::shared_ptr<const Chain> chain() const {
    std::lock_guard lock(mutex_);
    return chain_;
  }
  void use(std::shared_ptr<const Chain> chain) {
    std::lock_guard lock(mutex_);
    chain_.swap(chain);
  }

  Status apply(std::string_view text) {
    auto specs = TRY(parseAuthorizationConfiguration(text));
    use(TRY(make(specs)));
    return okStatus();
  }

  Result<std::shared_ptr<const Chain>> make(const std::vector<AuthorizerSpec>& specs) const {
    auto chain = std::make_shared<Chain>();
    chain->parts.push_back(std::make_unique<SuperuserAuthorizer>());
    for (const AuthorizerSpec& spec : specs) TRY(add(*chain, spec));
    return std::shared_ptr<const Chain>(std::move(chain));
  }

  Status add(Chain& chain, const AuthorizerSpec& spec) const {
    if (spec.type == "Node") {
      chain.hasNode = true;
      chain.parts.push_back(std::make_unique<NodeAuthorizer>(cluster_));
    } else if (spec.type == "RBAC") {
      chain.resolver = std::make_shared<rbac::Resolver>(cluster_);
      chain.parts.push_back(std::make_unique<rbac::RbacAuthorizer>(chain.resolver));
    } else if (spec.type == "Webhook") {
      chain.hasWebhook = true;
      chain.parts.push_back(TRY(webhookOf(spec)));
    } else if (spec.type == "ABAC") {
      auto abac = TRY(AbacAuthorizer::fromFile(options_.authorization.policyFile));
      chain.abac = abac.get();
      chain.parts.push_back(std::move(abac));
    } else if (spec.type == "AlwaysAllow") {
      chain.allowsAll = true;
      chain.parts.push_back(std::make_unique<FixedAuthorizer>(Verdict{Decision::Allow, ""}));
    } else if (spec.type == "AlwaysDeny") {
      chain.parts.push_back(std::make_unique<FixedAuthorizer>(Verdict{Decision::NoOpinion, "Everything is forbidden."}));
    } else {
      return Error(Reason::Invalid, concat("unknown authorization mode ", quoted(spec.type)));
    }
    return okStatus();
  }

  Result<std::unique_ptr<Authorizer>> webhookOf(const AuthorizerSpec& spec) const {
    if (!options_.readKubeconfig) return internalError("kubeconfig files cannot be read here");
    WebhookServer server = TRY(options_.readKubeconfig(spec.kubeconfig));
    auto webhook = TRY(ReviewWebhook::create({.server = std::move(server), .timeout = spec.timeout}));
    AccessWebhook::Options options = spec.webhook;
    options.clock = options_.clock;
    return std::unique_ptr<Authorizer>(std::make_unique<AccessWebhook>(std::move(webhook), std::move(options)));
  }

  const SecurityOptions options_;
  const ClusterReader& cluster_;
  mutable std::mutex mutex_;  // guards chain_
  std::shared_ptr<const Chain> chain_ = std::make_shared<const Chain>();
  std::unique_ptr<ReloadedFile> file_;  // last: its thread calls use()
};

}  // namespace

std::unique_ptr<Authorizer> makeAuthorizer(const SecurityOptions& options, const ClusterReader& cluster) {
  return std::make_unique<ConfiguredAuthorizer>(options, cluster);
}

}  // namespace skiff::apiserver
