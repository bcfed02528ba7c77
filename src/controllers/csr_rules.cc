#include "controllers/csr_rules.h"

#include "controllers/pod_util.h"

namespace skiff::controllers {
namespace {

bool usagesWithin(const CertificateSigningRequest& csr, std::initializer_list<std::string_view> allowed,
                  std::string_view required) {
  bool has = false;
  for (const std::string& usage : csr.spec.usages) {
    if (std::find(allowed.begin(), allowed.end(), usage) == allowed.end()) return false;
    has |= usage == required;
  }
  return has;
}

bool isNodeSubject(const pki::CertificateInfo& request) {
  return request.subject.commonName.starts_with("system:node:") &&
         request.subject.organizations == std::vector<std::string>{"system:nodes"};
}

}  // namespace

bool isApproved(const CertificateSigningRequest& csr) { return conditionIs(csr.status.conditions, "Approved", "True"); }
bool isDenied(const CertificateSigningRequest& csr) { return conditionIs(csr.status.conditions, "Denied", "True"); }
bool isFailed(const CertificateSigningRequest& csr) { return conditionIs(csr.status.conditions, "Failed", "True"); }

bool isBuiltinSigner(std::string_view signer) {
  return signer == kSignerClient || signer == kSignerKubeletClient || signer == kSignerKubeletServing ||
         signer == kSignerLegacy;
}

Status validateForSigner(const CertificateSigningRequest& csr, const pki::CertificateInfo& request) {
  const std::string& signer = csr.spec.signerName;
  if (signer == kSignerClient) {
    if (!usagesWithin(csr, {"digital signature", "key encipherment", "client auth"}, "client auth"))
      return badRequest("usages did not match [client auth, digital signature, key encipherment]");
    return okStatus();
  }
  if (signer == kSignerKubeletClient) {
    if (request.subject.organizations != std::vector<std::string>{"system:nodes"})
      return badRequest("subject organization is not system:nodes");
    if (!request.dnsNames.empty() || !request.ipAddresses.empty())
      return badRequest("DNS and IP subjectAltNames are not allowed");
    if (!isNodeSubject(request)) return badRequest("subject common name does not begin with system:node:");
    if (!usagesWithin(csr, {"digital signature", "key encipherment", "client auth"}, "client auth"))
      return badRequest("usages did not match [client auth, digital signature, key encipherment]");
    return okStatus();
  }
  if (signer == kSignerKubeletServing) {
    if (!isNodeSubject(request)) return badRequest("subject is not that of a node");
    if (request.subject.commonName != csr.spec.username)
      return badRequest("subject common name is not the requesting user");
    if (request.dnsNames.empty() && request.ipAddresses.empty())
      return badRequest("DNS or IP subjectAltName is required");
    if (!usagesWithin(csr, {"digital signature", "key encipherment", "server auth"}, "server auth"))
      return badRequest("usages did not match [digital signature, key encipherment, server auth]");
    return okStatus();
  }
  return okStatus();  // legacy-unknown signs what was approved
}

}  // namespace skiff::controllers
