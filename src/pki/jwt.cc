#include "pki/jwt.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>

#include "base/strings.h"
#include "pki/openssl_raii.h"

namespace skiff::pki {
namespace {

constexpr size_t kMaxTokenBytes =
    64 * 1024;  // far above any real token; bounds work on foreign input
constexpr int kP256Bytes = 32;

enum class Algorithm { Rs256, Es256 };

Result<Algorithm> algorithmOf(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA")) return Algorithm::Rs256;
  char group[64] = "";
  size_t size = 0;
  if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
      std::string_view(group, size) == "prime256v1") {
    return Algorithm::Es256;
  }
  return Error(Reason::Invalid, "only RSA and ECDSA P-256 keys can sign tokens");
}

std::string_view algorithmName(Algorithm algorithm) {
  return algorithm == Algorithm::Rs256 ? "RS256" : "ES256";
}

// JWS writes an ECDSA signature as r || s, OpenSSL as a DER sequence of both.
using SignaturePtr = std::unique_ptr<ECDSA_SIG, Freer<&ECDSA_SIG_free>>;

std::optional<std::string> rawFromDer(std::string_view der) {
  auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  SignaturePtr signature(d2i_ECDSA_SIG(nullptr, &bytes, long(der.size())));
  if (!signature) return std::nullopt;
  std::string raw(2 * kP256Bytes, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  if (BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, kP256Bytes) < 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + kP256Bytes, kP256Bytes) < 0) {
    return std::nullopt;
  }
  return raw;
}

std::optional<std::string> derFromRaw(std::string_view raw) {
  if (raw.size() != 2 * kP256Bytes) return std::nullopt;
  auto* in = reinterpret_cast<const unsigned char*>(raw.data());
  BignumPtr r(BN_bin2bn(in, kP256Bytes, nullptr)),
      s(BN_bin2bn(in + kP256Bytes, kP256Bytes, nullptr));
  SignaturePtr signature(ECDSA_SIG_new());
  if (!r || !s || !signature) return std::nullopt;
  if (ECDSA_SIG_set0(signature.get(), r.release(), s.release()) != 1) return std::nullopt;
  return toDer(i2d_ECDSA_SIG, signature.get());
}

bool signatureFits(EVP_PKEY* key, std::string_view text, std::string_view signature) {
  DigestPtr digest(EVP_MD_CTX_new());
  bool fits =
      EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
      EVP_DigestVerify(digest.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                       text.size()) == 1;
  ERR_clear_error();
  return fits;
}

// A string member of a flat JSON object such as a JOSE header. The signature covers the header, and
// a wrong reading can only refuse a token: the key's own kind decides about the algorithm.
std::string_view stringMember(std::string_view json, std::string_view name) {
  size_t at = json.find(concat('"', name, '"'));
  if (at == std::string_view::npos) return {};
  auto rest = trim(json.substr(at + name.size() + 2));
  if (rest.empty() || rest.front() != ':') return {};
  rest = trim(rest.substr(1));
  if (rest.empty() || rest.front() != '"') return {};
  rest.remove_prefix(1);
  size_t end = rest.find('"');
  return end == std::string_view::npos ? std::string_view() : rest.substr(0, end);
}

std::string keyNumber(EVP_PKEY* key, const char* parameter, int bytes) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, parameter, &raw) != 1) return {};
  BignumPtr number(raw);
  int size = bytes > 0 ? bytes : BN_num_bytes(number.get());
  std::string out(size_t(size), '\0');
  BN_bn2binpad(number.get(), reinterpret_cast<unsigned char*>(out.data()), size);
  return base64UrlEncode(out);
}

Error notVerified(std::string message) { return {Reason::Unauthorized, std::move(message)}; }

}  // namespace

Result<JwtKey> jwtKeyFromPem(std::string_view pem) {
  auto key = TRY(readKey(pem));
  (void)TRY(algorithmOf(key.get()));
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  std::string der = toDer(i2d_PUBKEY, key.get());
  if (EVP_Digest(der.data(), der.size(), hash, &size, EVP_sha256(), nullptr) != 1) {
    return internalError("hashing a public key: " + opensslError());
  }
  JwtKey out;
  out.keyId = base64UrlEncode({reinterpret_cast<char*>(hash), size});
  out.publicPem = publicKeyText(key.get());
  if (pem.find("PRIVATE KEY") != std::string_view::npos) out.privatePem = privateKeyText(key.get());
  return out;
}

