// Which requests the built-in signers of certificates.k8s.io accept.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "gen/certificates_v1.h"
#include "pki/x509.h"

namespace skiff::controllers {

using api::certificates::v1::CertificateSigningRequest;

inline constexpr std::string_view kSignerClient = "kubernetes.io/kube-apiserver-client";
inline constexpr std::string_view kSignerKubeletClient = "kubernetes.io/kube-apiserver-client-kubelet";
inline constexpr std::string_view kSignerKubeletServing = "kubernetes.io/kubelet-serving";
inline constexpr std::string_view kSignerLegacy = "kubernetes.io/legacy-unknown";

bool isApproved(const CertificateSigningRequest& csr);
bool isDenied(const CertificateSigningRequest& csr);
bool isFailed(const CertificateSigningRequest& csr);
// The error says why the signer must refuse.
Status validateForSigner(const CertificateSigningRequest& csr, const pki::CertificateInfo& request);
bool isBuiltinSigner(std::string_view signer);

}  // namespace skiff::controllers
