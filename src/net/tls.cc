#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/strings.h"
#include "net/tls_impl.h"

namespace skiff::net {

// The write side of a session as a BIO. See TlsSession.
struct TlsWriteBio {
  static int write(BIO* bio, const char* data, int size) {
    auto* session = static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (session->buffer_ != nullptr) {
      session->buffer_->append(data, size_t(size));
      return size;
    }
    ssize_t sent = send(session->fd_, data, size_t(size), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
    return int(sent);
  }

  static long control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
  }

  static BIO_METHOD* makeMethod() {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "skiff");
    BIO_meth_set_write(method, &write);
    BIO_meth_set_ctrl(method, &control);
    return method;
  }
};

namespace {

std::string opensslError() {
  char text[256] = "unknown error";
  if (unsigned long code = ERR_peek_last_error(); code != 0) {
    ERR_error_string_n(code, text, sizeof text);
  }
  ERR_clear_error();
  return text;
}

struct PemFree {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

std::unique_ptr<BIO, PemFree> bioOf(std::string_view text) {
  return std::unique_ptr<BIO, PemFree>(BIO_new_mem_buf(text.data(), int(text.size())));
}

template <class Use>
int eachCertificate(std::string_view pem, Use use) {
  auto bio = bioOf(pem);
  int count = 0;
  while (auto certificate = std::unique_ptr<X509, PemFree>(
             PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))) {
    use(certificate.get(), count++);
  }
  ERR_clear_error();  // the end of the text counts as an error there
  return count;
}

Status useKeyPair(SSL_CTX* context, const KeyPair& pair) {
  bool ok = true;
  int count = eachCertificate(pair.certificatePem, [&](X509* certificate, int index) {
    ok = ok && (index == 0 ? SSL_CTX_use_certificate(context, certificate)
                           : SSL_CTX_add1_chain_cert(context, certificate)) == 1;
  });
  if (!ok || count == 0)
    return Error(Reason::Invalid, "tls: no usable certificate in the PEM text");
  auto bio = bioOf(pair.keyPem);
  auto noPassphrase = [](char*, int, int, void*) { return 0; };
  std::unique_ptr<EVP_PKEY, PemFree> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, noPassphrase, nullptr));
  if (!key) return Error(Reason::Invalid, "tls: no usable private key: " + opensslError());
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Error(Reason::Invalid, "tls: private key does not match public key: " + opensslError());
  }
  return okStatus();
}

std::string alpnWire(const std::vector<std::string>& names) {
  std::string wire;
  for (const auto& name : names) {
    wire += char(name.size());
    wire += name;
  }
  return wire;
}

std::unique_ptr<TlsContext::Impl> makeContext(const SSL_METHOD* method) {
  auto impl = std::make_unique<TlsContext::Impl>();
  impl->writeMethod.reset(TlsWriteBio::makeMethod());
  impl->context.reset(SSL_CTX_new(method));
  SSL_CTX* context = impl->context.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // Sessions are not resumed: connections live long, and tickets cost two records a handshake.
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_NO_AUTO_CHAIN);  // sends what was given, no roots
  SSL_CTX_set_read_ahead(context, 1);                     // one read(2) a record instead of two
  return impl;
}

