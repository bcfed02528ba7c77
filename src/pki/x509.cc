#include "pki/x509.h"

#include <arpa/inet.h>

#include <ctime>

#include "base/strings.h"
#include "pki/openssl_raii.h"

namespace skiff::pki {
namespace {

// Clocks of a cluster differ a little: what is issued now is valid everywhere at once.
constexpr auto kBackdate = std::chrono::minutes(5);

// certificates.k8s.io names of the bits of RFC 5280 section 4.2.1.3.
constexpr std::pair<uint32_t, std::string_view> kKeyUsages[] = {
    {KU_DIGITAL_SIGNATURE, "digital signature"},
    {KU_NON_REPUDIATION, "content commitment"},
    {KU_KEY_ENCIPHERMENT, "key encipherment"},
    {KU_DATA_ENCIPHERMENT, "data encipherment"},
    {KU_KEY_AGREEMENT, "key agreement"},
    {KU_KEY_CERT_SIGN, "cert sign"},
    {KU_CRL_SIGN, "crl sign"},
    {KU_ENCIPHER_ONLY, "encipher only"},
    {KU_DECIPHER_ONLY, "decipher only"}};

constexpr std::pair<int, std::string_view> kExtendedKeyUsages[] = {
    {NID_anyExtendedKeyUsage, "any"},        {NID_server_auth, "server auth"},
    {NID_client_auth, "client auth"},        {NID_code_sign, "code signing"},
    {NID_email_protect, "email protection"}, {NID_ipsecEndSystem, "ipsec end system"},
    {NID_ipsecTunnel, "ipsec tunnel"},       {NID_ipsecUser, "ipsec user"},
    {NID_time_stamp, "timestamping"},        {NID_OCSP_sign, "ocsp signing"},
    {NID_ms_sgc, "microsoft sgc"},           {NID_ns_sgc, "netscape sgc"}};

// ---- reading ----

std::string textOf(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  int size = ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) return {};
  std::string out(reinterpret_cast<char*>(utf8), size_t(size));
  OPENSSL_free(utf8);
  return out;
}

Subject subjectOf(const X509_NAME* name) {
  Subject subject;
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    auto* entry = X509_NAME_get_entry(name, i);
    int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    auto text = textOf(X509_NAME_ENTRY_get_data(entry));
    if (nid == NID_commonName) subject.commonName = text;
    if (nid == NID_organizationName) subject.organizations.push_back(text);
  }
  return subject;
}

std::string addressText(const ASN1_OCTET_STRING* octets) {
  char text[INET6_ADDRSTRLEN] = "";
  int size = ASN1_STRING_length(octets);
  if (size == 4) inet_ntop(AF_INET, ASN1_STRING_get0_data(octets), text, sizeof text);
  if (size == 16) inet_ntop(AF_INET6, ASN1_STRING_get0_data(octets), text, sizeof text);
  return text;
}

void readAltNames(const GENERAL_NAMES* names, CertificateInfo& info) {
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names); ++i) {
    int type = 0;
    auto* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
    auto* string = static_cast<const ASN1_STRING*>(value);
    if (type == GEN_DNS) info.dnsNames.push_back(textOf(string));
    if (type == GEN_IPADD) info.ipAddresses.push_back(addressText(string));
  }
}

void readKeyUsage(const ASN1_BIT_STRING* bits, CertificateInfo& info) {
  if (bits == nullptr) return;
  auto* data = ASN1_STRING_get0_data(bits);
  uint32_t usage = 0;
  if (ASN1_STRING_length(bits) > 0) usage = data[0];
  if (ASN1_STRING_length(bits) > 1) usage |= uint32_t(data[1]) << 8;
  for (auto [bit, name] : kKeyUsages) {
    if (usage & bit) info.keyUsages.emplace_back(name);
  }
}

void readExtendedKeyUsage(const EXTENDED_KEY_USAGE* usages, CertificateInfo& info) {
  for (int i = 0; usages != nullptr && i < sk_ASN1_OBJECT_num(usages); ++i) {
    int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(usages, i));
    for (auto [known, name] : kExtendedKeyUsages) {
      if (nid == known) info.extendedKeyUsages.emplace_back(name);
    }
  }
}

WallTime wallTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return WallTime(seconds(timegm(&parts)));
}

