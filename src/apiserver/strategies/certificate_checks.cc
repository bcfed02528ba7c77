#include "apiserver/strategies/certificate_checks.h"

namespace skiff::apiserver {

namespace {

constexpr int64_t kShortest = 3600, kLongest = 91 * 86400, kLongestOfOwn = 86400;
constexpr size_t kMaxAnnotationBytes = 256 * 1024;

}  // namespace

void validateSignerName(const Field& signer, FieldErrors& errors) {
  if (signer.text().empty()) {
    errors.required(signer.path, "");
    return;
  }
  auto parts = split(signer.text(), '/');
  if (parts.size() != 2 || parts[0].find('.') == std::string_view::npos) {
    errors.invalid(signer.path, quoted(signer.text()),
                   "must be a fully qualified domain and path of the form 'example.com/signer-name'");
    return;
  }
  addFaults(errors, signer.path, signer.text(), formats::dnsSubdomain(parts[0]));
  addFaults(errors, signer.path, signer.text(), formats::dnsSubdomain(parts[1]));
}

void validateCertificateLifetime(const Field& lifetime, std::string_view signer, FieldErrors& errors) {
  if (!lifetime.has()) return;
  const int64_t longest = signer.starts_with("kubernetes.io/") ? kLongestOfOwn : kLongest;
  if (lifetime.number() < kShortest) {
    errors.invalid(lifetime.path, shown(*lifetime.value), concat("if provided, maxExpirationSeconds must be >= ", kShortest));
  } else if (lifetime.number() > longest) {
    errors.invalid(lifetime.path, shown(*lifetime.value), concat("if provided, maxExpirationSeconds must be <= ", longest));
  }
}

void validateUserAnnotations(const Field& annotations, FieldErrors& errors) {
  size_t bytes = 0;
  eachEntry(annotations, [&](std::string_view key, const Field& value) {
    bytes += key.size() + value.text().size();
    if (key.find('/') == std::string_view::npos) {
      errors.invalid(annotations.path, quoted(key), "must be a domain-prefixed key (such as \"acme.io/foo\")");
    }
    addFaults(errors, annotations.path, key, formats::qualifiedName(toLower(key)));
  });
  if (bytes > kMaxAnnotationBytes) errors.tooLong(annotations.path, int64_t(kMaxAnnotationBytes));
}

}  // namespace skiff::apiserver
