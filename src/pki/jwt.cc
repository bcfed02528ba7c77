#include "pki/jwt.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#include <algorithm>

#include "base/strings.h"
#include "pki/openssl_raii.h"

namespace skiff::pki {
namespace {

constexpr size_t kMaxTokenBytes = 64 * 1024;  // far above any real token; bounds work on foreign input

// RFC 7518 section 3. The first that fits a key is the one it signs with.
struct Algorithm {
  enum class Scheme { RsaPkcs1, RsaPss, Ecdsa };
  std::string_view name;
  Scheme scheme;
  const EVP_MD* (*hash)();
  std::string_view group, curve;  // of ECDSA: OpenSSL's and the JWK's name
  int numberBytes;                // of ECDSA: r and s
};
using enum Algorithm::Scheme;
constexpr Algorithm kAlgorithms[] = {
    {"RS256", RsaPkcs1, EVP_sha256, "", "", 0},
    {"RS384", RsaPkcs1, EVP_sha384, "", "", 0},
    {"RS512", RsaPkcs1, EVP_sha512, "", "", 0},
    {"PS256", RsaPss, EVP_sha256, "", "", 0},
    {"PS384", RsaPss, EVP_sha384, "", "", 0},
    {"PS512", RsaPss, EVP_sha512, "", "", 0},
    {"ES256", Ecdsa, EVP_sha256, "prime256v1", "P-256", 32},
    {"ES384", Ecdsa, EVP_sha384, "secp384r1", "P-384", 48},
    {"ES512", Ecdsa, EVP_sha512, "secp521r1", "P-521", 66},
};

bool fits(const Algorithm& algorithm, EVP_PKEY* key) {
  if (algorithm.scheme != Ecdsa) return EVP_PKEY_is_a(key, "RSA");
  char group[64] = "";
  size_t size = 0;
  return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
         std::string_view(group, size) == algorithm.group;
}

Result<const Algorithm*> algorithmOf(EVP_PKEY* key, std::string_view name = {}) {
  for (const Algorithm& algorithm : kAlgorithms)
    if ((name.empty() || algorithm.name == name) && fits(algorithm, key)) return &algorithm;
  return Error(Reason::Invalid, "only RSA and ECDSA P-256, P-384 and P-521 keys can sign tokens");
}

// JWS writes an ECDSA signature as r || s, OpenSSL as a DER sequence of both.
using SignaturePtr = std::unique_ptr<ECDSA_SIG, Freer<&ECDSA_SIG_free>>;

std::optional<std::string> rawFromDer(std::string_view der, int numberBytes) {
  auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  SignaturePtr signature(d2i_ECDSA_SIG(nullptr, &bytes, long(der.size())));
  if (!signature) return std::nullopt;
  std::string raw(2 * size_t(numberBytes), '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  if (BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, numberBytes) < 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + numberBytes, numberBytes) < 0)
    return std::nullopt;
  return raw;
}

std::optional<std::string> derFromRaw(std::string_view raw, int numberBytes) {
  if (raw.size() != 2 * size_t(numberBytes)) return std::nullopt;
  auto* in = reinterpret_cast<const unsigned char*>(raw.data());
  BignumPtr r(BN_bin2bn(in, numberBytes, nullptr)), s(BN_bin2bn(in + numberBytes, numberBytes, nullptr));
  SignaturePtr signature(ECDSA_SIG_new());
  if (!r || !s || !signature) return std::nullopt;
  if (ECDSA_SIG_set0(signature.get(), r.release(), s.release()) != 1) return std::nullopt;
  return toDer(i2d_ECDSA_SIG, signature.get());
}

// Of a digest context that has just been initialised.
bool setPadding(EVP_PKEY_CTX* context, const Algorithm& algorithm) {
  if (algorithm.scheme != RsaPss) return true;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0;
}

bool signatureFits(EVP_PKEY* key, const Algorithm& algorithm, std::string_view text, std::string_view signature) {
  DigestPtr digest(EVP_MD_CTX_new());
  EVP_PKEY_CTX* context = nullptr;
  bool good = EVP_DigestVerifyInit(digest.get(), &context, algorithm.hash(), nullptr, key) == 1 && setPadding(context, algorithm) &&
              EVP_DigestVerify(digest.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                               reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  ERR_clear_error();
  return good;
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

// A public key from its parameters; takes none of them over.
Result<KeyPtr> keyFrom(const char* type, OSSL_PARAM* parameters) {
  KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
    return Error(Reason::Invalid, concat("not a public key: ", opensslError()));
  return KeyPtr(key);
}

// OpenSSL takes numbers in the machine's order.
std::vector<unsigned char> nativeNumber(std::string_view bigEndian) {
  std::vector<unsigned char> out(bigEndian.begin(), bigEndian.end());
  if constexpr (std::endian::native == std::endian::little) std::ranges::reverse(out);
  return out;
}

}  // namespace

Result<JwtKey> jwtKeyFromPem(std::string_view pem) {
  auto key = TRY(readKey(pem));
  (void)TRY(algorithmOf(key.get()));
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  std::string der = toDer(i2d_PUBKEY, key.get());
  if (EVP_Digest(der.data(), der.size(), hash, &size, EVP_sha256(), nullptr) != 1)
    return internalError("hashing a public key: " + opensslError());
  JwtKey out;
  out.keyId = base64UrlEncode({reinterpret_cast<char*>(hash), size});
  out.publicPem = publicKeyText(key.get());
  if (pem.find("PRIVATE KEY") != std::string_view::npos) out.privatePem = privateKeyText(key.get());
  return out;
}

Result<Jwt> parseJwt(std::string_view token) {
  if (token.size() > kMaxTokenBytes) return notVerified("token is too long");
  auto parts = split(token, '.');
  if (parts.size() != 3) return notVerified("token is not a compact JWS");
  auto header = base64UrlDecode(parts[0]);
  auto claims = base64UrlDecode(parts[1]);
  auto signature = base64UrlDecode(parts[2]);
  if (!header || !claims || !signature) return notVerified("token is not base64url");
  Jwt out;
  out.algorithm = std::string(stringMember(*header, "alg"));
  out.keyId = std::string(stringMember(*header, "kid"));
  out.claims = *std::move(claims);
  out.signedText = token.substr(0, parts[0].size() + 1 + parts[1].size());
  out.signature = *std::move(signature);
  return out;
}

Result<JwtPublicKey> JwtPublicKey::fromPem(std::string keyId, std::string_view pem) {
  auto key = TRY(readKey(pem));
  (void)TRY(algorithmOf(key.get()));
  return JwtPublicKey(std::move(keyId), std::shared_ptr<EVP_PKEY>(std::move(key)));
}

Result<JwtPublicKey> JwtPublicKey::rsa(std::string keyId, std::string_view modulus, std::string_view exponent) {
  constexpr size_t kMinBytes = 128, kMaxBytes = 1024;  // 1024 to 8192 bits; an issuer must not choose how long we work
  while (modulus.starts_with('\0')) modulus.remove_prefix(1);
  if (modulus.size() < kMinBytes || modulus.size() > kMaxBytes || exponent.empty() || exponent.size() > 8)
    return Error(Reason::Invalid, "not an RSA key of 1024 to 8192 bits");
  auto n = nativeNumber(modulus), e = nativeNumber(exponent);
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n.data(), n.size()),
                             OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e.data(), e.size()), OSSL_PARAM_construct_end()};
  auto key = TRY(keyFrom("RSA", parameters));
  return JwtPublicKey(std::move(keyId), std::shared_ptr<EVP_PKEY>(std::move(key)));
}

Result<JwtPublicKey> JwtPublicKey::ec(std::string keyId, std::string_view curve, std::string_view x, std::string_view y) {
  auto algorithm = std::ranges::find(kAlgorithms, curve, &Algorithm::curve);
  if (curve.empty() || algorithm == std::end(kAlgorithms)) return Error(Reason::Invalid, concat("unknown curve ", quoted(curve)));
  auto bytes = size_t(algorithm->numberBytes);
  if (x.size() > bytes || y.size() > bytes) return Error(Reason::Invalid, "not a point of the curve");
  std::string point = "\x04";  // uncompressed: SEC 1 section 2.3.3
  point += std::string(bytes - x.size(), '\0').append(x);
  point += std::string(bytes - y.size(), '\0').append(y);
  std::string group(algorithm->group);
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size()),
                             OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
                             OSSL_PARAM_construct_end()};
  auto key = TRY(keyFrom("EC", parameters));
  return JwtPublicKey(std::move(keyId), std::shared_ptr<EVP_PKEY>(std::move(key)));
}

