// PodDisruptionBudgets: how many pods may be evicted right now.
// https://kubernetes.io/docs/tasks/run-application/configure-pdb/
#include "api/selectors.h"
#include "base/strings.h"
#include "controllers/controller_ref.h"
#include "controllers/pod_util.h"
#include "controllers/registry.h"
#include "controllers/resource_catalog.h"
#include "gen/apps_v1.h"
#include "gen/autoscaling_v1.h"
#include "gen/policy_v1.h"

namespace skiff::controllers {
namespace {

using api::policy::v1::PodDisruptionBudget;
using client::Requeue;

constexpr seconds kEvictionGrace{120};  // an approved eviction whose deletion was never seen no longer counts

api::LabelSelector selectorOf(const PodDisruptionBudget& pdb) {
  if (!pdb.spec.selector) return api::LabelSelector::nothing();
  auto made = api::LabelSelector::fromTyped(*pdb.spec.selector);
  return made.ok() ? std::move(made).value() : api::LabelSelector::nothing();
}

class DisruptionController final : public Controller {
 public:
  explicit DisruptionController(Context& context)
      : Controller(context, "disruption", 1),
        budgets_(context.informers.of<PodDisruptionBudget>()),
        pods_(context.informers.of<Pod>()),
        replicaSets_(context.informers.of<api::apps::v1::ReplicaSet>()),
        catalog_(context.informers.of<CustomResourceDefinition>()),
        recorder_(context.recorder("controllermanager")) {
    enqueueOwnKeys(budgets_);
    auto look = [this](const PodPtr& pod) {
      for (const auto& pdb : budgets_.list(pod->metadata.namespace_))
        if (selectorOf(*pdb).matches(pod->metadata.labels)) queue().add(keyOf(*pdb));
    };
    pods_.addHandler({.onAdd = look,
                      .onUpdate = [look](const PodPtr& before, const PodPtr& now) {
                        if (before->metadata.labels != now->metadata.labels) look(before);
                        look(now);
                      },
                      .onDelete = look});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto pdb = budgets_.getByKey(key);
    if (!pdb) return done();
    auto pods = pods_.list(pdb->metadata.namespace_, selectorOf(*pdb));
    std::erase_if(pods, [](const PodPtr& pod) { return isTerminal(*pod); });
    if (pods.empty()) recorder_.record(*pdb, "Normal", "NoPods", "No matching pods found");
    auto numbers = expected(*pdb, pods);
    if (!numbers.ok()) {
      recorder_.record(*pdb, "Warning", "CalculateExpectedPodCountFailed",
                       concat("Failed to calculate the number of expected pods: ", numbers.error().message()));
      TRY(failSafe(*pdb, numbers.error().message()));
      return std::move(numbers).error();
    }
    return write(*pdb, pods, *numbers);
  }

 private:
  struct Numbers {
    int32_t expectedPods = 0, desiredHealthy = 0;
  };

  Result<Numbers> expected(const PodDisruptionBudget& pdb, const std::vector<PodPtr>& pods) {
    Numbers out;
    if (pdb.spec.maxUnavailable) {
      out.expectedPods = TRY(expectedScale(pdb, pods));
      auto down = api::scaledValue(*pdb.spec.maxUnavailable, out.expectedPods, true);
      if (!down) return badRequest("invalid value for IntOrString: invalid value " + skiff::quoted(pdb.spec.maxUnavailable->text));
      out.desiredHealthy = std::max(0, out.expectedPods - *down);
      return out;
    }
    if (!pdb.spec.minAvailable) {
      out.expectedPods = int32_t(pods.size());
      return out;
    }
    if (!pdb.spec.minAvailable->isString) {
      out.desiredHealthy = pdb.spec.minAvailable->number;
      out.expectedPods = int32_t(pods.size());
      return out;
    }
    out.expectedPods = TRY(expectedScale(pdb, pods));
    auto up = api::scaledValue(*pdb.spec.minAvailable, out.expectedPods, true);
    if (!up) return badRequest("invalid value for IntOrString: invalid value " + skiff::quoted(pdb.spec.minAvailable->text));
    out.desiredHealthy = *up;
    return out;
  }

