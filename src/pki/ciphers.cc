#include "pki/ciphers.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <sodium/crypto_secretbox.h>

#include "pki/openssl_raii.h"

namespace skiff::pki {
namespace {

using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, Freer<&EVP_CIPHER_CTX_free>>;
using KdfPtr = std::unique_ptr<EVP_KDF, Freer<&EVP_KDF_free>>;
using KdfContextPtr = std::unique_ptr<EVP_KDF_CTX, Freer<&EVP_KDF_CTX_free>>;

constexpr size_t kGcmNonce = 12, kGcmTag = 16, kBlock = 16;

const unsigned char* in(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* out(std::string& bytes, size_t at = 0) { return reinterpret_cast<unsigned char*>(bytes.data()) + at; }

Error failed(std::string_view what) { return internalError(std::string(what) + ": " + opensslError()); }
Error notAuthentic() { return {Reason::Invalid, "cipher: message authentication failed"}; }

Result<const EVP_CIPHER*> gcmOf(std::string_view key) {
  if (key.size() == 16) return EVP_aes_128_gcm();
  if (key.size() == 24) return EVP_aes_192_gcm();
  if (key.size() == 32) return EVP_aes_256_gcm();
  return Error(Reason::Invalid, "AES keys have 16, 24 or 32 bytes");
}

Result<const EVP_CIPHER*> cbcOf(std::string_view key) {
  if (key.size() == 16) return EVP_aes_128_cbc();
  if (key.size() == 24) return EVP_aes_192_cbc();
  if (key.size() == 32) return EVP_aes_256_cbc();
  return Error(Reason::Invalid, "AES keys have 16, 24 or 32 bytes");
}

}  // namespace

std::string randomBytes(size_t size) {
  std::string bytes(size, '\0');
  MUST(RAND_bytes(out(bytes), int(size)) == 1);  // without randomness nothing here is safe
  return bytes;
}

Result<std::string> hkdfExpand(std::string_view key, std::string_view info, size_t size) {
  KdfPtr kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  KdfContextPtr context(EVP_KDF_CTX_new(kdf.get()));
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<char*>(key.data()), key.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<char*>(info.data()), info.size()),
      OSSL_PARAM_construct_end()};
  std::string derived(size, '\0');
  if (EVP_KDF_derive(context.get(), out(derived), size, parameters) != 1) return failed("deriving a key");
  return derived;
}

Result<std::string> sealAesGcm(std::string_view key, std::string_view text, std::string_view context) {
  const EVP_CIPHER* cipher = TRY(gcmOf(key));
  std::string sealed = randomBytes(kGcmNonce);
  sealed.resize(kGcmNonce + text.size() + kGcmTag);
  CipherPtr ctx(EVP_CIPHER_CTX_new());
  int size = 0;
  bool good = EVP_EncryptInit_ex(ctx.get(), cipher, nullptr, in(key), in(sealed)) == 1 &&
              EVP_EncryptUpdate(ctx.get(), nullptr, &size, in(context), int(context.size())) == 1 &&
              EVP_EncryptUpdate(ctx.get(), out(sealed, kGcmNonce), &size, in(text), int(text.size())) == 1 &&
              EVP_EncryptFinal_ex(ctx.get(), out(sealed, kGcmNonce + text.size()), &size) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_GCM_GET_TAG, int(kGcmTag), out(sealed, kGcmNonce + text.size())) == 1;
  if (!good) return failed("encrypting");
  return sealed;
}