bool JwtPublicKey::verifies(const Jwt& token) const {
  if (token.algorithm.empty()) return false;
  auto algorithm = algorithmOf(key_.get(), token.algorithm);
  if (!algorithm.ok()) return false;
  const Algorithm& known = **algorithm;
  if (known.scheme != Ecdsa) return signatureFits(key_.get(), known, token.signedText, token.signature);
  auto der = derFromRaw(token.signature, known.numberBytes);
  return der && signatureFits(key_.get(), known, token.signedText, *der);
}

bool verifies(const std::vector<JwtPublicKey>& keys, const Jwt& token) {
  return std::ranges::any_of(keys, [&](const JwtPublicKey& key) {
    bool named = !token.keyId.empty() && !key.keyId().empty();
    return (!named || token.keyId == key.keyId()) && key.verifies(token);
  });
}

Result<std::string> signJwt(const JwtKey& key, std::string_view claimsJson) { return signJwt(key, claimsJson, {}); }

Result<std::string> signJwt(const JwtKey& key, std::string_view claimsJson, std::string_view algorithmName) {
  auto privateKey = TRY(readKey(key.privatePem));
  const Algorithm& algorithm = *TRY(algorithmOf(privateKey.get(), algorithmName));
  std::string header = concat(R"({"alg":")", algorithm.name, R"(","kid":")", key.keyId, R"("})");
  std::string text = concat(base64UrlEncode(header), '.', base64UrlEncode(claimsJson));

  auto failed = [] { return internalError("signing a token: " + opensslError()); };
  DigestPtr digest(EVP_MD_CTX_new());
  EVP_PKEY_CTX* context = nullptr;
  auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t size = 0;
  if (EVP_DigestSignInit(digest.get(), &context, algorithm.hash(), nullptr, privateKey.get()) != 1 ||
      !setPadding(context, algorithm) || EVP_DigestSign(digest.get(), nullptr, &size, bytes, text.size()) != 1)
    return failed();
  std::string signature(size, '\0');
  if (EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size()) != 1)
    return failed();
  signature.resize(size);
  if (algorithm.scheme == Ecdsa) {
    auto raw = rawFromDer(signature, algorithm.numberBytes);
    if (!raw) return internalError("signing a token: malformed ECDSA signature");
    signature = std::move(*raw);
  }
  return concat(text, '.', base64UrlEncode(signature));
}

