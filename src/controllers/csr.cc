// CertificateSigningRequests: approves the kubelets' own, signs what is approved, removes what is old.
#include "base/log.h"
#include "base/strings.h"
#include "controllers/csr_rules.h"
#include "controllers/pod_util.h"
#include "controllers/registry.h"
#include "gen/authorization_v1.h"

namespace skiff::controllers {
namespace {

using client::Requeue;
using CsrPtr = std::shared_ptr<const CertificateSigningRequest>;

constexpr seconds kMostLifetime = std::chrono::hours(24 * 365);  // upstream's --cluster-signing-duration
constexpr seconds kLeastLifetime{600};

class CsrApproving final : public Controller {
 public:
  explicit CsrApproving(Context& context)
      : Controller(context, "csrapproving", 2), csrs_(context.informers.of<CertificateSigningRequest>()) {
    enqueueOwnKeys(csrs_);
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto csr = csrs_.getByKey(key);
    if (!csr || csr->spec.signerName != kSignerKubeletClient || !csr->status.certificate.empty() || isApproved(*csr) ||
        isDenied(*csr))
      return done();
    auto request = pki::parseCsrPem(csr->spec.request);
    if (!request.ok() || !validateForSigner(*csr, *request).ok()) return done();
    bool self = request->subject.commonName == csr->spec.username;
    if (self && TRY(mayCreate(*csr, "selfnodeclient")))
      return approve(*csr, "Auto approving self kubelet client certificate after SubjectAccessReview.");
    if (TRY(mayCreate(*csr, "nodeclient")))
      return approve(*csr, "Auto approving kubelet client certificate after SubjectAccessReview.");
    return internalError("recognized csr \"" + key + "\" as [selfnodeclient nodeclient] but subject access review was not approved");
  }

 private:
  Result<bool> mayCreate(const CertificateSigningRequest& csr, std::string_view subresource) {
    api::authorization::v1::SubjectAccessReview review;
    review.spec.user = csr.spec.username;
    review.spec.groups = csr.spec.groups;
    review.spec.uid = csr.spec.uid;
    for (const auto& [key, value] : csr.spec.extra) review.spec.extra[key].items = value.items;
    auto& wanted = review.spec.resourceAttributes.emplace();
    wanted.verb = "create";
    wanted.group = "certificates.k8s.io";
    wanted.resource = "certificatesigningrequests";
    wanted.version = "*";
    wanted.subresource = std::string(subresource);
    auto answer = TRY(ctx_.client->create(review));
    return answer.status.allowed;
  }

  Result<Requeue> approve(const CertificateSigningRequest& csr, std::string_view message) {
    CertificateSigningRequest updated = csr;
    setCondition(updated.status.conditions, "Approved", "True", "AutoApproved", message, ctx_.clock.now());
    updated.status.conditions.back().lastUpdateTime = {ctx_.clock.now()};
    auto written = ctx_.client->update(updated, "approval");
    if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    return done();
  }

  client::Informer<CertificateSigningRequest> csrs_;
};

class CsrSigning final : public Controller {
 public:
  explicit CsrSigning(Context& context)
      : Controller(context, "csrsigning", 2), csrs_(context.informers.of<CertificateSigningRequest>()) {
    enqueueOwnKeys(csrs_);
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto csr = csrs_.getByKey(key);
    const auto& options = ctx_.options;
    if (options.signingCertPem.empty() || options.signingKeyPem.empty()) return done();
    if (!csr || !isApproved(*csr) || isDenied(*csr) || isFailed(*csr) || !csr->status.certificate.empty() ||
        !isBuiltinSigner(csr->spec.signerName))
      return done();
    auto request = pki::parseCsrPem(csr->spec.request);
    if (!request.ok()) return fail(*csr, "unable to parse csr: " + request.error().message());
    if (auto valid = validateForSigner(*csr, *request); !valid.ok()) return fail(*csr, valid.error().message());

    pki::IssueOptions issue;
    for (const std::string& usage : csr->spec.usages) {
      issue.clientAuth |= usage == "client auth";
      issue.serverAuth |= usage == "server auth";
    }
    issue.lifetime = kMostLifetime;
    if (csr->spec.expirationSeconds)
      issue.lifetime = std::clamp(seconds(*csr->spec.expirationSeconds), kLeastLifetime, kMostLifetime);
    CertificateSigningRequest updated = *csr;
    updated.status.certificate =
        TRY(pki::signCsr({options.signingCertPem, options.signingKeyPem}, csr->spec.request, issue, ctx_.clock));
    auto written = ctx_.client->updateStatus(updated);
    if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    return done();
  }

 private:
  Result<Requeue> fail(const CertificateSigningRequest& csr, const std::string& message) {
    CertificateSigningRequest updated = csr;
    setCondition(updated.status.conditions, "Failed", "True", "SignerValidationFailure", message, ctx_.clock.now());
    auto written = ctx_.client->updateStatus(updated);
    if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    return done();
  }

  client::Informer<CertificateSigningRequest> csrs_;
};

class CsrCleaning final : public Controller {
 public:
  explicit CsrCleaning(Context& context)
      : Controller(context, "csrcleaner", 1), csrs_(context.informers.of<CertificateSigningRequest>()) {
    enqueueOwnKeys(csrs_);
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto csr = csrs_.getByKey(key);
    if (!csr) return done();
    auto left = endOf(*csr) - ctx_.clock.now();
    if (left > microseconds(0)) return again(std::chrono::ceil<milliseconds>(left));
    TRY(ignoreNotFound(ctx_.client->remove<CertificateSigningRequest>({}, key, {.uid = csr->metadata.uid})));
    return done();
  }

 private:
  // Decided ones stay for an hour, undecided ones for a day.
  static WallTime endOf(const CertificateSigningRequest& csr) {
    for (const auto& condition : csr.status.conditions)
      if (condition.type == "Approved" || condition.type == "Denied" || condition.type == "Failed")
        return std::max(condition.lastTransitionTime.value, condition.lastUpdateTime.value) + std::chrono::hours(1);
    return csr.metadata.creationTimestamp.value + std::chrono::hours(24);
  }
  client::Informer<CertificateSigningRequest> csrs_;
};

}  // namespace

std::unique_ptr<Controller> createCsrApprovingController(Context& context) { return std::make_unique<CsrApproving>(context); }
std::unique_ptr<Controller> createCsrSigningController(Context& context) { return std::make_unique<CsrSigning>(context); }
std::unique_ptr<Controller> createCsrCleaningController(Context& context) { return std::make_unique<CsrCleaning>(context); }

}  // namespace skiff::controllers
