#include "base/strings.h"
#include "pki/openssl_raii.h"
#include "pki/x509.h"

namespace skiff::pki {

Result<KeyPtr> readKey(std::string_view pem) {
  // Neither form may ask for a passphrase on the terminal.
  auto noPassphrase = [](char*, int, int, void*) { return 0; };
  if (auto bio = readBio(pem)) {
    if (KeyPtr key{PEM_read_bio_PrivateKey(bio.get(), nullptr, noPassphrase, nullptr)}) return key;
  }
  if (auto bio = readBio(pem)) {
    if (KeyPtr key{PEM_read_bio_PUBKEY(bio.get(), nullptr, noPassphrase, nullptr)}) return key;
  }
  return Error(Reason::Invalid, "not a PEM key: " + opensslError());
}

KeyPtr generateKey(std::string_view type, int rsaBits) {
  return KeyPtr(type == "RSA" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t(rsaBits))
                              : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
}

std::string privateKeyText(EVP_PKEY* key) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return {};
  }
  return takeText(bio);
}

std::string publicKeyText(EVP_PKEY* key) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PUBKEY(bio.get(), key) != 1) return {};
  return takeText(bio);
}

std::string newEcKeyPem() {
  auto key = generateKey("EC", 0);
  MUST(key != nullptr);  // only without entropy or memory
  return privateKeyText(key.get());
}

std::string newRsaKeyPem(int bits) {
  auto key = generateKey("RSA", bits);
  MUST(key != nullptr);
  return privateKeyText(key.get());
}

Result<std::string> newKeyPem(std::string_view type) {
  KeyPtr key;
  if (type == "RSA3072") key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t(3072)));
  else if (type == "RSA4096") key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t(4096)));
  else if (type == "ECDSAP256") key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  else if (type == "ECDSAP384") key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384"));
  else if (type == "ECDSAP521") key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-521"));
  else if (type == "ED25519") key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  else return Error(Reason::Invalid, concat("unknown key type ", quoted(type)));
  if (!key) return internalError("making a key: " + opensslError());
  return privateKeyText(key.get());
}

Result<std::string> publicKeyPem(std::string_view keyPem) {
  auto key = TRY(readKey(keyPem));
  return publicKeyText(key.get());
}

std::string sha256(std::string_view bytes) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  MUST(EVP_Digest(bytes.data(), bytes.size(), hash, &size, EVP_sha256(), nullptr) == 1);
  return {reinterpret_cast<char*>(hash), size};
}

}  // namespace skiff::pki