Result<std::string> verifyJwt(const std::vector<JwtKey>& keys, std::string_view token) {
  Jwt parsed = TRY(parseJwt(token));
  std::vector<JwtPublicKey> publicKeys;
  for (const JwtKey& key : keys)
    if (auto made = JwtPublicKey::fromPem(key.keyId, key.publicPem); made.ok()) publicKeys.push_back(*std::move(made));
  if (!verifies(publicKeys, parsed)) return notVerified("token signature fits no key");
  return std::move(parsed.claims);
}

std::string jwksJson(const std::vector<JwtKey>& keys) {
  std::string out = R"({"keys":[)";
  bool first = true;
  for (const auto& jwtKey : keys) {
    auto key = readKey(jwtKey.publicPem);
    if (!key.ok()) continue;
    auto found = algorithmOf(key->get());
    if (!found.ok()) continue;
    const Algorithm& algorithm = **found;
    if (!first) out += ',';
    first = false;
    if (algorithm.scheme != Ecdsa) {
      out += concat(R"({"use":"sig","kty":"RSA","kid":")", jwtKey.keyId, R"(","alg":"RS256","n":")",
                    keyNumber(key->get(), OSSL_PKEY_PARAM_RSA_N, 0), R"(","e":")",
                    keyNumber(key->get(), OSSL_PKEY_PARAM_RSA_E, 0), R"("})");
    } else {
      out += concat(R"({"use":"sig","kty":"EC","kid":")", jwtKey.keyId, R"(","crv":")", algorithm.curve, R"(","alg":")",
                    algorithm.name, R"(","x":")", keyNumber(key->get(), OSSL_PKEY_PARAM_EC_PUB_X, algorithm.numberBytes),
                    R"(","y":")", keyNumber(key->get(), OSSL_PKEY_PARAM_EC_PUB_Y, algorithm.numberBytes), R"("})");
    }
  }
  return out + "]}";
}

std::vector<std::string> jwtAlgorithms(const std::vector<JwtKey>& keys) {
  std::vector<std::string> out;
  for (const JwtKey& jwtKey : keys) {
    auto key = readKey(jwtKey.publicPem);
    if (!key.ok()) continue;
    auto algorithm = algorithmOf(key->get());
    if (!algorithm.ok()) continue;
    if (std::ranges::find(out, (*algorithm)->name) == out.end()) out.emplace_back((*algorithm)->name);
  }
  return out;
}

}  // namespace skiff::pki