  // The sum of the wanted replicas of all controllers of the pods, each asked through its scale subresource.
  Result<int32_t> expectedScale(const PodDisruptionBudget& pdb, const std::vector<PodPtr>& pods) {
    std::map<std::string, int32_t> scales;  // by uid
    for (const auto& pod : pods) {
      const OwnerReference* ref = controllerOf(pod->metadata);
      if (ref == nullptr) continue;  // upstream leaves such pods out of the sum, with an event
      OwnerReference owner = *ref;
      if (owner.kind == "ReplicaSet") {
        auto rs = replicaSets_.get(pod->metadata.namespace_, owner.name);
        const OwnerReference* parent = rs && rs->metadata.uid == owner.uid ? controllerOf(rs->metadata) : nullptr;
        if (parent != nullptr) owner = *parent;
      }
      if (scales.contains(owner.uid)) continue;
      auto resource = catalog_.ofKind(owner.apiVersion, owner.kind);
      if (!resource) return internalError(concat("found no controllers for pod ", skiff::quoted(pod->metadata.name)));
      api::ObjectPtr live = TRY(ctx_.client->transport().call(
          {.method = "GET", .path = resource->path(pdb.metadata.namespace_, owner.name, "scale")}));
      scales[owner.uid] = int32_t(live->root()["spec"]["replicas"].asInt());
    }
    int32_t sum = 0;
    for (const auto& [uid, replicas] : scales) sum += replicas;
    return sum;
  }

  Result<Requeue> write(const PodDisruptionBudget& pdb, const std::vector<PodPtr>& pods, const Numbers& numbers) {
    WallTime now = ctx_.clock.now();
    PodDisruptionBudget updated = pdb;
    auto& status = updated.status;
    std::optional<milliseconds> recheck;
    std::map<std::string, api::Time> disrupted;
    int32_t healthy = 0;
    for (const auto& pod : pods) {
      if (isTerminating(*pod)) continue;  // the eviction was carried out
      auto known = pdb.status.disruptedPods.find(pod->metadata.name);
      if (known != pdb.status.disruptedPods.end()) {
        auto left = known->second.value + kEvictionGrace - now;
        if (left > microseconds(0)) {
          disrupted[pod->metadata.name] = known->second;
          auto wait = std::chrono::ceil<milliseconds>(left);
          if (!recheck || wait < *recheck) recheck = wait;
          continue;
        }
        recorder_.record(*pod, "Warning", "NotDeleted", "Pod was expected by PDB " + keyOf(pdb) + " to be deleted but it wasn't");
      }
      healthy += isReady(*pod);
    }
    status.disruptedPods = std::move(disrupted);
    status.currentHealthy = healthy;
    status.desiredHealthy = numbers.desiredHealthy;
    status.expectedPods = numbers.expectedPods;
    status.disruptionsAllowed = numbers.expectedPods > 0 ? std::max(0, healthy - numbers.desiredHealthy) : 0;
    status.observedGeneration = pdb.metadata.generation;
    bool allowed = status.disruptionsAllowed > 0;
    setAllowed(updated, allowed ? "True" : "False", allowed ? "SufficientPods" : "InsufficientPods", "");
    TRY(writeIfChanged(pdb, updated));
    return again(recheck.value_or(milliseconds(0)));
  }

  void setAllowed(PodDisruptionBudget& pdb, std::string_view value, std::string_view reason, std::string_view message) {
    setCondition(pdb.status.conditions, "DisruptionAllowed", value, reason, message, ctx_.clock.now());
    for (auto& condition : pdb.status.conditions)
      if (condition.type == "DisruptionAllowed") condition.observedGeneration = pdb.metadata.generation;
  }

  // Not knowing the numbers, no disruption is allowed.
  Status failSafe(const PodDisruptionBudget& pdb, const std::string& message) {
    PodDisruptionBudget updated = pdb;
    updated.status.disruptionsAllowed = 0;
    updated.status.observedGeneration = pdb.metadata.generation;
    setAllowed(updated, "False", "SyncFailed", message);
    return writeIfChanged(pdb, updated);
  }

  Status writeIfChanged(const PodDisruptionBudget& before, const PodDisruptionBudget& updated) {
    if (api::equal(before.status, updated.status)) return okStatus();
    auto written = ctx_.client->updateStatus(updated);
    if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    return okStatus();
  }

  client::Informer<PodDisruptionBudget> budgets_;
  client::Informer<Pod> pods_;
  client::Informer<api::apps::v1::ReplicaSet> replicaSets_;
  ResourceCatalog catalog_;
  client::EventRecorder& recorder_;
};

}  // namespace

std::unique_ptr<Controller> createDisruptionController(Context& context) {
  return std::make_unique<DisruptionController>(context);
}

}  // namespace skiff::controllers
