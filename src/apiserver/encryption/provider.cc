#include "apiserver/encryption/provider.h"

#include "apiserver/encryption/kms_envelope.h"
#include "base/strings.h"
#include "pki/ciphers.h"

namespace skiff::apiserver::encryption {
namespace {

std::string_view prefixOf(Cipher cipher) {
  switch (cipher) {
    case Cipher::AesGcm: return "k8s:enc:aesgcm:v1:";
    case Cipher::AesCbc: return "k8s:enc:aescbc:v1:";
    case Cipher::Secretbox: return "k8s:enc:secretbox:v1:";
  }
  return {};
}

class KeyedProvider final : public Provider {
 public:
  KeyedProvider(Cipher cipher, std::vector<NamedKey> keys) : cipher_(cipher), keys_(std::move(keys)) {}

  Result<std::string> seal(std::string_view key, std::string_view value) override {
    const std::string& secret = keys_[0].secret;
    std::string sealed;
    switch (cipher_) {
      case Cipher::AesGcm: sealed = TRY(pki::sealAesGcm(secret, value, key)); break;
      case Cipher::AesCbc: sealed = TRY(pki::sealAesCbc(secret, value)); break;
      case Cipher::Secretbox: sealed = TRY(pki::sealSecretbox(secret, value)); break;
    }
    return concat(currentSeal(), sealed);
  }

  Result<std::optional<std::string>> open(std::string_view key, std::string_view stored) override {
    std::optional<std::string> none;
    std::string_view prefix = prefixOf(cipher_);
    if (!stored.starts_with(prefix)) return none;
    for (const NamedKey& candidate : keys_) {
      std::string whole = concat(prefix, candidate.name, ":");
      if (!stored.starts_with(whole)) continue;
      std::string_view sealed = stored.substr(whole.size());
      switch (cipher_) {
        case Cipher::AesGcm: return std::optional(TRY(pki::openAesGcm(candidate.secret, sealed, key)));
        case Cipher::AesCbc: return std::optional(TRY(pki::openAesCbc(candidate.secret, sealed)));
        case Cipher::Secretbox: return std::optional(TRY(pki::openSecretbox(candidate.secret, sealed)));
      }
    }
    return Error(Reason::InternalError, "no matching key was found for the provided transformer");
  }

  std::string currentSeal() override { return concat(prefixOf(cipher_), keys_[0].name, ":"); }

 private:
  const Cipher cipher_;
  const std::vector<NamedKey> keys_;
};

class IdentityProvider final : public Provider {
 public:
  Result<std::string> seal(std::string_view, std::string_view value) override { return std::string(value); }
  Result<std::optional<std::string>> open(std::string_view, std::string_view stored) override {
    if (stored.starts_with(kSealedPrefix)) return std::optional<std::string>();
    return std::optional(std::string(stored));
  }
  std::string currentSeal() override { return {}; }
};

}  // namespace

std::string sealOf(std::string_view stored) {
  if (!stored.starts_with(kSealedPrefix)) return {};
  // k8s:enc:PROVIDER:VERSION:NAME:
  size_t end = kSealedPrefix.size();
  for (int part = 0; part < 3; ++part) {
    size_t colon = stored.find(':', end);
    if (colon == std::string_view::npos) return std::string(stored.substr(0, kSealedPrefix.size()));
    end = colon + 1;
  }
  std::string seal(stored.substr(0, end));
  if (!seal.starts_with(kKmsPrefix)) return seal;
  auto envelope = KmsEnvelope::decode(stored.substr(end));
  return envelope.ok() ? concat(seal, envelope->keyId) : seal;
}

std::unique_ptr<Provider> makeKeyedProvider(Cipher cipher, std::vector<NamedKey> keys) {
  return std::make_unique<KeyedProvider>(cipher, std::move(keys));
}
std::unique_ptr<Provider> makeIdentityProvider() { return std::make_unique<IdentityProvider>(); }

}  // namespace skiff::apiserver::encryption
