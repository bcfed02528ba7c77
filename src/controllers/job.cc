// Jobs: carries out what planJob decides, in the order that never loses the end of a pod.
#include "controllers/job_logic.h"

#include "api/selectors.h"
#include "base/strings.h"
#include "controllers/own_writes.h"
#include "controllers/parallel.h"
#include "controllers/pod_control.h"
#include "controllers/registry.h"

namespace skiff::controllers {
namespace {

using client::Requeue;

constexpr std::string_view kControllerName = "kubernetes.io/job-controller";
constexpr std::string_view kOrphanPrefix = "orphan:";  // a pod that kept its finalizer though its job is gone

api::LabelSelector selectorOf(const Job& job) {
  if (!job.spec.selector) return api::LabelSelector::nothing();
  auto made = api::LabelSelector::fromTyped(*job.spec.selector);
  return made.ok() ? std::move(made).value() : api::LabelSelector::nothing();
}

class JobController final : public Controller {
 public:
  explicit JobController(Context& context)
      : Controller(context, "job", 5, {.first = milliseconds(100), .most = milliseconds(60000)}),
        jobs_(context.informers.of<Job>()),
        pods_(context.informers.of<Pod>()),
        recorder_(context.recorder("job-controller")),
        expectations_(context.clock),
        podControl_(context, recorder_) {
    addControllerIndex(pods_);
    jobs_.addHandler({.onAdd = [this](const auto& job) { queue().add(keyOf(*job)); },
                      .onUpdate = [this](const auto&, const auto& now) { queue().add(keyOf(*now)); },
                      .onDelete = [this](const auto& job) {
                        expectations_.forget(keyOf(*job));
                        ownWrites_.forget(keyOf(*job));
                        queue().add(keyOf(*job));
                        for (const auto& pod : pods_.byIndex(kControllerIndex, job->metadata.uid)) noteOrphan(*pod);
                      }});
    PodEvents<Job>{jobs_, &expectations_, &queue(), selectorOf, {}}.attach(pods_);
    pods_.addHandler({.onAdd = [this](const PodPtr& pod) { noteOrphan(*pod); },
                      .onUpdate = [this](const PodPtr&, const PodPtr& now) { noteOrphan(*now); }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    if (key.starts_with(kOrphanPrefix)) return releaseOrphan(key.substr(kOrphanPrefix.size()));
    auto known = jobs_.getByKey(key);
    if (!known) return done();
    const Job& job = *known;
    // A pod that has been counted carries no trace of it but the job's status.
    if (!ownWrites_.seen(key, job.metadata.resourceVersion)) return done();
    if (job.spec.managedBy && *job.spec.managedBy != kControllerName) return done();
    auto pods = TRY((claimObjects<Job, Pod>(*ctx_.client, job, selectorOf(job), pods_, {std::string(kJobFinalizer)})));
    bool finished = finishTime(job).has_value();
    auto mayCreate = expectations_.satisfied(key) && !finished ? MayCreate::Yes : MayCreate::No;
    JobPlan plan = planJob(job, pods, mayCreate, ctx_.clock.now());
    if (finished) {
      TRY(untrack(plan.untrack));
      return done();
    }
    auto about = client::EventRecorder::referenceTo(job);
    Status managed = okStatus();
    if (!plan.remove.empty()) managed = podControl_.removeMany(about, expectations_, key, plan.remove);
    else if (!plan.create.empty()) managed = create(about, key, job, plan);
    // What could not be made or deleted is not to be reported as done: the next round counts again.
    if (!managed.ok()) plan.status.active = job.status.active;
    if (!api::equal(plan.status, job.status)) {
      Job updated = job;
      updated.status = plan.status;
      auto written = ctx_.client->updateStatus(updated);
      if (written.failedWith(Reason::NotFound)) return done();
      if (!written.ok()) return std::move(written).error();
      ownWrites_.wrote(key, written->metadata.resourceVersion);
      for (const JobEvent& event : plan.events) recorder_.record(job, event.type, event.reason, event.message);
    }
    TRY(untrack(plan.untrack));
    if (!managed.ok()) return std::move(managed).error();
    return again(plan.again.value_or(milliseconds(0)));
  }

 private:
  Status create(const api::core::v1::ObjectReference& about, const std::string& key, const Job& job,
                const JobPlan& plan) {
    return podControl_.createMany(about, expectations_, key, int(plan.create.size()), [&](int i) {
      auto index = plan.create[size_t(i)];
      int failures = index ? plan.indexFailures.at(*index) : 0;
      Pod pod = jobPod(job, index, failures);
      pod.metadata.ownerReferences.push_back(newControllerRef(job));
      return pod;
    });
  }

  Status untrack(const std::vector<PodPtr>& pods) {
    return runParallel(ctx_.executor, int(pods.size()), [&](int i) { return dropFinalizer(*pods[size_t(i)]); });
  }

  Status dropFinalizer(const Pod& pod) {
    auto patched = ctx_.client->patch<Pod>(
        pod.metadata.namespace_, pod.metadata.name, client::PatchType::StrategicMerge,
        concat(R"({"metadata":{"$deleteFromPrimitiveList/finalizers":[")", kJobFinalizer, R"("],"uid":")",
               pod.metadata.uid, R"("}})"));
    // Conflict: another pod took the name; the one meant is gone.
    if (patched.ok() || patched.failedWith(Reason::NotFound) || patched.failedWith(Reason::Conflict)) return okStatus();
    return std::move(patched).error();
  }

  void noteOrphan(const Pod& pod) {
    if (!hasJobFinalizer(pod)) return;
    const OwnerReference* ref = controllerOf(pod.metadata);
    if (ref != nullptr && ref->kind == Job::kKind) {
      auto job = jobs_.get(pod.metadata.namespace_, ref->name);
      if (job && job->metadata.uid == ref->uid) return;
    }
    queue().add(std::string(kOrphanPrefix) + keyOf(pod));
  }

  Result<Requeue> releaseOrphan(const std::string& key) {
    auto pod = pods_.getByKey(key);
    if (!pod || !hasJobFinalizer(*pod)) return done();
    if (const OwnerReference* ref = controllerOf(pod->metadata)) {
      // The cache may be behind: only a job that is really gone gives its pods free.
      auto live = ctx_.client->get<Job>(pod->metadata.namespace_, ref->name);
      if (ref->kind == Job::kKind && live.ok() && live->metadata.uid == ref->uid) return done();
      if (!live.ok() && !live.failedWith(Reason::NotFound)) return std::move(live).error();
    }
    TRY(dropFinalizer(*pod));
    return done();
  }

  client::Informer<Job> jobs_;
  client::Informer<Pod> pods_;
  client::EventRecorder& recorder_;
  Expectations expectations_;
  OwnWrites ownWrites_;
  PodControl podControl_;
};

}  // namespace

std::unique_ptr<Controller> createJobController(Context& context) { return std::make_unique<JobController>(context); }

}  // namespace skiff::controllers