Result<std::string> signJwt(const JwtKey& key, std::string_view claimsJson) {
  auto privateKey = TRY(readKey(key.privatePem));
  auto algorithm = TRY(algorithmOf(privateKey.get()));
  std::string header =
      concat(R"({"alg":")", algorithmName(algorithm), R"(","kid":")", key.keyId, R"("})");
  std::string text = concat(base64UrlEncode(header), '.', base64UrlEncode(claimsJson));

  DigestPtr digest(EVP_MD_CTX_new());
  auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t size = 0;
  if (EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, privateKey.get()) != 1 ||
      EVP_DigestSign(digest.get(), nullptr, &size, bytes, text.size()) != 1) {
    return internalError("signing a token: " + opensslError());
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                     text.size()) != 1) {
    return internalError("signing a token: " + opensslError());
  }
  signature.resize(size);
  if (algorithm == Algorithm::Es256) {
    auto raw = rawFromDer(signature);
    if (!raw) return internalError("signing a token: malformed ECDSA signature");
    signature = std::move(*raw);
  }
  return concat(text, '.', base64UrlEncode(signature));
}

Result<std::string> verifyJwt(const std::vector<JwtKey>& keys, std::string_view token) {
  if (token.size() > kMaxTokenBytes) return notVerified("token is too long");
  auto parts = split(token, '.');
  if (parts.size() != 3) return notVerified("token is not a compact JWS");
  auto header = base64UrlDecode(parts[0]);
  auto claims = base64UrlDecode(parts[1]);
  auto signature = base64UrlDecode(parts[2]);
  if (!header || !claims || !signature) return notVerified("token is not base64url");
  auto algorithm = stringMember(*header, "alg");
  auto keyId = stringMember(*header, "kid");
  auto text = token.substr(0, parts[0].size() + 1 + parts[1].size());

  for (const auto& candidate : keys) {
    // A token that names its key is tried with that key alone, one that does not with all.
    if (!keyId.empty() && !candidate.keyId.empty() && keyId != candidate.keyId) continue;
    auto key = readKey(candidate.publicPem);
    if (!key.ok()) continue;
    auto fitting = algorithmOf(key->get());
    if (!fitting.ok() || algorithmName(*fitting) != algorithm) continue;
    std::optional<std::string> der = signature;
    if (*fitting == Algorithm::Es256) der = derFromRaw(*signature);
    if (der && signatureFits(key->get(), text, *der)) return *std::move(claims);
  }
  return notVerified("token signature fits no key");
}

std::string jwksJson(const std::vector<JwtKey>& keys) {
  std::string out = R"({"keys":[)";
  bool first = true;
  for (const auto& jwtKey : keys) {
    auto key = readKey(jwtKey.publicPem);
    if (!key.ok()) continue;
    auto algorithm = algorithmOf(key->get());
    if (!algorithm.ok()) continue;
    if (!first) out += ',';
    first = false;
    if (*algorithm == Algorithm::Rs256) {
      out += concat(R"({"use":"sig","kty":"RSA","kid":")", jwtKey.keyId, R"(","alg":"RS256","n":")",
                    keyNumber(key->get(), OSSL_PKEY_PARAM_RSA_N, 0), R"(","e":")",
                    keyNumber(key->get(), OSSL_PKEY_PARAM_RSA_E, 0), R"("})");
    } else {
      out += concat(R"({"use":"sig","kty":"EC","kid":")", jwtKey.keyId,
                    R"(","crv":"P-256","alg":"ES256","x":")",
                    keyNumber(key->get(), OSSL_PKEY_PARAM_EC_PUB_X, kP256Bytes), R"(","y":")",
                    keyNumber(key->get(), OSSL_PKEY_PARAM_EC_PUB_Y, kP256Bytes), R"("})");
    }
  }
  return out + "]}";
}

}  // namespace skiff::pki
