// Jobs and cron jobs.
#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_spec.h"
#include "apiserver/strategies/strategies.h"
#include "apiserver/strategies/warnings.h"
#include "apiserver/strategies/workloads.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kUidLabel = "batch.kubernetes.io/controller-uid";
constexpr std::string_view kNameLabel = "batch.kubernetes.io/job-name";

void validateJobTemplate(const Field& podTemplate, FieldErrors& errors) {
  validatePodTemplate(podTemplate, errors);
  Field policy = podTemplate["spec"]["restartPolicy"];
  if (policy.text() == "Always" || policy.text().empty()) {
    errors.required(policy.path, "valid values: \"OnFailure\", \"Never\"");
  } else if (!oneOf(policy.text(), {"OnFailure", "Never"})) {
    checkEnum(errors, policy, {"Never", "OnFailure"});
  }
}

void validateJobSpec(const Field& spec, FieldErrors& errors) {
  for (std::string_view name : {"parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
                                "ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes"}) {
    checkNonNegative(errors, spec[name]);
  }
  Field mode = spec["completionMode"];
  if (mode.has()) {
    if (!oneOf(mode.text(), {"Indexed", "NonIndexed"})) {
      checkEnum(errors, mode, {"Indexed", "NonIndexed"});
    }
    if (mode.text() == "Indexed" && !spec["completions"].has()) {
      errors.required(spec["completions"].path,
                      concat("when completion mode is ", mode.text()));
    }
  }
  if (spec["podReplacementPolicy"].has()) {
    checkEnum(errors, spec["podReplacementPolicy"], {"Failed", "TerminatingOrFailed"});
  }
}

class JobStrategy final : public StatusStrategy {
 public:
  // Unless the user takes care of it, the selector is the job's own uid.
  void prepareCreate(StrategyContext& context) override {
    StatusStrategy::prepareCreate(context);
    Value& job = context.object();
    Arena& arena = context.arena();
    Value& spec = job.child(arena, "spec");
    if (spec["manualSelector"].asBool()) return;
    Value uid = Value::text(arena, job["metadata"]["uid"].asString());
    Value name = Value::text(arena, job["metadata"]["name"].asString());
    spec.child(arena, "selector").child(arena, "matchLabels").set(arena, kUidLabel, uid);
    Value& labels = spec.child(arena, "template").child(arena, "metadata").child(arena, "labels");
    labels.set(arena, kUidLabel, uid);
    labels.set(arena, kNameLabel, name);
    labels.set(arena, "controller-uid", uid);
    labels.set(arena, "job-name", name);
    // A job without labels is found by those of its pods.
    Value& own = job.child(arena, "metadata").child(arena, "labels");
    if (own.empty()) own = spec["template"]["metadata"]["labels"].clone(arena);
  }

  bool orphansByDefault() const override { return true; }
  std::string_view silentDeletionWarning() const override {
    return "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
           "propagationPolicy=Orphan to suppress this warning";
  }

  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field job = rootField(context.object()), spec = job["spec"];
    Field selector = spec["selector"];
    if (!spec["manualSelector"].isTrue()) {
      const Value& labels = *selector["matchLabels"].value;
      bool generated = labels.size() == 1 && selector["matchExpressions"].size() == 0 &&
                       labels[kUidLabel] == *job["metadata"]["uid"].value;
      if (!generated) errors.invalid(selector.path, shown(*selector.value), "`selector` not auto-generated");
    }
    validateJobSpec(spec, errors);
    validateLabelSelector(selector, errors);
    validateSelectorMatches(selector, spec["template"], errors);
    validateJobTemplate(spec["template"], errors);
    warnPodSpec(spec["template"]["spec"], context.request.warnings);
  }

  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (!isWhole(context)) return;
    Field spec = rootField(context.object())["spec"];
    const Value& old = context.old()["spec"];
    validateJobSpec(spec, errors);
    validateJobTemplate(spec["template"], errors);
    bool indexed = spec["completionMode"].text() == "Indexed";
    // The completions of an indexed job may follow its parallelism.
    if (!indexed || *spec["completions"].value != *spec["parallelism"].value) {
      checkImmutable(errors, spec["completions"], old["completions"]);
    }
    checkImmutable(errors, spec["selector"], old["selector"]);
    // A suspended job that has not begun may still be told where to run.
    bool open = old["suspend"].asBool() && context.old()["status"]["startTime"].isNull();
    if (!open) checkImmutable(errors, spec["template"], old["template"], api::findType("core/v1", "PodTemplateSpec"));
    checkImmutable(errors, spec["podFailurePolicy"], old["podFailurePolicy"], api::findType("batch/v1", "PodFailurePolicy"));
    checkImmutable(errors, spec["successPolicy"], old["successPolicy"], api::findType("batch/v1", "SuccessPolicy"));
    for (std::string_view name : {"completionMode", "backoffLimitPerIndex", "managedBy"}) {
      checkImmutable(errors, spec[name], old[name]);
    }
  }
};

class CronJobStrategy final : public StatusStrategy {
 public:
  void prepareCreate(StrategyContext& context) override {
    context.object().set(context.arena(), "status", Value::map());
  }

  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    Field schedule = spec["schedule"], zone = spec["timeZone"];
    if (schedule.text().empty()) {
      errors.required(schedule.path, "");
    } else if (std::string fault = formats::cronFault(schedule.text()); !fault.empty()) {
      errors.invalid(schedule.path, quoted(schedule.text()), fault);
    }
    checkNonNegative(errors, spec["startingDeadlineSeconds"]);
    if (zone.has()) validateZone(zone, errors);
    if (spec["concurrencyPolicy"].text().empty()) {
      errors.required(spec["concurrencyPolicy"].path, "");
    } else {
      checkEnum(errors, spec["concurrencyPolicy"], {"Allow", "Forbid", "Replace"});
    }
    checkNonNegative(errors, spec["successfulJobsHistoryLimit"]);
    checkNonNegative(errors, spec["failedJobsHistoryLimit"]);
    Field job = spec["jobTemplate"]["spec"];
    validateJobSpec(job, errors);
    if (job["manualSelector"].has()) {
      errors.notSupported(job["manualSelector"].path, shown(*job["manualSelector"].value), {"nil", "false"});
    }
    validateJobTemplate(job["template"], errors);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (isWhole(context)) validateCreate(context, errors);
  }

 private:
  static void validateZone(const Field& zone, FieldErrors& errors) {
    if (zone.text().empty()) {
      errors.invalid(zone.path, "\"\"", "timeZone must be nil or non-empty string");
    } else if (equalsIgnoreCase(zone.text(), "Local")) {
      errors.invalid(zone.path, quoted(zone.text()), "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
    } else if (!formats::isKnownTimeZone(zone.text())) {
      errors.invalid(zone.path, quoted(zone.text()), concat("unknown time zone ", zone.text()));
    }
  }
};

}  // namespace

void addJobStrategies(const AddStrategy& add) {
  add("batch/jobs", std::make_unique<JobStrategy>());
  add("batch/cronjobs", std::make_unique<CronJobStrategy>());
}

}  // namespace skiff::apiserver
