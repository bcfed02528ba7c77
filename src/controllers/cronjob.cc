// CronJobs: makes a Job at each scheduled time, keeps the list of active ones and a history of finished ones.
#include "base/strings.h"
#include "controllers/controller_ref.h"
#include "controllers/cron_schedule.h"
#include "controllers/job_logic.h"
#include "controllers/registry.h"

namespace skiff::controllers {
namespace {

using api::batch::v1::CronJob;
using client::Requeue;
using JobPtr = std::shared_ptr<const Job>;

constexpr milliseconds kAfterTheMinute{100};  // so that "now" is surely past the scheduled second

class CronJobController final : public Controller {
 public:
  explicit CronJobController(Context& context)
      : Controller(context, "cronjob", 5),
        cronJobs_(context.informers.of<CronJob>()),
        jobs_(context.informers.of<Job>()),
        recorder_(context.recorder("cronjob-controller")) {
    addControllerIndex(jobs_);
    enqueueOwnKeys(cronJobs_);
    jobs_.addHandler([this](const JobPtr& job) {
      const OwnerReference* ref = controllerOf(job->metadata);
      if (ref != nullptr && ref->kind == CronJob::kKind) queue().add(job->metadata.namespace_ + "/" + ref->name);
    });
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto known = cronJobs_.getByKey(key);
    if (!known) return done();
    CronJob cron = *known;
    auto owned = jobs_.byIndex(kControllerIndex, cron.metadata.uid);
    TRY(pruneHistory(cron, owned));
    TRY(followActive(cron, owned));
    Requeue next = TRY(schedule(cron));
    if (!api::equal(cron.status, known->status)) {
      auto written = ctx_.client->updateStatus(cron);
      if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    }
    return next;
  }

 private:
  static std::string finishedAs(const Job& job) {
    return conditionIs(job.status.conditions, "Complete", "True") ? "Complete"
           : conditionIs(job.status.conditions, "Failed", "True") ? "Failed"
                                                                  : "";
  }

  // Takes finished and vanished jobs off the active list.
  Status followActive(CronJob& cron, const std::vector<JobPtr>& owned) {
    auto& active = cron.status.active;
    auto isListed = [&](const std::string& uid) {
      return std::any_of(active.begin(), active.end(), [&](const auto& ref) { return ref.uid == uid; });
    };
    std::set<std::string> existing;
    for (const auto& job : owned) {
      existing.insert(job->metadata.uid);
      std::string as = finishedAs(*job);
      bool listed = isListed(job->metadata.uid);
      if (!listed && as.empty()) {
        // Perhaps one we made and could not write down; the list of the live object knows.
        CronJob live = TRY(ctx_.client->get<CronJob>(cron.metadata.namespace_, cron.metadata.name));
        bool nowListed = std::any_of(live.status.active.begin(), live.status.active.end(),
                                     [&](const auto& ref) { return ref.uid == job->metadata.uid; });
        if (nowListed) {
          cron = std::move(live);
          continue;
        }
        recorder_.record(cron, "Warning", "UnexpectedJob",
                         concat("Saw a job that the controller did not create or forgot: ", job->metadata.name));
      } else if (listed && !as.empty()) {
        std::erase_if(active, [&](const auto& ref) { return ref.uid == job->metadata.uid; });
        recorder_.record(cron, "Normal", "SawCompletedJob",
                         concat("Saw completed job: ", job->metadata.name, ", condition: ", as));
      }
      if (as == "Complete" && job->status.completionTime &&
          (!cron.status.lastSuccessfulTime || *cron.status.lastSuccessfulTime < *job->status.completionTime))
        cron.status.lastSuccessfulTime = job->status.completionTime;
    }
    for (size_t i = 0; i < active.size();) {
      if (existing.contains(active[i].uid)) {
        ++i;
        continue;
      }
      auto live = ctx_.client->get<Job>(cron.metadata.namespace_, active[i].name);
      bool gone = live.failedWith(Reason::NotFound) || (live.ok() && live->metadata.uid != active[i].uid);
      if (!live.ok() && !gone) return std::move(live).error();
      if (!gone) {
        ++i;
        continue;
      }
      recorder_.record(cron, "Normal", "MissingJob", concat("Active job went missing: ", active[i].name));
      active.erase(active.begin() + std::ptrdiff_t(i));
    }
    return okStatus();
  }

  Status pruneHistory(const CronJob& cron, const std::vector<JobPtr>& owned) {
    for (std::string_view as : {"Complete", "Failed"}) {
      auto limit = as == "Complete" ? cron.spec.successfulJobsHistoryLimit : cron.spec.failedJobsHistoryLimit;
      if (!limit) continue;
      std::vector<JobPtr> finished;
      for (const auto& job : owned)
        if (finishedAs(*job) == as && !job->metadata.deletionTimestamp) finished.push_back(job);
      std::sort(finished.begin(), finished.end(), [](const JobPtr& a, const JobPtr& b) {
        api::Time ta = a->status.startTime.value_or(a->metadata.creationTimestamp);
        api::Time tb = b->status.startTime.value_or(b->metadata.creationTimestamp);
        return std::tie(ta, a->metadata.name) < std::tie(tb, b->metadata.name);
      });
      for (size_t i = 0; i + size_t(std::max(*limit, 0)) < finished.size(); ++i)
        TRY(removeJob(cron, finished[i]->metadata.name, finished[i]->metadata.uid));
    }
    return okStatus();
  }

