// Deletes pod certificate requests a quarter of an hour after they were made: answered or not, the kubelet that asked has
// read the answer or asked anew by then.
#include "controllers/registry.h"
#include "gen/certificates_v1.h"

namespace skiff::controllers {
namespace {

using api::certificates::v1::PodCertificateRequest;

constexpr auto kKept = std::chrono::minutes(15);

class PodCertificateCleaner final : public Controller {
 public:
  explicit PodCertificateCleaner(Context& context)
      : Controller(context, "podcertificaterequestcleaner", 1), requests_(context.informers.of<PodCertificateRequest>()) {
    auto look = [this](const std::shared_ptr<const PodCertificateRequest>& request) { queue().add(keyOf(*request)); };
    requests_.addHandler({.onAdd = look});
  }

  Result<client::Requeue> reconcile(const std::string& key) override {
    auto request = requests_.getByKey(key);
    if (!request || request->metadata.deletionTimestamp) return done();
    auto left = std::chrono::ceil<milliseconds>(request->metadata.creationTimestamp.value + kKept - ctx_.clock.now());
    if (left.count() > 0) return again(left);
    TRY(ignoreNotFound(ctx_.client->remove<PodCertificateRequest>(request->metadata.namespace_, request->metadata.name,
                                                                  {.uid = request->metadata.uid})));
    return done();
  }

 private:
  client::Informer<PodCertificateRequest> requests_;
};

}  // namespace

std::unique_ptr<Controller> createPodCertificateCleaner(Context& context) {
  return std::make_unique<PodCertificateCleaner>(context);
}

}  // namespace skiff::controllers