CertificateInfo infoOf(X509* certificate) {
  CertificateInfo info;
  info.subject = subjectOf(X509_get_subject_name(certificate));
  info.notBefore = wallTime(X509_get0_notBefore(certificate));
  info.notAfter = wallTime(X509_get0_notAfter(certificate));
  info.isCa = X509_check_ca(certificate) == 1;
  GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  readAltNames(names.get(), info);
  std::unique_ptr<ASN1_BIT_STRING, Freer<&ASN1_BIT_STRING_free>> bits(static_cast<ASN1_BIT_STRING*>(
      X509_get_ext_d2i(certificate, NID_key_usage, nullptr, nullptr)));
  readKeyUsage(bits.get(), info);
  std::unique_ptr<EXTENDED_KEY_USAGE, Freer<&EXTENDED_KEY_USAGE_free>> usages(
      static_cast<EXTENDED_KEY_USAGE*>(
          X509_get_ext_d2i(certificate, NID_ext_key_usage, nullptr, nullptr)));
  readExtendedKeyUsage(usages.get(), info);

  BignumPtr serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (char* hex = serial ? BN_bn2hex(serial.get()) : nullptr) {
    info.serialHex = toLower(hex);
    OPENSSL_free(hex);
  }
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), hash, &size) == 1) {
    info.sha256Hex = hexEncode({reinterpret_cast<char*>(hash), size});
  }
  return info;
}

Result<CertificatePtr> readCertificate(std::string_view pem) {
  auto bio = readBio(pem);
  CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return Error(Reason::Invalid, "not a PEM certificate: " + opensslError());
  return certificate;
}

Result<CertificatePtr> readDer(std::string_view der) {
  auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  CertificatePtr certificate(d2i_X509(nullptr, &bytes, long(der.size())));
  if (!certificate) return Error(Reason::Invalid, "not a DER certificate: " + opensslError());
  return certificate;
}

Result<CsrPtr> readCsr(std::string_view pem) {
  auto bio = readBio(pem);
  CsrPtr csr(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!csr) return Error(Reason::Invalid, "not a PEM certificate request: " + opensslError());
  return csr;
}

struct StackFree {
  void operator()(STACK_OF(X509_EXTENSION) * stack) const {
    sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
  }
};
using ExtensionsPtr = std::unique_ptr<STACK_OF(X509_EXTENSION), StackFree>;

// ---- writing ----

bool setSubject(X509_NAME* name, const Subject& subject) {
  auto add = [&](const char* field, const std::string& value) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(value.data()),
                                      int(value.size()), -1, 0) == 1;
  };
  for (const auto& organization : subject.organizations) {
    if (!add("O", organization)) return false;
  }
  return subject.commonName.empty() || add("CN", subject.commonName);
}

// By the values themselves, never through OpenSSL's text form: names may hold commas.
Result<GeneralNamesPtr> altNames(const std::vector<std::string>& dnsNames,
                                 const std::vector<std::string>& ipAddresses) {
  GeneralNamesPtr names(GENERAL_NAMES_new());
  auto add = [&](int type, ASN1_STRING* value, std::string_view bytes) {
    ASN1_STRING_set(value, bytes.data(), int(bytes.size()));
    GENERAL_NAME* name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, type, value);
    sk_GENERAL_NAME_push(names.get(), name);
  };
  for (const auto& dnsName : dnsNames) add(GEN_DNS, ASN1_IA5STRING_new(), dnsName);
  for (const auto& address : ipAddresses) {
    char bytes[16];
    if (inet_pton(AF_INET, address.c_str(), bytes) == 1) {
      add(GEN_IPADD, ASN1_OCTET_STRING_new(), {bytes, 4});
    } else if (inet_pton(AF_INET6, address.c_str(), bytes) == 1) {
      add(GEN_IPADD, ASN1_OCTET_STRING_new(), {bytes, 16});
    } else {
      return Error(Reason::Invalid, "not an IP address: " + address);
    }
  }
  return names;
}

bool addExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool setSerial(X509* certificate) {
  BignumPtr serial(BN_new());
  // 127 random bits: positive and at most 16 bytes.
  return BN_rand(serial.get(), 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr;
}

struct Authority {
  CertificatePtr certificate;
  KeyPtr key;
};

Result<Authority> readAuthority(const Pair& ca) {
  auto certificate = TRY(readCertificate(ca.certificatePem));
  auto key = TRY(readKey(ca.keyPem));
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return Error(Reason::Invalid, "the CA's key does not belong to its certificate");
  }
  return Authority{std::move(certificate), std::move(key)};
}

