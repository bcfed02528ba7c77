// HTTP client: HTTP/2 when ALPN agrees (one shared connection, many streams), else HTTP/1.1 with a
// small pool. Blocking calls for worker threads; no redirects; deadlines on everything.
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/http.h"
#include "net/tls.h"

namespace skiff::net {

struct Endpoint {
  std::string host;  // name or IP; also the TLS server name unless serverName is set
  uint16_t port = 0;
  std::string unixPath;  // instead of host and port
  std::string serverName;
  std::shared_ptr<TlsContext> tls;  // null: plain
};
// "https://host:port/prefix" -> endpoint without tls set; prefix in *pathPrefix.
Result<Endpoint> parseUrl(std::string_view url, bool* isTls, std::string* pathPrefix);

// The body of a streamed answer, read piece by piece. Destroying it cancels the stream.
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  virtual int status() const = 0;
  virtual const Headers& headers() const = 0;
  // The next piece, "" at the end. Waits at most `timeout` (Reason::Timeout then; the stream stays
  // usable).
  virtual Result<std::string> next(std::chrono::milliseconds timeout) = 0;
  virtual void cancel() = 0;  // from any thread: a waiting next() ends with an error
};

class HttpClient {
 public:
  struct Options {
    Endpoint endpoint;
    std::chrono::milliseconds connectTimeout{10000};
    bool forceHttp1 = false;
    bool http2PriorKnowledge = false;  // HTTP/2 without negotiation, for plain connections
  };
  static std::unique_ptr<HttpClient> create(Options options);
  virtual ~HttpClient() = default;

  // Whole answer. Reconnects once if an idle connection turned out dead before any byte was sent.
  virtual Result<Response> call(Request request, std::chrono::milliseconds timeout) = 0;
  virtual Result<std::unique_ptr<ResponseStream>> stream(
      Request request, std::chrono::milliseconds headerTimeout) = 0;
  // HTTP/1.1 upgrade on a connection of its own: sends the request as given, and on status 101
  // returns the raw stream; any other status is an Error that carries the answer's body as message.
  virtual Result<std::unique_ptr<ByteStream>> upgrade(Request request, Response* answer,
                                                      std::chrono::milliseconds timeout) = 0;
};

// A plain connection (TLS if the endpoint says so) without HTTP.
Result<std::unique_ptr<ByteStream>> connect(const Endpoint& endpoint,
                                            std::chrono::milliseconds timeout);

}  // namespace skiff::net
