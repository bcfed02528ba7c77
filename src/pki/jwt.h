// JSON Web Tokens signed with RS256 or ES256 (RFC 7515, 7519). Claims are JSON text; no idea of
// their meaning.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::pki {

struct JwtKey {
  std::string keyId;  // "kid": base64url of SHA-256 of the public key's DER, as upstream
  std::string publicPem;
  std::string privatePem;  // empty for keys that only verify
};
Result<JwtKey> jwtKeyFromPem(std::string_view pem);  // private or public

Result<std::string> signJwt(const JwtKey& key, std::string_view claimsJson);
// The claims' JSON of a token whose signature fits one of the keys.
Result<std::string> verifyJwt(const std::vector<JwtKey>& keys, std::string_view token);
std::string jwksJson(const std::vector<JwtKey>& keys);  // RFC 7517

}  // namespace skiff::pki
