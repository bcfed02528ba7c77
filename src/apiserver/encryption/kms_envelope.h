// What a value sealed under a KMS looks like, and the cipher of its seed. The key service sees only the seed (32 bytes); each
// value has a key of its own, derived from the seed and 32 random bytes that stand before the ciphertext:
//
//   k8s:enc:kms:v2:NAME:  protobuf { 1 data, 2 key id, 3 encrypted seed, 4 annotations, 5 kind of the seed }
//   data:  info (32) | AES-GCM(HKDF-Expand(SHA-256, seed, info), value; authenticated: the key in the store)
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::apiserver::encryption {

inline constexpr std::string_view kKmsPrefix = "k8s:enc:kms:v2:";

struct KmsEnvelope {
  enum class Source : uint8_t { AesGcmKey = 0, HkdfSeed = 1 };  // the older one is only read
  std::string data, keyId, encryptedSeed;
  std::map<std::string, std::string> annotations;
  Source source = Source::HkdfSeed;

  std::string encode() const;
  static Result<KmsEnvelope> decode(std::string_view bytes);
};

inline constexpr size_t kSeedSize = 32;
Result<std::string> sealWithSeed(std::string_view seed, std::string_view key, std::string_view value);
Result<std::string> openWithSeed(std::string_view seed, KmsEnvelope::Source source, std::string_view key, std::string_view data);

}  // namespace skiff::apiserver::encryption
