// Refuses what would exceed a quota, and counts what does not.
//
// Use is counted in the quota's status by compare and swap: of two creations that both would take the last place one finds
// the status changed and looks again. A creation that fails afterwards stays counted until the quota controller counts anew.
#include "apiserver/admission/plugins.h"
#include "apiserver/admission/quota_usage.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver::admission {

namespace {

using api::Quantity;
using codec::Value;

// So many writers may come in between before the request is told to try again.
constexpr int kMaxAttempts = 16;

std::string shownUsage(const Usage& usage) {
  std::vector<std::string> parts;
  for (const auto& [name, amount] : usage) parts.push_back(concat(name, "=", amount.str()));
  return join(parts, ",");
}

class ResourceQuota final : public AdmissionPlugin {
 public:
  explicit ResourceQuota(ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "ResourceQuota"; }

  Status validate(const AdmissionRequest& request) override {
    bool write = request.operation == Operation::Create || request.operation == Operation::Update;
    if (!write || !request.subresource.empty() || request.ns.empty()) return okStatus();
    for (const auto& quota : cluster_.list("", "resourcequotas", request.ns)) {
      TRY(charge(request, quota));
    }
    return okStatus();
  }

 private:
  Status charge(const AdmissionRequest& request, codec::DocumentPtr quota) {
    Usage wanted = difference(request);
    if (wanted.empty()) return okStatus();
    std::string name = quota->root["metadata"]["name"].str();
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      if (quota == nullptr || !inScope(quota->root["spec"], *request.resource, *request.object)) return okStatus();
      Usage counted = TRY(check(request, quota->root, wanted));
      if (counted.empty() || request.dryRun) return okStatus();
      Status written = cluster_.update("", "resourcequotas", "status", withUse(quota->root, counted));
      if (!written.failedWith(Reason::Conflict)) return written;
      quota = cluster_.get("", "resourcequotas", request.ns, name);
    }
    return Error(Reason::Conflict, concat("Operation cannot be fulfilled on resourcequotas ", quoted(name),
                                          ": the object has been modified; please apply your changes to the latest "
                                          "version and try again"));
  }

  // What the object will use more than now.
  static Usage difference(const AdmissionRequest& request) {
    Usage usage = usageOf(*request.resource, *request.object);
    if (request.operation == Operation::Update) {
      for (const auto& [name, amount] : usageOf(*request.resource, *request.oldObject)) usage[name] -= amount;
    }
    std::erase_if(usage, [](const auto& item) { return item.second.sign() <= 0; });
    return usage;
  }

  // The part of the use that the quota counts, if there is room for it.
  static Result<Usage> check(const AdmissionRequest& request, const Value& quota, const Usage& wanted) {
    const Value& hard = quota["status"]["hard"].isMap() ? quota["status"]["hard"] : quota["spec"]["hard"];
    const Value& used = quota["status"]["used"];
    std::string name = quota["metadata"]["name"].str();
    if (createsPod(request)) {
      auto missing = unstated(hard, (*request.object)["spec"]);
      if (!missing.empty()) {
        return refused(request, concat("failed quota: ", name, ": must specify ", join(missing, "; ")));
      }
    }
    Usage counted, exceededWanted, exceededUsed, exceededHard;
    for (const auto& [resource, amount] : wanted) {
      const Value* limit = hard.find(resource);
      if (limit == nullptr) continue;
      counted[resource] = amount;
      Quantity now = quantityOf(used[resource]), most = quantityOf(*limit);
      if (now + amount <= most) continue;
      exceededWanted[resource] = amount;
      exceededUsed[resource] = now;
      exceededHard[resource] = most;
    }
    if (!exceededWanted.empty()) {
      return refused(request, concat("exceeded quota: ", name, ", requested: ", shownUsage(exceededWanted), ", used: ",
                                     shownUsage(exceededUsed), ", limited: ", shownUsage(exceededHard)));
    }
    return counted;
  }

  static codec::DocumentPtr withUse(const Value& quota, const Usage& counted) {
    auto document = codec::cloneDocument(quota);
    codec::Arena& arena = document->arena;
    Value& status = document->root.child(arena, "status");
    if (status["hard"].isNull()) status.set(arena, "hard", quota["spec"]["hard"].clone(arena));
    Value& used = status.child(arena, "used");
    for (const auto& [resource, amount] : counted) {
      Quantity now = quantityOf(used[resource]) + amount;
      used.set(arena, resource, Value::text(arena, now.str()));
    }
    return document;
  }

  ClusterReader& cluster_;
};

}  // namespace

PluginPtr resourceQuota(ClusterReader& cluster) { return std::make_unique<ResourceQuota>(cluster); }

}  // namespace skiff::apiserver::admission
