// Authenticated and other ciphers in the byte layouts of upstream's encryption at rest, over OpenSSL and libsodium. What is random
// (nonce, initial vector) stands before the ciphertext.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::pki {

std::string randomBytes(size_t size);
// RFC 5869 section 2.3, with SHA-256.
Result<std::string> hkdfExpand(std::string_view key, std::string_view info, size_t size);

// nonce (12) | ciphertext | tag (16). Keys of 16, 24 or 32 bytes; `context` is authenticated, not kept.
Result<std::string> sealAesGcm(std::string_view key, std::string_view text, std::string_view context);
Result<std::string> openAesGcm(std::string_view key, std::string_view sealed, std::string_view context);
// vector (16) | ciphertext, padded as PKCS #7. Keys as above. Nothing is authenticated.
Result<std::string> sealAesCbc(std::string_view key, std::string_view text);
Result<std::string> openAesCbc(std::string_view key, std::string_view sealed);
// nonce (24) | XSalsa20 and Poly1305 as of NaCl's secretbox. Keys of 32 bytes.
Result<std::string> sealSecretbox(std::string_view key, std::string_view text);
Result<std::string> openSecretbox(std::string_view key, std::string_view sealed);

}  // namespace skiff::pki