  Status removeJob(const CronJob& cron, const std::string& name, const std::string& uid) {
    auto removed = ctx_.client->remove<Job>(cron.metadata.namespace_, name,
                                            {.propagationPolicy = "Background", .uid = uid});
    if (removed.failedWith(Reason::NotFound) || removed.failedWith(Reason::Conflict)) return okStatus();
    if (!removed.ok()) {
      recorder_.record(cron, "Warning", "FailedDelete", concat("Deleted job: ", removed.error().message()));
      return removed;
    }
    recorder_.record(cron, "Normal", "SuccessfulDelete", concat("Deleted job ", name));
    return okStatus();
  }

  Result<Requeue> schedule(CronJob& cron) {
    if (cron.metadata.deletionTimestamp || cron.spec.suspend.value_or(false)) return done();
    auto parsed = CronSchedule::parse(cron.spec.schedule, cron.spec.timeZone.value_or(""));
    if (!parsed.ok()) {
      bool zone = parsed.error().message().starts_with("unknown time zone");
      recorder_.record(cron, "Warning", zone ? "UnknownTimeZone" : "UnparseableSchedule",
                       zone ? concat("invalid timeZone: ", skiff::quoted(cron.spec.timeZone.value_or("")), ": ",
                                     parsed.error().message())
                            : concat("unparseable schedule: ", skiff::quoted(cron.spec.schedule), " : ",
                                     parsed.error().message()));
      return done();
    }
    WallTime now = ctx_.clock.now();
    WallTime earliest = cron.status.lastScheduleTime ? cron.status.lastScheduleTime->value
                                                     : cron.metadata.creationTimestamp.value;
    if (cron.spec.startingDeadlineSeconds)
      earliest = std::max(earliest, now - seconds(*cron.spec.startingDeadlineSeconds));
    auto scheduled = earliest <= now ? parsed->mostRecent(earliest, now) : std::nullopt;
    auto following = parsed->next(now);
    Requeue next;
    if (following) next.after = std::chrono::ceil<milliseconds>(*following - now) + kAfterTheMinute;
    if (!scheduled) return next;

    Job job = jobFor(cron, *scheduled);
    for (const auto& ref : cron.status.active)
      if (ref.name == job.metadata.name) return next;
    if (cron.spec.concurrencyPolicy == "Forbid" && !cron.status.active.empty()) {
      recorder_.record(cron, "Normal", "JobAlreadyActive",
                       "Not starting job because prior execution is running and concurrency policy is Forbid");
      return next;
    }
    if (cron.spec.concurrencyPolicy == "Replace") {
      for (const auto& ref : cron.status.active) TRY(removeJob(cron, ref.name, ref.uid));
      cron.status.active.clear();
    }
    auto created = ctx_.client->create(job);
    if (created.failedWith(Reason::AlreadyExists)) {
      auto live = ctx_.client->get<Job>(job.metadata.namespace_, job.metadata.name);
      if (!live.ok()) return std::move(live).error();
      if (!isControlledBy(live->metadata, cron.metadata.uid)) return std::move(created).error();
      created = std::move(live);  // made in a round whose status was not written
    } else if (!created.ok()) {
      if (isNamespaceTerminating(created.error())) return done();
      recorder_.record(cron, "Warning", "FailedCreate", concat("Error creating job: ", created.error().message()));
      return std::move(created).error();
    } else {
      recorder_.record(cron, "Normal", "SuccessfulCreate", concat("Created job ", created->metadata.name));
    }
    if (finishedAs(*created).empty()) {
      auto ref = client::EventRecorder::referenceTo(*created);
      cron.status.active.push_back(std::move(ref));
    }
    cron.status.lastScheduleTime = api::Time{*scheduled};
    return next;
  }

  // Named after its minute, so that one time never gives two jobs.
  static Job jobFor(const CronJob& cron, WallTime scheduled) {
    Job job;
    const auto& from = cron.spec.jobTemplate;
    auto minutes = std::chrono::floor<std::chrono::minutes>(scheduled).time_since_epoch().count();
    job.metadata.name = concat(cron.metadata.name, "-", minutes);
    job.metadata.namespace_ = cron.metadata.namespace_;
    job.metadata.labels = from.metadata.labels;
    job.metadata.annotations = from.metadata.annotations;
    job.metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] = formatRfc3339(scheduled);
    job.metadata.ownerReferences.push_back(newControllerRef(cron));
    job.spec = from.spec;
    return job;
  }

  client::Informer<CronJob> cronJobs_;
  client::Informer<Job> jobs_;
  client::EventRecorder& recorder_;
};

}  // namespace

std::unique_ptr<Controller> createCronJobController(Context& context) {
  return std::make_unique<CronJobController>(context);
}

}  // namespace skiff::controllers