int chooseAlpn(SSL*, const unsigned char** out, unsigned char* outSize,
               const unsigned char* offered, unsigned int offeredSize, void* argument) {
  auto* impl = static_cast<TlsContext::Impl*>(argument);
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(
          &chosen, outSize, reinterpret_cast<const unsigned char*>(impl->alpn.data()),
          unsigned(impl->alpn.size()), offered, offeredSize) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

bool isAddress(const std::string& name) {
  char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

}  // namespace

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::server(Server options) {
  auto impl = makeContext(TLS_server_method());
  SSL_CTX* context = impl->context.get();
  TRY(useKeyPair(context, options.keyPair));
  impl->alpn = alpnWire(options.alpn);
  if (!impl->alpn.empty()) SSL_CTX_set_alpn_select_cb(context, &chooseAlpn, impl.get());
  if (!options.clientCaPem.empty()) {
    int count = eachCertificate(options.clientCaPem, [&](X509* certificate, int) {
      SSL_CTX_add_client_CA(context, certificate);
    });
    if (count == 0) return Error(Reason::Invalid, "tls: no client CA in the PEM text");
    // The chain is only taken down here; who trusts it is decided when the request is
    // authenticated.
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(
        context, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  }
  return std::make_shared<TlsContext>(std::move(impl));
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(Client options) {
  auto impl = makeContext(TLS_client_method());
  SSL_CTX* context = impl->context.get();
  if (!options.keyPair.certificatePem.empty()) TRY(useKeyPair(context, options.keyPair));
  impl->alpn = alpnWire(options.alpn);
  if (!impl->alpn.empty()) {
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(impl->alpn.data()),
                            unsigned(impl->alpn.size()));
  }
  impl->verifyPeer = !options.insecureSkipVerify;
  if (impl->verifyPeer) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    if (options.caPem.empty()) {
      SSL_CTX_set_default_verify_paths(context);
    } else {
      auto* store = SSL_CTX_get_cert_store(context);
      int count = eachCertificate(
          options.caPem, [&](X509* certificate, int) { X509_STORE_add_cert(store, certificate); });
      if (count == 0) return Error(Reason::Invalid, "tls: no CA certificate in the PEM text");
    }
  }
  return std::make_shared<TlsContext>(std::move(impl));
}

std::unique_ptr<TlsSession> TlsSession::create(std::shared_ptr<TlsContext> context, int fd) {
  auto session = std::make_unique<TlsSession>();
  auto& impl = context->impl();
  session->context_ = std::move(context);
  session->fd_ = fd;
  session->ssl_.reset(SSL_new(impl.context.get()));
  BIO* writeSide = BIO_new(impl.writeMethod.get());
  BIO_set_data(writeSide, session.get());
  BIO_set_init(writeSide, 1);
  SSL_set_bio(session->ssl_.get(), BIO_new_socket(fd, BIO_NOCLOSE), writeSide);
  return session;
}

std::unique_ptr<TlsSession> TlsSession::accept(std::shared_ptr<TlsContext> context, int fd) {
  auto session = create(std::move(context), fd);
  SSL_set_accept_state(session->ssl());
  return session;
}

std::unique_ptr<TlsSession> TlsSession::connect(std::shared_ptr<TlsContext> context, int fd,
                                                const std::string& serverName) {
  bool verify = context->impl().verifyPeer;
  auto session = create(std::move(context), fd);
  SSL_set_connect_state(session->ssl());
  bool address = isAddress(serverName);
  if (!address) SSL_set_tlsext_host_name(session->ssl(), serverName.c_str());
  if (verify) {
    auto* parameters = SSL_get0_param(session->ssl());
    if (address) {
      X509_VERIFY_PARAM_set1_ip_asc(parameters, serverName.c_str());
    } else {
      X509_VERIFY_PARAM_set1_host(parameters, serverName.data(), serverName.size());
    }
  }
  return session;
}

void TlsSession::offerOnlyHttp1() {
  static constexpr unsigned char kHttp1[] = "\x08http/1.1";
  SSL_set_alpn_protos(ssl_.get(), kHttp1, sizeof kHttp1 - 1);
}

std::string_view TlsSession::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::vector<std::string> TlsSession::peerChainDer() const {
  std::vector<std::string> chain;
  auto add = [&](X509* certificate) {
    unsigned char* bytes = nullptr;
    int size = i2d_X509(certificate, &bytes);
    if (size <= 0) return;
    chain.emplace_back(reinterpret_cast<char*>(bytes), size_t(size));
    OPENSSL_free(bytes);
  };
  // On the server's side OpenSSL leaves the leaf out of the chain.
  if (X509* leaf = SSL_get0_peer_certificate(ssl_.get())) add(leaf);
  auto* others = SSL_get_peer_cert_chain(ssl_.get());
  for (int i = 0; others != nullptr && i < sk_X509_num(others); ++i) {
    if (!SSL_is_server(ssl_.get()) && i == 0) continue;
    add(sk_X509_value(others, i));
  }
  return chain;
}

Error TlsSession::handshakeError(int result) const {
  long verify = SSL_get_verify_result(ssl_.get());
  std::string message;
  switch (verify) {
    case X509_V_OK:
      message = SSL_get_error(ssl_.get(), result) == SSL_ERROR_SSL
                    ? "tls: " + opensslError()
                    : std::string("tls: connection closed during the handshake");
      break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      message = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
      break;
    default:
      message = concat("tls: failed to verify certificate: x509: ",
                       std::string_view(X509_verify_cert_error_string(verify)));
  }
  ERR_clear_error();
  return {Reason::ServiceUnavailable, std::move(message)};
}

}  // namespace skiff::net
