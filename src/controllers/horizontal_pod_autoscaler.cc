// Scales a workload by the use of its pods' resources, as metrics.k8s.io reports it. Metrics of other kinds (Pods,
// Object, External) are reported as not available.
#include "api/selectors.h"
#include "base/strings.h"
#include "controllers/controller_ref.h"
#include "controllers/hpa_logic.h"
#include "controllers/registry.h"
#include "controllers/resource_catalog.h"

namespace skiff::controllers {
namespace {

using api::autoscaling::v2::MetricSpec;
using api::autoscaling::v2::MetricStatus;
using api::autoscaling::v2::MetricTarget;
using client::Requeue;

constexpr seconds kPeriod{15};  // upstream's --horizontal-pod-autoscaler-sync-period

struct Scale {
  api::ObjectPtr object;
  std::string path;
  int32_t spec = 0, status = 0;
  std::string selector;
};

class HorizontalPodAutoscalerController final : public Controller {
 public:
  explicit HorizontalPodAutoscalerController(Context& context)
      : Controller(context, "hpa", 2),
        hpas_(context.informers.of<HorizontalPodAutoscaler>()),
        pods_(context.informers.of<Pod>()),
        catalog_(context.informers.of<CustomResourceDefinition>()),
        recorder_(context.recorder("horizontal-pod-autoscaler")) {
    hpas_.addHandler({.onAdd = [this](const auto& hpa) { queue().add(keyOf(*hpa)); },
                      .onUpdate = [this](const auto& before, const auto& now) {
                        if (!api::equal(before->spec, now->spec)) queue().add(keyOf(*now));
                      },
                      .onDelete = [this](const auto& hpa) {
                        std::lock_guard lock(mutex_);
                        histories_.erase(keyOf(*hpa));
                      }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto known = hpas_.getByKey(key);
    if (!known || known->metadata.deletionTimestamp) return done();
    HorizontalPodAutoscaler hpa = *known;
    hpa.status.observedGeneration = hpa.metadata.generation;
    Status status = autoscale(key, hpa);
    if (!api::equal(hpa.status, known->status)) {
      auto written = ctx_.client->updateStatus(hpa);
      if (!written.ok() && !written.failedWith(Reason::NotFound) && !written.failedWith(Reason::Conflict))
        return std::move(written).error();
    }
    (void)status;  // told by the conditions; metrics change without telling, so the next look is due anyway
    return again(kPeriod);
  }

 private:
  bool setCond(HorizontalPodAutoscaler& hpa, std::string_view type, std::string_view value, std::string_view reason,
               std::string_view message) {
    return setCondition(hpa.status.conditions, type, value, reason, message, ctx_.clock.now());
  }

  Result<Scale> readScale(const HorizontalPodAutoscaler& hpa) {
    const auto& ref = hpa.spec.scaleTargetRef;
    auto resource = catalog_.ofKind(ref.apiVersion, ref.kind);
    if (!resource) return internalError(concat("no matches for kind ", skiff::quoted(ref.kind), " in group ", ref.apiVersion));
    Scale scale;
    scale.path = resource->path(hpa.metadata.namespace_, ref.name, "scale");
    scale.object = TRY(ctx_.client->transport().call({.method = "GET", .path = scale.path}));
    scale.spec = int32_t(scale.object->root()["spec"]["replicas"].asInt());
    scale.status = int32_t(scale.object->root()["status"]["replicas"].asInt());
    scale.selector = scale.object->root()["status"]["selector"].str();
    return scale;
  }

  Status autoscale(const std::string& key, HorizontalPodAutoscaler& hpa) {
    auto scale = readScale(hpa);
    if (!scale.ok()) {
      std::string message = "the HPA controller was unable to get the target's current scale: " + scale.error().message();
      setCond(hpa, "AbleToScale", "False", "FailedGetScale", message);
      recorder_.record(hpa, "Warning", "FailedGetScale", scale.error().message());
      return std::move(scale).error();
    }
    setCond(hpa, "AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale");
    int32_t current = scale->spec;
    hpa.status.currentReplicas = scale->status;
    if (current == 0 && hpa.spec.minReplicas.value_or(1) != 0) {
      hpa.status.desiredReplicas = 0;
      setCond(hpa, "ScalingActive", "False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero");
      return okStatus();
    }
    int32_t desired = current;
    std::string reason, limit;
    int32_t least = hpa.spec.minReplicas.value_or(1);
    WallTime now = ctx_.clock.now();
    if (current > hpa.spec.maxReplicas) {
      desired = hpa.spec.maxReplicas;
      reason = "Current number of replicas above Spec.MaxReplicas";
    } else if (current < least) {
      desired = least;
      reason = "Current number of replicas below Spec.MinReplicas";
    } else {
      int32_t proposal = TRY(computeMetrics(hpa, *scale, &reason));
      std::lock_guard lock(mutex_);
      ScaleHistory& history = histories_[key];
      int32_t stable = stabilize(history, hpa, current, proposal, now);
      if (stable != proposal)
        setCond(hpa, "AbleToScale", "True", stable > proposal ? "ScaleDownStabilized" : "ScaleUpStabilized",
                stable > proposal ? "recent recommendations were higher than current one, applying the highest recent recommendation"
                                  : "recent recommendations were lower than current one, applying the lowest recent recommendation");
      else
        setCond(hpa, "AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size");
      desired = limitScale(history, hpa, current, stable, now, &limit);
      if (limit.empty())
        setCond(hpa, "ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range");
      else
        setCond(hpa, "ScalingLimited", "True", limit, limitMessage(limit));
    }
    hpa.status.desiredReplicas = desired;
    if (desired == current) return okStatus();
    TRY(rescale(hpa, *scale, desired, reason));
    std::lock_guard lock(mutex_);
    ScaleHistory& history = histories_[key];
    (desired > current ? history.ups : history.downs).push_back({now, std::abs(desired - current)});
    for (auto* entries : {&history.ups, &history.downs})
      std::erase_if(*entries, [&](const auto& entry) { return entry.at < now - std::chrono::minutes(30); });
    return okStatus();
  }

  static std::string_view limitMessage(std::string_view limit) {
    if (limit == "TooManyReplicas") return "the desired replica count is more than the maximum replica count";
    if (limit == "TooFewReplicas") return "the desired replica count is less than the minimum replica count";
    if (limit == "ScaleUpLimit") return "the desired replica count is increasing faster than the maximum scale rate";
    return "the desired replica count is decreasing faster than the maximum scale rate";
  }

  Status rescale(HorizontalPodAutoscaler& hpa, const Scale& scale, int32_t desired, const std::string& reason) {
    auto document = codec::cloneDocument(scale.object->root());
    document->root.child(document->arena, "spec").set(document->arena, "replicas", codec::Value::integer(desired));
    auto written = ctx_.client->transport().call(
        {.method = "PUT", .path = scale.path, .body = api::Object::fromDocument(std::move(document), scale.object->type())});
    if (!written.ok()) {
      recorder_.record(hpa, "Warning", "FailedRescale",
                       concat("New size: ", desired, "; reason: ", reason, "; error: ", written.error().message()));
      setCond(hpa, "AbleToScale", "False", "FailedUpdateScale",
              "the HPA controller was unable to update the target scale: " + written.error().message());
      return std::move(written).error();
    }
    setCond(hpa, "AbleToScale", "True", "SucceededRescale",
            concat("the HPA controller was able to update the target scale to ", desired));
    recorder_.record(hpa, "Normal", "SuccessfulRescale", concat("New size: ", desired, "; reason: ", reason));
    hpa.status.lastScaleTime = api::Time{ctx_.clock.now()};
    return okStatus();
  }

  // The greatest proposal of all metrics. When one cannot be read, the others may grow the target but not shrink it.
  Result<int32_t> computeMetrics(HorizontalPodAutoscaler& hpa, const Scale& scale, std::string* reason) {
    std::optional<int32_t> best;
    std::optional<Error> failed;
    hpa.status.currentMetrics.clear();
    for (const MetricSpec& spec : hpa.spec.metrics) {
      MetricStatus status;
      std::string what;
      auto answer = computeMetric(hpa, scale, spec, &status, &what);
      if (!answer.ok()) {
        failed = answer.error();
        continue;
      }
      hpa.status.currentMetrics.push_back(std::move(status));
      if (best && *best >= *answer) continue;
      best = *answer;
      *reason = what + (*answer > scale.spec ? " above target" : " below target");
      setCond(hpa, "ScalingActive", "True", "ValidMetricFound",
              "the HPA was able to successfully calculate a replica count from " + what);
    }
    if (failed && (!best || *best < scale.spec)) {
      std::string message = "the HPA was unable to compute the replica count: " + failed->message();
      setCond(hpa, "ScalingActive", "False", "FailedGetResourceMetric", message);
      recorder_.record(hpa, "Warning", "FailedGetResourceMetric", failed->message());
      return std::move(*failed);
    }
    return best.value_or(scale.spec);
  }

  Result<int32_t> computeMetric(const HorizontalPodAutoscaler& hpa, const Scale& scale, const MetricSpec& spec,
                                MetricStatus* status, std::string* what) {
    const MetricTarget* target = nullptr;
    MetricInput input;
    if (spec.type == "Resource" && spec.resource) {
      target = &spec.resource->target;
      input.resource = spec.resource->name;
      *what = input.resource + " resource";
    } else if (spec.type == "ContainerResource" && spec.containerResource) {
      target = &spec.containerResource->target;
      input.resource = spec.containerResource->name;
      input.container = spec.containerResource->container;
      *what = concat(input.resource, " container resource");
    } else {
      return internalError(concat("metrics of type ", spec.type, " are not supported"));
    }
    *what += target->averageUtilization ? " utilization (percentage of request)" : "";
    input.currentReplicas = scale.spec;
    input.utilization = target->averageUtilization;
    if (target->averageValue) input.averageMilli = target->averageValue->milliValue();
    auto selector = TRY(api::LabelSelector::parse(scale.selector));
    input.pods = pods_.list(hpa.metadata.namespace_, selector);
    TRY(readUsage(hpa, scale.selector, input));
    MetricAnswer answer = TRY(replicasForMetric(input));
    status->type = spec.type;
    api::autoscaling::v2::MetricValueStatus current;
    current.averageValue = api::Quantity::ofMilli(answer.averageMilli);
    if (target->averageUtilization) current.averageUtilization = answer.utilization;
    if (input.container.empty()) {
      status->resource.emplace().name = input.resource;
      status->resource->current = current;
    } else {
      status->containerResource.emplace().name = input.resource;
      status->containerResource->container = input.container;
      status->containerResource->current = current;
    }
    return answer.replicas;
  }

  Status readUsage(const HorizontalPodAutoscaler& hpa, const std::string& selector, MetricInput& input) {
    auto answer = ctx_.client->transport().list(
        {.method = "GET",
         .path = concat("/apis/metrics.k8s.io/v1beta1/namespaces/", hpa.metadata.namespace_, "/pods"),
         .query = {{"labelSelector", selector}}});
    if (!answer.ok())
      return internalError(concat("failed to get ", input.resource, " utilization: unable to get metrics for resource ",
                                  input.resource, ": unable to fetch metrics from resource metrics API: ",
                                  answer.error().message()));
    for (const auto& object : answer->items) {
      const codec::Value& item = object->root();
      int64_t sum = 0;
      bool found = false;
      for (const auto& container : item["containers"].items()) {
        if (!input.container.empty() && container["name"].asString() != input.container) continue;
        auto amount = api::Quantity::parse(container["usage"][input.resource].asString());
        if (!amount) continue;
        sum += amount->milliValue();
        found = true;
      }
      if (found) input.usage[item["metadata"]["name"].str()] = sum;
    }
    return okStatus();
  }

  client::Informer<HorizontalPodAutoscaler> hpas_;
  client::Informer<Pod> pods_;
  ResourceCatalog catalog_;
  client::EventRecorder& recorder_;
  std::mutex mutex_;  // guards histories_
  std::map<std::string, ScaleHistory> histories_;
};

}  // namespace

std::unique_ptr<Controller> createHorizontalPodAutoscaler(Context& context) {
  return std::make_unique<HorizontalPodAutoscalerController>(context);
}

}  // namespace skiff::controllers
