// Deletes finished jobs when their ttlSecondsAfterFinished is over.
#include "controllers/job_logic.h"
#include "controllers/registry.h"

namespace skiff::controllers {
namespace {

class TtlAfterFinishedController final : public Controller {
 public:
  explicit TtlAfterFinishedController(Context& context)
      : Controller(context, "ttl-after-finished", 2), jobs_(context.informers.of<Job>()) {
    auto look = [this](const std::shared_ptr<const Job>& job) {
      if (job->spec.ttlSecondsAfterFinished && finishTime(*job)) queue().add(keyOf(*job));
    };
    jobs_.addHandler({.onAdd = look, .onUpdate = [look](const auto&, const auto& now) { look(now); }});
  }

  Result<client::Requeue> reconcile(const std::string& key) override {
    auto job = jobs_.getByKey(key);
    if (!job || job->metadata.deletionTimestamp || !job->spec.ttlSecondsAfterFinished) return done();
    auto left = untilExpired(*job);
    if (!left) return done();
    if (left->count() > 0) return again(*left);
    // Deletion is for good: the live object has the last word on its TTL.
    auto live = ctx_.client->get<Job>(job->metadata.namespace_, job->metadata.name);
    if (live.failedWith(Reason::NotFound)) return done();
    if (!live.ok()) return std::move(live).error();
    left = untilExpired(*live);
    if (!left || live->metadata.uid != job->metadata.uid) return done();
    if (left->count() > 0) return again(*left);
    TRY(ignoreNotFound(ctx_.client->remove<Job>(job->metadata.namespace_, job->metadata.name,
                                                {.propagationPolicy = "Foreground", .uid = job->metadata.uid})));
    return done();
  }

 private:
  std::optional<milliseconds> untilExpired(const Job& job) const {
    auto finished = finishTime(job);
    if (!finished || !job.spec.ttlSecondsAfterFinished) return std::nullopt;
    auto left = *finished + seconds(*job.spec.ttlSecondsAfterFinished) - ctx_.clock.now();
    return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(left));
  }

  client::Informer<Job> jobs_;
};

}  // namespace

std::unique_ptr<Controller> createTtlAfterFinishedController(Context& context) {
  return std::make_unique<TtlAfterFinishedController>(context);
}

}  // namespace skiff::controllers