std::string certificateText(X509* certificate) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return takeText(bio);
}

// Fills and signs. `authority` null: self-signed with `key`.
Result<std::string> makeCertificate(const Authority* authority, EVP_PKEY* key,
                                    const X509_NAME* subject, const GENERAL_NAMES* names,
                                    const IssueOptions& options, const Clock& clock) {
  CertificatePtr certificate(X509_new());
  X509* cert = certificate.get();
  auto now = clock.now();
  auto notBefore = std::chrono::duration_cast<seconds>((now - kBackdate).time_since_epoch());
  auto notAfter = std::chrono::duration_cast<seconds>((now + options.lifetime).time_since_epoch());
  X509* issuer = authority != nullptr ? authority->certificate.get() : cert;
  EVP_PKEY* signer = authority != nullptr ? authority->key.get() : key;

  bool ok = X509_set_version(cert, 2) == 1 && setSerial(cert) &&
            ASN1_TIME_set(X509_getm_notBefore(cert), notBefore.count()) != nullptr &&
            ASN1_TIME_set(X509_getm_notAfter(cert), notAfter.count()) != nullptr &&
            X509_set_subject_name(cert, subject) == 1 &&
            X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
            X509_set_pubkey(cert, key) == 1;
  ok = ok && addExtension(cert, issuer, NID_key_usage,
                          options.isCa ? "critical,digitalSignature,keyEncipherment,keyCertSign"
                                       : "critical,digitalSignature,keyEncipherment");
  if (ok && (options.clientAuth || options.serverAuth)) {
    const char* usages = !options.serverAuth   ? "clientAuth"
                         : !options.clientAuth ? "serverAuth"
                                               : "serverAuth,clientAuth";
    ok = addExtension(cert, issuer, NID_ext_key_usage, usages);
  }
  ok = ok && addExtension(cert, issuer, NID_basic_constraints,
                          options.isCa ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (options.isCa) ok = ok && addExtension(cert, issuer, NID_subject_key_identifier, "hash");
  // Absent when the issuer has no identifier of its own: such CAs are in use.
  if (X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0) {
    ok = ok && addExtension(cert, issuer, NID_authority_key_identifier, "keyid");
  }
  if (ok && names != nullptr && sk_GENERAL_NAME_num(names) > 0) {
    ok = X509_add1_ext_i2d(cert, NID_subject_alt_name, const_cast<GENERAL_NAMES*>(names), 0,
                           X509V3_ADD_APPEND) == 1;
  }
  if (!ok || X509_sign(cert, signer, EVP_sha256()) == 0) {
    return internalError("making a certificate: " + opensslError());
  }
  return certificateText(cert);
}

Result<NamePtr> makeName(const Subject& subject) {
  NamePtr name(X509_NAME_new());
  if (!setSubject(name.get(), subject)) {
    return Error(Reason::Invalid, "certificate subject: " + opensslError());
  }
  return name;
}

struct ChainFree {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};
using ChainPtr = std::unique_ptr<STACK_OF(X509), ChainFree>;

Result<StorePtr> readRoots(std::string_view caPem) {
  StorePtr store(X509_STORE_new());
  auto bio = readBio(caPem);
  int count = 0;
  while (CertificatePtr root{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(store.get(), root.get());
    ++count;
  }
  ERR_clear_error();  // the end of the text is an "error" too
  if (count == 0) return Error(Reason::Invalid, "no CA certificate in the PEM text");
  return store;
}

}  // namespace

Result<Pair> selfSignedCa(std::string_view commonName, seconds lifetime, const Clock& clock) {
  auto key = generateKey("EC", 0);
  if (!key) return internalError("making a key: " + opensslError());
  IssueOptions options;
  options.subject.commonName = std::string(commonName);
  options.isCa = true;
  options.lifetime = lifetime;
  auto name = TRY(makeName(options.subject));
  auto pem = TRY(makeCertificate(nullptr, key.get(), name.get(), nullptr, options, clock));
  return Pair{std::move(pem), privateKeyText(key.get())};
}

Result<Pair> issue(const Pair& ca, const IssueOptions& options, const Clock& clock) {
  auto authority = TRY(readAuthority(ca));
  auto key = generateKey("EC", 0);
  if (!key) return internalError("making a key: " + opensslError());
  auto name = TRY(makeName(options.subject));
  auto names = TRY(altNames(options.dnsNames, options.ipAddresses));
  auto pem = TRY(makeCertificate(&authority, key.get(), name.get(), names.get(), options, clock));
  return Pair{std::move(pem), privateKeyText(key.get())};
}

Result<std::string> signCsr(const Pair& ca, std::string_view csrPem, const IssueOptions& usages,
                            const Clock& clock) {
  auto authority = TRY(readAuthority(ca));
  auto csr = TRY(readCsr(csrPem));
  EVP_PKEY* key = X509_REQ_get0_pubkey(csr.get());
  if (key == nullptr || X509_REQ_verify(csr.get(), key) != 1) {
    ERR_clear_error();
    return Error(Reason::Invalid, "the certificate request is not signed by its own key");
  }
  ExtensionsPtr extensions(X509_REQ_get_extensions(csr.get()));
  GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
  return makeCertificate(&authority, key, X509_REQ_get_subject_name(csr.get()), names.get(), usages,
                         clock);
}

Result<std::string> newCsrPem(std::string_view keyPem, const IssueOptions& options) {
  auto key = TRY(readKey(keyPem));
  CsrPtr csr(X509_REQ_new());
  auto name = TRY(makeName(options.subject));
  auto names = TRY(altNames(options.dnsNames, options.ipAddresses));
  bool ok = X509_REQ_set_version(csr.get(), 0) == 1 &&
            X509_REQ_set_subject_name(csr.get(), name.get()) == 1 &&
            X509_REQ_set_pubkey(csr.get(), key.get()) == 1;
  if (ok && sk_GENERAL_NAME_num(names.get()) > 0) {
    STACK_OF(X509_EXTENSION)* raw = nullptr;
    ok = X509V3_add1_i2d(&raw, NID_subject_alt_name, names.get(), 0, X509V3_ADD_APPEND) == 1;
    ExtensionsPtr extensions(raw);
    ok = ok && X509_REQ_add_extensions(csr.get(), extensions.get()) == 1;
  }
  if (!ok || X509_REQ_sign(csr.get(), key.get(), EVP_sha256()) == 0) {
    return internalError("making a certificate request: " + opensslError());
  }
  BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), csr.get());
  return takeText(bio);
}

