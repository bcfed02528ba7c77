// JSON Web Tokens signed with RSA or ECDSA (RFC 7515, 7518, 7519). Claims are JSON text; no idea of their meaning.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct evp_pkey_st;

namespace skiff::pki {

struct JwtKey {
  std::string keyId;  // "kid": base64url of SHA-256 of the public key's DER, as upstream
  std::string publicPem;
  std::string privatePem;  // empty for keys that only verify
};
Result<JwtKey> jwtKeyFromPem(std::string_view pem);  // private or public

// A token taken apart, not yet believed. The views look into the token.
struct Jwt {
  std::string algorithm, keyId;  // of its header
  std::string claims;            // JSON
  std::string_view signedText;
  std::string signature;
};
Result<Jwt> parseJwt(std::string_view token);

// A key that verifies, parsed once. Cheap to copy, safe to use from any thread.
class JwtPublicKey {
 public:
  static Result<JwtPublicKey> fromPem(std::string keyId, std::string_view pem);
  // Of a JSON Web Key (RFC 7518 section 6): numbers are big-endian bytes.
  static Result<JwtPublicKey> rsa(std::string keyId, std::string_view modulus, std::string_view exponent);
  static Result<JwtPublicKey> ec(std::string keyId, std::string_view curve, std::string_view x, std::string_view y);

  const std::string& keyId() const { return keyId_; }
  // False too when the token names an algorithm that is not the key's.
  bool verifies(const Jwt& token) const;

 private:
  JwtPublicKey(std::string keyId, std::shared_ptr<evp_pkey_st> key) : keyId_(std::move(keyId)), key_(std::move(key)) {}
  std::string keyId_;
  std::shared_ptr<evp_pkey_st> key_;
};
// A token that names its key is tried with that key alone, one that does not with all.
bool verifies(const std::vector<JwtPublicKey>& keys, const Jwt& token);

Result<std::string> signJwt(const JwtKey& key, std::string_view claimsJson);
// As above for tests and issuers of other than the key's first algorithm: "PS256", "RS512" ...
Result<std::string> signJwt(const JwtKey& key, std::string_view claimsJson, std::string_view algorithm);
// The claims' JSON of a token whose signature fits one of the keys.
Result<std::string> verifyJwt(const std::vector<JwtKey>& keys, std::string_view token);
std::string jwksJson(const std::vector<JwtKey>& keys);  // RFC 7517
// The algorithms that the keys sign with, each once, in the keys' order.
std::vector<std::string> jwtAlgorithms(const std::vector<JwtKey>& keys);

}  // namespace skiff::pki
