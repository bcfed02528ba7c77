#include "apiserver/encryption/kms_envelope.h"

#include "base/strings.h"
#include "codec/wire.h"
#include "pki/ciphers.h"

namespace skiff::apiserver::encryption {
namespace {

constexpr size_t kInfoSize = 32, kDerivedSize = 32;

std::string entry(std::string_view key, std::string_view value) {
  std::string out;
  codec::writeBytesField(out, 1, key);
  codec::writeBytesField(out, 2, value);
  return out;
}

}  // namespace

std::string KmsEnvelope::encode() const {
  std::string out;
  codec::writeBytesField(out, 1, data);
  codec::writeBytesField(out, 2, keyId);
  codec::writeBytesField(out, 3, encryptedSeed);
  for (const auto& [key, value] : annotations) codec::writeBytesField(out, 4, entry(key, value));
  if (source != Source::AesGcmKey) codec::writeVarintField(out, 5, uint64_t(source));
  return out;
}

Result<KmsEnvelope> KmsEnvelope::decode(std::string_view bytes) {
  KmsEnvelope out;
  out.source = Source::AesGcmKey;
  codec::WireReader reader(bytes);
  while (reader.next()) {
    switch (reader.field()) {
      case 1: out.data = std::string(reader.bytes()); break;
      case 2: out.keyId = std::string(reader.bytes()); break;
      case 3: out.encryptedSeed = std::string(reader.bytes()); break;
      case 4: {
        std::string key, value;
        codec::WireReader pair(reader.bytes());
        while (pair.next()) (pair.field() == 1 ? key : value) = std::string(pair.bytes());
        out.annotations[key] = value;
        break;
      }
      case 5:
        if (reader.varint() > 1) return Error(Reason::Invalid, concat("unknown encryptedDEKSourceType ", reader.varint()));
        out.source = Source(reader.varint());
        break;
      default: break;
    }
  }
  if (reader.failed() || out.data.empty() || out.encryptedSeed.empty()) return Error(Reason::Invalid, "not a KMS v2 envelope");
  return out;
}

Result<std::string> sealWithSeed(std::string_view seed, std::string_view key, std::string_view value) {
  std::string info = pki::randomBytes(kInfoSize);
  std::string derived = TRY(pki::hkdfExpand(seed, info, kDerivedSize));
  return concat(info, TRY(pki::sealAesGcm(derived, value, key)));
}

Result<std::string> openWithSeed(std::string_view seed, KmsEnvelope::Source source, std::string_view key, std::string_view data) {
  if (source == KmsEnvelope::Source::AesGcmKey) return pki::openAesGcm(seed, data, key);
  if (data.size() < kInfoSize) return Error(Reason::Invalid, "the stored data was shorter than the required size");
  std::string derived = TRY(pki::hkdfExpand(seed, data.substr(0, kInfoSize), kDerivedSize));
  return pki::openAesGcm(derived, data.substr(kInfoSize), key);
}

}  // namespace skiff::apiserver::encryption
