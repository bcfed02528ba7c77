// What certificate requests and the projections that lead to them have in common.
#pragma once
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver {

// "example.com/signer-name"
void validateSignerName(const Field& signer, FieldErrors& errors);
// Of a pod certificate, in seconds: an hour to 91 days, to one day by Kubernetes' own signers. Absent is fine.
void validateCertificateLifetime(const Field& lifetime, std::string_view signer, FieldErrors& errors);
// Keys are qualified names with a domain; all together are no larger than an object's annotations may be.
void validateUserAnnotations(const Field& annotations, FieldErrors& errors);

}  // namespace skiff::apiserver
