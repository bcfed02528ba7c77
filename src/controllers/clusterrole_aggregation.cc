// Fills cluster roles that have an aggregationRule with the rules of all roles it selects.
#include "api/selectors.h"
#include "controllers/registry.h"
#include "gen/rbac_v1.h"

namespace skiff::controllers {
namespace {

using api::rbac::v1::ClusterRole;
using api::rbac::v1::PolicyRule;

class ClusterRoleAggregation final : public Controller {
 public:
  explicit ClusterRoleAggregation(Context& context)
      : Controller(context, "clusterrole-aggregation", 1), roles_(context.informers.of<ClusterRole>()) {
    // Any role may be part of any aggregated one; there are few of these.
    roles_.addHandler([this](const std::shared_ptr<const ClusterRole>&) {
      for (const auto& role : roles_.list())
        if (role->aggregationRule) queue().add(role->metadata.name);
    });
  }

  Result<client::Requeue> reconcile(const std::string& key) override {
    auto role = roles_.getByKey(key);
    if (!role || !role->aggregationRule) return done();
    auto all = roles_.list();
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->metadata.name < b->metadata.name; });
    std::vector<PolicyRule> rules;
    for (const auto& selector : role->aggregationRule->clusterRoleSelectors) {
      auto matcher = TRY(api::LabelSelector::fromTyped(selector));
      for (const auto& other : all) {
        if (other->metadata.name == key || !matcher.matches(other->metadata.labels)) continue;
        for (const PolicyRule& rule : other->rules) {
          bool known = std::any_of(rules.begin(), rules.end(), [&](const PolicyRule& r) { return api::equal(r, rule); });
          if (!known) rules.push_back(rule);
        }
      }
    }
    ClusterRole updated = *role;
    updated.rules = std::move(rules);
    if (api::equal(updated, *role)) return done();
    auto written = ctx_.client->update(updated);
    if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    return done();
  }

 private:
  client::Informer<ClusterRole> roles_;
};

}  // namespace

std::unique_ptr<Controller> createClusterRoleAggregationController(Context& context) {
  return std::make_unique<ClusterRoleAggregation>(context);
}

}  // namespace skiff::controllers
