// Pod certificate requests: a kubelet asks, a signer answers once. KEP-4317.
#include <algorithm>

#include "apiserver/strategies/certificate_checks.h"
#include "apiserver/strategies/strategies.h"
#include "pki/x509.h"

namespace skiff::apiserver {

namespace {

using codec::Value;

constexpr std::chrono::minutes kSlack{10};  // between the ends of the lifetime and beginRefreshAt

bool isAnswer(std::string_view type) { return oneOf(type, {"Issued", "Denied", "Failed"}); }

bool isAnswered(const Value& object) {
  auto conditions = object["status"]["conditions"].items();
  return std::ranges::any_of(conditions, [](const Value& c) { return isAnswer(c["type"].asString()); });
}

class PodCertificateRequestStrategy final : public StatusStrategy {
 public:
  explicit PodCertificateRequestStrategy(const Clock& clock) : clock_(clock) {}
  bool hasGeneration() const override { return false; }

  void prepareUpdate(StrategyContext& context) override {
    Value& object = context.object();
    const Value& old = context.old();
    // The whole object's writer may not answer, the status's writer may not ask.
    std::string_view kept = isWhole(context) ? "status" : "spec";
    if (old.has(kept)) {
      object.set(context.arena(), kept, old[kept].clone(context.arena()));
    } else {
      object.erase(kept);
    }
  }

  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    validateSignerName(spec["signerName"], errors);
    for (std::string_view name : {"podName", "serviceAccountName", "nodeName"}) {
      if (spec[name].text().empty()) errors.required(spec[name].path, "");
      else checkObjectName(errors, spec[name]);
    }
    for (std::string_view name : {"podUID", "serviceAccountUID", "nodeUID"}) {
      if (spec[name].text().empty()) errors.required(spec[name].path, "");
      else if (spec[name].text().size() > 128) errors.tooLong(spec[name].path, 128);
    }
    if (!spec["maxExpirationSeconds"].has()) errors.required(spec["maxExpirationSeconds"].path, "must be set");
    validateCertificateLifetime(spec["maxExpirationSeconds"], spec["signerName"].text(), errors);
    validateProof(spec["stubPKCS10Request"], errors);
    validateUserAnnotations(spec["unverifiedUserAnnotations"], errors);
  }

  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    Field root = rootField(context.object());
    if (isWhole(context)) {
      checkImmutable(errors, root["spec"], context.old()["spec"]);
      return;
    }
    if (sameValue(*root["status"].value, context.old()["status"])) return;
    if (isAnswered(context.old())) {
      errors.invalid(root["status"].path, shown(*root["status"].value), "immutable after PodCertificateRequest is issued, denied, or failed");
      return;
    }
    validateStatus(root, errors);
  }

 private:
  static void validateProof(const Field& request, FieldErrors& errors) {
    auto der = base64Decode(request.text());
    if (request.text().empty() || !der) {
      errors.required(request.path, "");
      return;
    }
    auto key = pki::verifyCsrDer(*der);
    if (!key.ok()) {
      errors.invalid(request.path, quoted(request.text()), key.error().message());
    } else if (key->type.empty()) {
      errors.invalid(request.path, quoted(request.text()),
                     "key must be one of ECDSAP256, ECDSAP384, ECDSAP521, ED25519, RSA3072, RSA4096");
    }
  }

  void validateStatus(const Field& root, FieldErrors& errors) const {
    Field status = root["status"];
    std::string_view answer;
    each(status["conditions"], [&](const Field& condition) {
      Field type = condition["type"];
      if (!isAnswer(type.text())) {
        checkEnum(errors, type, {"Denied", "Failed", "Issued"});
      } else if (!answer.empty()) {
        errors.invalid(status["conditions"].path, shown(*status["conditions"].value),
                       "There may be at most one condition with type \"Issued\", \"Denied\", or \"Failed\"");
      } else {
        answer = type.text();
        if (condition["status"].text() != "True") checkEnum(errors, condition["status"], {"True"});
      }
    });
    if (answer == "Issued") {
      validateCertificate(root["spec"], status, errors);
      return;
    }
    for (std::string_view name : {"certificateChain", "notBefore", "beginRefreshAt", "notAfter"}) {
      if (status[name].has() && !status[name].text().empty()) {
        errors.invalid(status[name].path, shown(*status[name].value), "must be unset unless the request is issued");
      }
    }
  }

  void validateCertificate(const Field& spec, const Field& status, FieldErrors& errors) const {
    std::optional<WallTime> times[3];
    int at = 0;
    for (std::string_view name : {"notBefore", "notAfter", "beginRefreshAt"}) {
      times[at] = parseRfc3339(status[name].text());
      if (!times[at++]) errors.required(status[name].path, "must be present and consistent with the issued certificate");
    }
    Field chain = status["certificateChain"];
    auto fault = [&](std::string_view why) { errors.invalid(chain.path, quoted(chain.text()), std::string(why)); };
    auto certificates = pki::splitCertificates(chain.text());
    if (!certificates.ok()) return fault(certificates.error().message());
    if (certificates->empty()) return errors.required(chain.path, "");
    for (const std::string& der : *certificates) {
      if (auto parsed = pki::parseCertificateDer(der); !parsed.ok()) return fault(parsed.error().message());
    }
    auto leaf = pki::parseCertificateDer(certificates->front());
    auto proof = pki::verifyCsrDer(base64Decode(spec["stubPKCS10Request"].text()).value_or(""));
    auto key = pki::certificatePublicKeyPem(certificates->front());
    if (!proof.ok() || !key.ok() || *key != proof->publicKeyPem) {
      fault("leaf certificate was not issued to the requested public key");
    }
    if (!times[0] || !times[1] || !times[2]) return;
    auto [notBefore, notAfter, refresh] = std::tuple(*times[0], *times[1], *times[2]);
    if (notBefore != leaf->notBefore) errors.invalid(status["notBefore"].path, shown(*status["notBefore"].value), "must be set to the NotBefore time encoded in the leaf certificate");
    if (notAfter != leaf->notAfter) errors.invalid(status["notAfter"].path, shown(*status["notAfter"].value), "must be set to the NotAfter time encoded in the leaf certificate");
    const auto lifetime = std::chrono::duration_cast<seconds>(leaf->notAfter - leaf->notBefore).count();
    if (leaf->notBefore > clock_.now() + std::chrono::minutes(5)) fault("leaf certificate's NotBefore timestamp is more than 5 minutes in the future");
    if (lifetime < 3600) fault("leaf certificate lifetime must be >= 1 hour");
    if (lifetime > spec["maxExpirationSeconds"].number(86400)) fault(concat("leaf certificate lifetime must be <= spec.maxExpirationSeconds (", spec["maxExpirationSeconds"].number(86400), ")"));
    if (refresh < notBefore + kSlack || refresh > notAfter - kSlack) {
      errors.invalid(status["beginRefreshAt"].path, shown(*status["beginRefreshAt"].value),
                     "must be at least 10 minutes after status.notBefore and at least 10 minutes before status.notAfter");
    }
  }

  const Clock& clock_;
};

}  // namespace

std::unique_ptr<Strategy> podCertificateRequestStrategy(const Clock& clock) {
  return std::make_unique<PodCertificateRequestStrategy>(clock);
}

}  // namespace skiff::apiserver
