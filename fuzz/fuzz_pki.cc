// Certificates, requests, keys and tokens that come from strangers.
//   kind, bytes
#include "base/clock.h"
#include "fuzz/input.h"
#include "pki/jwt.h"
#include "pki/x509.h"

using namespace skiff;
using namespace skiff::pki;

namespace {

const std::vector<JwtKey>& keys() {
  static const std::vector<JwtKey> made{*jwtKeyFromPem(newEcKeyPem()), *jwtKeyFromPem(newRsaKeyPem())};
  return made;
}

void certificates(std::string_view bytes) {
  (void)parseCertificateDer(bytes).ok();
  (void)parseCertificatePem(bytes).ok();
  (void)certificatePublicKeyPem(bytes).ok();
  auto chain = splitCertificates(bytes);
  if (!chain.ok()) return;
  for (const std::string& der : *chain) (void)parseCertificateDer(der).ok();
  static const Pair ca = *selfSignedCa("ca", seconds(1000000), Clock::real());
  (void)verifyClientChain(*chain, ca.certificatePem, Clock::real()).ok();
  (void)verifyClientChain(*chain, bytes, Clock::real()).ok();
}

void token(std::string_view bytes) {
  (void)verifyJwt(keys(), bytes).ok();
  // Behind a true signature stand only claims that we wrote.
  auto signedToken = signJwt(keys()[bytes.size() % 2], bytes);
  if (!signedToken.ok()) return;
  auto claims = verifyJwt(keys(), *signedToken);
  MUST(claims.ok() && *claims == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  uint8_t kind = input.byte();
  std::string_view bytes = input.rest();
  switch (kind % 4) {
    case 0:
      certificates(bytes);
      break;
    case 1:
      (void)parseCsrPem(bytes).ok();
      (void)verifyCsrDer(bytes).ok();
      break;
    case 2:
      (void)jwtKeyFromPem(bytes).ok();
      (void)publicKeyPem(bytes).ok();
      break;
    default:
      token(bytes);
  }
  return 0;
}