Result<std::string> openAesGcm(std::string_view key, std::string_view sealed, std::string_view context) {
  const EVP_CIPHER* cipher = TRY(gcmOf(key));
  if (sealed.size() < kGcmNonce + kGcmTag) return Error(Reason::Invalid, "the stored data was shorter than the required size");
  std::string_view nonce = sealed.substr(0, kGcmNonce), tag = sealed.substr(sealed.size() - kGcmTag);
  std::string_view body = sealed.substr(kGcmNonce, sealed.size() - kGcmNonce - kGcmTag);
  std::string text(body.size(), '\0');
  CipherPtr ctx(EVP_CIPHER_CTX_new());
  int size = 0;
  unsigned char none[kBlock];
  bool good = EVP_DecryptInit_ex(ctx.get(), cipher, nullptr, in(key), in(nonce)) == 1 &&
              EVP_DecryptUpdate(ctx.get(), nullptr, &size, in(context), int(context.size())) == 1 &&
              EVP_DecryptUpdate(ctx.get(), out(text), &size, in(body), int(body.size())) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_GCM_SET_TAG, int(kGcmTag), const_cast<char*>(tag.data())) == 1 &&
              EVP_DecryptFinal_ex(ctx.get(), none, &size) == 1;
  ERR_clear_error();
  if (!good) return notAuthentic();
  return text;
}

Result<std::string> sealAesCbc(std::string_view key, std::string_view text) {
  const EVP_CIPHER* cipher = TRY(cbcOf(key));
  std::string sealed = randomBytes(kBlock);
  sealed.resize(kBlock + text.size() + kBlock);
  CipherPtr ctx(EVP_CIPHER_CTX_new());
  int size = 0, last = 0;
  bool good = EVP_EncryptInit_ex(ctx.get(), cipher, nullptr, in(key), in(sealed)) == 1 &&
              EVP_EncryptUpdate(ctx.get(), out(sealed, kBlock), &size, in(text), int(text.size())) == 1 &&
              EVP_EncryptFinal_ex(ctx.get(), out(sealed, kBlock + size_t(size)), &last) == 1;
  if (!good) return failed("encrypting");
  sealed.resize(kBlock + size_t(size) + size_t(last));
  return sealed;
}

Result<std::string> openAesCbc(std::string_view key, std::string_view sealed) {
  const EVP_CIPHER* cipher = TRY(cbcOf(key));
  if (sealed.size() < 2 * kBlock || sealed.size() % kBlock != 0)
    return Error(Reason::Invalid, "the stored data is not a multiple of the block size");
  std::string_view body = sealed.substr(kBlock);
  std::string text(body.size() + kBlock, '\0');
  CipherPtr ctx(EVP_CIPHER_CTX_new());
  int size = 0, last = 0;
  bool good = EVP_DecryptInit_ex(ctx.get(), cipher, nullptr, in(key), in(sealed)) == 1 &&
              EVP_DecryptUpdate(ctx.get(), out(text), &size, in(body), int(body.size())) == 1 &&
              EVP_DecryptFinal_ex(ctx.get(), out(text, size_t(size)), &last) == 1;
  ERR_clear_error();
  if (!good) return Error(Reason::Invalid, "invalid padding on input");
  text.resize(size_t(size) + size_t(last));
  return text;
}

Result<std::string> sealSecretbox(std::string_view key, std::string_view text) {
  if (key.size() != crypto_secretbox_KEYBYTES) return Error(Reason::Invalid, "secretbox keys have 32 bytes");
  std::string sealed = randomBytes(crypto_secretbox_NONCEBYTES);
  sealed.resize(crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + text.size());
  if (crypto_secretbox_easy(out(sealed, crypto_secretbox_NONCEBYTES), in(text), text.size(), in(sealed), in(key)) != 0)
    return internalError("encrypting");
  return sealed;
}

Result<std::string> openSecretbox(std::string_view key, std::string_view sealed) {
  if (key.size() != crypto_secretbox_KEYBYTES) return Error(Reason::Invalid, "secretbox keys have 32 bytes");
  if (sealed.size() < crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)
    return Error(Reason::Invalid, "the stored data was shorter than the required size");
  std::string_view body = sealed.substr(crypto_secretbox_NONCEBYTES);
  std::string text(body.size() - crypto_secretbox_MACBYTES, '\0');
  if (crypto_secretbox_open_easy(out(text), in(body), body.size(), in(sealed), in(key)) != 0) return notAuthentic();
  return text;
}

}  // namespace skiff::pki
