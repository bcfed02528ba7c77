// Certificates for this room's tests, made once a process.
#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <string>

#include "net/tls.h"

namespace skiff::net {

struct TestTls {
  std::string caPem, otherCaPem;
  std::shared_ptr<TlsContext> server,
      client;  // for 127.0.0.1 and "localhost"; the client shows a certificate
};

namespace test_tls {

struct Pair {
  X509* certificate;
  EVP_PKEY* key;
};

inline void release(const Pair& pair) {
  X509_free(pair.certificate);
  EVP_PKEY_free(pair.key);
}

inline std::string pemOf(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  char* data = nullptr;
  auto size = BIO_get_mem_data(bio, &data);
  std::string out(data, size_t(size));
  BIO_free_all(bio);
  return out;
}

inline std::string pemOf(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  auto size = BIO_get_mem_data(bio, &data);
  std::string out(data, size_t(size));
  BIO_free_all(bio);
  return out;
}

inline Pair make(const char* name, const Pair* issuer) {
  Pair pair{X509_new(), EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
  X509_set_version(pair.certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(pair.certificate), issuer == nullptr ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(pair.certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(pair.certificate), 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(pair.certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  const Pair& signer = issuer == nullptr ? pair : *issuer;
  X509_set_issuer_name(pair.certificate, X509_get_subject_name(signer.certificate));
  X509_set_pubkey(pair.certificate, pair.key);
  auto extend = [&](int nid, const char* value) {
    auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(pair.certificate, extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (issuer != nullptr) extend(NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  X509_sign(pair.certificate, signer.key, EVP_sha256());
  return pair;
}

}  // namespace test_tls

inline const TestTls& testTls() {
  static const TestTls made = [] {
    TestTls out;
    auto ca = test_tls::make("test-ca", nullptr), other = test_tls::make("other-ca", nullptr);
    auto leaf = test_tls::make("leaf", &ca);
    KeyPair keyPair{test_tls::pemOf(leaf.certificate), test_tls::pemOf(leaf.key)};
    out.caPem = test_tls::pemOf(ca.certificate);
    out.otherCaPem = test_tls::pemOf(other.certificate);
    for (const auto& pair : {ca, other, leaf}) test_tls::release(pair);
    TlsContext::Server server;
    server.keyPair = keyPair;
    server.clientCaPem = out.caPem;
    out.server = *TlsContext::server(server);
    TlsContext::Client client;
    client.caPem = out.caPem;
    client.keyPair = keyPair;
    out.client = *TlsContext::client(client);
    return out;
  }();
  return made;
}

}  // namespace skiff::net
