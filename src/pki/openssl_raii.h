// Owners for OpenSSL's objects and small helpers. Only for the .cc files of this room.
#pragma once
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::pki {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using BioPtr = std::unique_ptr<BIO, Freer<&BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<&EVP_PKEY_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, Freer<&EVP_PKEY_CTX_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Freer<&EVP_MD_CTX_free>>;
using CertificatePtr = std::unique_ptr<X509, Freer<&X509_free>>;
using CsrPtr = std::unique_ptr<X509_REQ, Freer<&X509_REQ_free>>;
using NamePtr = std::unique_ptr<X509_NAME, Freer<&X509_NAME_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Freer<&X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Freer<&X509_STORE_CTX_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, Freer<&BN_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freer<&X509_EXTENSION_free>>;
using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<&GENERAL_NAMES_free>>;

inline BioPtr readBio(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), int(text.size())));
}

inline std::string takeText(const BioPtr& bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, size_t(size)) : std::string();
}

// The newest entry of the thread's error queue in words; empties the queue.
inline std::string opensslError() {
  char text[256] = "unknown error";
  if (unsigned long code = ERR_peek_last_error(); code != 0) {
    ERR_error_string_n(code, text, sizeof text);
  }
  ERR_clear_error();
  return text;
}

// Calls an i2d function and gives its bytes.
template <class Encode, class T>
std::string toDer(Encode encode, const T* object) {
  unsigned char* bytes = nullptr;
  int size = encode(object, &bytes);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<char*>(bytes), size_t(size));
  OPENSSL_free(bytes);
  return out;
}

Result<KeyPtr> readKey(std::string_view pem);  // private or public
KeyPtr generateKey(std::string_view type, int rsaBits);
std::string privateKeyText(EVP_PKEY* key);  // PKCS#8
std::string publicKeyText(EVP_PKEY* key);

}  // namespace skiff::pki
