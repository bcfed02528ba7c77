// Proof of possession: requests that only show that somebody holds a key. RFC 2986.
#include "base/strings.h"
#include "pki/openssl_raii.h"
#include "pki/x509.h"

namespace skiff::pki {
namespace {

// Null where the scheme brings its own hash.
const EVP_MD* hashFor(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519: return nullptr;
    case EVP_PKEY_EC: return EVP_PKEY_get_bits(key) > 384 ? EVP_sha512() : EVP_PKEY_get_bits(key) > 256 ? EVP_sha384() : EVP_sha256();
    default: return EVP_sha256();
  }
}

std::string typeName(const EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519: return "ED25519";
    case EVP_PKEY_RSA: return bits == 3072 || bits == 4096 ? concat("RSA", bits) : std::string();
    case EVP_PKEY_EC: {
      char group[32] = "";
      size_t size = 0;
      if (EVP_PKEY_get_group_name(key, group, sizeof group, &size) != 1) return {};
      std::string_view name(group, size);
      return name == "prime256v1"  ? "ECDSAP256"
             : name == "secp384r1" ? "ECDSAP384"
             : name == "secp521r1" ? "ECDSAP521"
                                   : "";
    }
    default: return {};
  }
}

}  // namespace

Result<std::string> newStubCsrDer(std::string_view keyPem) {
  auto key = TRY(readKey(keyPem));
  CsrPtr csr(X509_REQ_new());
  if (X509_REQ_set_version(csr.get(), 0) != 1 || X509_REQ_set_pubkey(csr.get(), key.get()) != 1 ||
      X509_REQ_sign(csr.get(), key.get(), hashFor(key.get())) == 0) {
    return internalError("making a certificate request: " + opensslError());
  }
  return toDer(&i2d_X509_REQ, csr.get());
}

Result<CsrKey> verifyCsrDer(std::string_view der) {
  auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  auto* end = bytes + der.size();
  CsrPtr csr(d2i_X509_REQ(nullptr, &bytes, long(der.size())));
  if (!csr || bytes != end) return Error(Reason::Invalid, "not a DER certificate request: " + opensslError());
  EVP_PKEY* key = X509_REQ_get0_pubkey(csr.get());
  if (key == nullptr || X509_REQ_verify(csr.get(), key) != 1) {
    ERR_clear_error();
    return Error(Reason::Invalid, "the certificate request is not signed by its own key");
  }
  return CsrKey{typeName(key), publicKeyText(key)};
}

Result<std::vector<std::string>> splitCertificates(std::string_view pem) {
  std::vector<std::string> out;
  auto bio = readBio(pem);
  char *name = nullptr, *header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  bool others = false;
  while (PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
    others = others || std::string_view(name) != "CERTIFICATE" || *header != 0;
    out.emplace_back(reinterpret_cast<char*>(data), size_t(size));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
  const bool atEnd = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (others) return Error(Reason::Invalid, "only CERTIFICATE blocks without headers are allowed");
  if (!atEnd) return Error(Reason::Invalid, "malformed PEM");
  return out;
}

Result<std::string> certificatePublicKeyPem(std::string_view der) {
  auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  CertificatePtr certificate(d2i_X509(nullptr, &bytes, long(der.size())));
  EVP_PKEY* key = certificate ? X509_get0_pubkey(certificate.get()) : nullptr;
  if (key == nullptr) return Error(Reason::Invalid, "not a DER certificate: " + opensslError());
  return publicKeyText(key);
}

}  // namespace skiff::pki
