// Who may approve and sign certificate requests.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#authorization
#include "apiserver/admission/plugins.h"
#include "apiserver/strategies/checks.h"
#include "pki/x509.h"

namespace skiff::apiserver::admission {

namespace {

using codec::Value;

constexpr std::string_view kGroup = "certificates.k8s.io";

// The verb on the signer itself, or on all of its domain.
bool maySign(Authorizer& authorizer, const UserInfo& user, std::string_view verb, std::string_view signer) {
  RequestInfo info{.isResource = true};
  info.verb = verb;
  info.group = kGroup;
  info.version = "*";
  info.resource = "signers";
  info.name = signer;
  if (authorizer.authorize(user, info).decision == Decision::Allow) return true;
  auto parts = cut(signer, "/");
  if (!parts) return false;
  info.name = concat(parts->first, "/*");
  return authorizer.authorize(user, info).decision == Decision::Allow;
}

bool isRequestSub(const AdmissionRequest& request, std::string_view subresource) {
  return request.operation == Operation::Update && request.resource->group == kGroup &&
         request.resource->plural == "certificatesigningrequests" && request.subresource == subresource;
}

class CertificateApproval final : public AdmissionPlugin {
 public:
  explicit CertificateApproval(Authorizer& authorizer) : authorizer_(authorizer) {}
  std::string_view name() const override { return "CertificateApproval"; }
  Status validate(const AdmissionRequest& request) override {
    if (!isRequestSub(request, "approval")) return okStatus();
    std::string_view signer = (*request.oldObject)["spec"]["signerName"].asString();
    if (maySign(authorizer_, *request.user, "approve", signer)) return okStatus();
    return refused(request, concat("user not permitted to approve requests with signerName ", quoted(signer)));
  }

 private:
  Authorizer& authorizer_;
};

class CertificateSigning final : public AdmissionPlugin {
 public:
  explicit CertificateSigning(Authorizer& authorizer) : authorizer_(authorizer) {}
  std::string_view name() const override { return "CertificateSigning"; }
  Status validate(const AdmissionRequest& request) override {
    bool ofPod = request.operation == Operation::Update && request.subresource == "status" &&
                 isAbout(request, kGroup, "podcertificaterequests");
    if (!ofPod && !isRequestSub(request, "status")) return okStatus();
    const Value &now = (*request.object)["status"], &before = (*request.oldObject)["status"];
    bool same = ofPod ? sameValue(now, before)
                      : sameValue(now["certificate"], before["certificate"]) && sameValue(now["conditions"], before["conditions"]);
    if (same) return okStatus();
    std::string_view signer = (*request.oldObject)["spec"]["signerName"].asString();
    if (maySign(authorizer_, *request.user, "sign", signer)) return okStatus();
    return refused(request, concat("user not permitted to sign requests with signerName ", quoted(signer)));
  }

 private:
  Authorizer& authorizer_;
};

class CertificateSubjectRestriction final : public AdmissionPlugin {
 public:
  std::string_view name() const override { return "CertificateSubjectRestriction"; }
  Status validate(const AdmissionRequest& request) override {
    if (request.operation != Operation::Create || !isAbout(request, kGroup, "certificatesigningrequests")) {
      return okStatus();
    }
    const Value& spec = (*request.object)["spec"];
    if (spec["signerName"].asString() != "kubernetes.io/kube-apiserver-client") return okStatus();
    auto pem = base64Decode(spec["request"].asString());
    if (!pem) return okStatus();  // validation has the word
    auto csr = pki::parseCsrPem(*pem);
    if (!csr.ok()) return okStatus();
    for (const std::string& organization : csr->subject.organizations) {
      if (organization != "system:masters") continue;
      return refused(request, "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
    }
    return okStatus();
  }
};

}  // namespace

PluginPtr certificateApproval(Authorizer& authorizer) { return std::make_unique<CertificateApproval>(authorizer); }
PluginPtr certificateSigning(Authorizer& authorizer) { return std::make_unique<CertificateSigning>(authorizer); }
PluginPtr certificateSubjectRestriction() { return std::make_unique<CertificateSubjectRestriction>(); }

}  // namespace skiff::apiserver::admission