Result<CertificateInfo> parseCertificatePem(std::string_view pem) {
  auto certificate = TRY(readCertificate(pem));
  return infoOf(certificate.get());
}

Result<CertificateInfo> parseCertificateDer(std::string_view der) {
  auto certificate = TRY(readDer(der));
  return infoOf(certificate.get());
}

Result<CertificateInfo> parseCsrPem(std::string_view pem) {
  auto csr = TRY(readCsr(pem));
  CertificateInfo info;
  info.subject = subjectOf(X509_REQ_get_subject_name(csr.get()));
  ExtensionsPtr extensions(X509_REQ_get_extensions(csr.get()));
  GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
  readAltNames(names.get(), info);
  return info;
}

Result<CertificateInfo> verifyClientChain(const std::vector<std::string>& chainDer,
                                          std::string_view caPem, const Clock& clock) {
  if (chainDer.empty()) return Error(Reason::Unauthorized, "no client certificate");
  auto leaf = TRY(readDer(chainDer[0]));
  ChainPtr intermediates(sk_X509_new_null());
  for (size_t i = 1; i < chainDer.size(); ++i) {
    auto certificate = TRY(readDer(chainDer[i]));
    sk_X509_push(intermediates.get(), certificate.release());
  }
  auto roots = TRY(readRoots(caPem));
  StoreContextPtr context(X509_STORE_CTX_new());
  if (!context ||
      X509_STORE_CTX_init(context.get(), roots.get(), leaf.get(), intermediates.get()) != 1) {
    return internalError("verifying a certificate: " + opensslError());
  }
  auto* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(
      parameters, std::chrono::duration_cast<seconds>(clock.now().time_since_epoch()).count());
  // Any certificate of the bundle is an anchor, self-signed or not.
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT);
  if (X509_verify_cert(context.get()) != 1) {
    int code = X509_STORE_CTX_get_error(context.get());
    ERR_clear_error();
    return Error(Reason::Unauthorized, std::string("x509: ") + X509_verify_cert_error_string(code));
  }
  return infoOf(leaf.get());
}

}  // namespace skiff::pki
