// Keys, certificates and signing requests over OpenSSL. PEM in and out. RFC 5280.
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace skiff::pki {

struct Subject {
  std::string commonName;
  std::vector<std::string> organizations;
};

struct CertificateInfo {
  Subject subject;
  std::vector<std::string> dnsNames;
  std::vector<std::string> ipAddresses;
  WallTime notBefore, notAfter;
  bool isCa = false;
  std::string serialHex;
  std::string sha256Hex;  // fingerprint of the DER
  std::vector<std::string>
      extendedKeyUsages;  // "client auth", "server auth", ... as names of certificates.k8s.io
  std::vector<std::string> keyUsages;
};

struct IssueOptions {
  Subject subject;
  std::vector<std::string> dnsNames;
  std::vector<std::string> ipAddresses;
  bool isCa = false;
  bool clientAuth = false, serverAuth = false;
  seconds lifetime = std::chrono::hours(24 * 365);
};

struct Pair {
  std::string certificatePem;
  std::string keyPem;
};

std::string sha256(std::string_view bytes);  // the raw 32 bytes
std::string newEcKeyPem();                   // P-256
std::string newRsaKeyPem(int bits = 2048);   // for service-account tokens
// By its name in the API of pod certificates: RSA3072, RSA4096, ECDSAP256, ECDSAP384, ECDSAP521, ED25519.
Result<std::string> newKeyPem(std::string_view type);
Result<std::string> publicKeyPem(std::string_view keyPem);
Result<Pair> selfSignedCa(std::string_view commonName, seconds lifetime, const Clock& clock);
Result<Pair> issue(const Pair& ca, const IssueOptions& options, const Clock& clock);
Result<std::string> signCsr(const Pair& ca, std::string_view csrPem, const IssueOptions& usages,
                            const Clock& clock);  // subject and SANs of the request
Result<std::string> newCsrPem(std::string_view keyPem, const IssueOptions& options);
Result<CertificateInfo> parseCertificatePem(std::string_view pem);
Result<CertificateInfo> parseCertificateDer(std::string_view der);
Result<CertificateInfo> parseCsrPem(std::string_view pem);
// A request that says nothing but "I hold this key": empty subject, signed with the hash that befits the key. In DER.
Result<std::string> newStubCsrDer(std::string_view keyPem);
struct CsrKey {
  std::string type;  // as of newKeyPem; empty: none of these
  std::string publicKeyPem;
};
Result<CsrKey> verifyCsrDer(std::string_view der);  // that its own key has signed it
// All certificates of a PEM text, in DER; anything else in it is an error.
Result<std::vector<std::string>> splitCertificates(std::string_view pem);
Result<std::string> certificatePublicKeyPem(std::string_view der);
// Does the chain (DER, leaf first) lead to one of the CAs, is it in time and fit for client
// authentication?
Result<CertificateInfo> verifyClientChain(const std::vector<std::string>& chainDer,
                                          std::string_view caPem, const Clock& clock);

}  // namespace skiff::pki
