// gRPC client calls over HTTP/2 on a unix socket or TCP: unary, server streaming, and streams in both
// directions. Messages are encoded bytes. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/http_client.h"

namespace skiff::net {

class GrpcStream {
 public:
  virtual ~GrpcStream() = default;
  // The next message. Reason::Timeout: none yet. At the end "" or the call's error, and ended() is
  // true from then on.
  virtual Result<std::string> next(std::chrono::milliseconds timeout) = 0;
  virtual bool ended() const = 0;
  virtual void cancel() = 0;
  // Of a stream in both directions, from any thread: the stream's loss shows in next().
  virtual void send(std::string_view message) = 0;
  virtual void finishSending() = 0;
};

class GrpcChannel {
 public:
  // `metadata` goes with every call.
  static std::unique_ptr<GrpcChannel> create(Endpoint endpoint, Headers metadata = {});
  virtual ~GrpcChannel() = default;
  // path is "/runtime.v1.RuntimeService/Version". A grpc-status other than OK becomes an Error with
  // the nearest Reason (NOT_FOUND -> NotFound, UNAVAILABLE -> ServiceUnavailable, DEADLINE_EXCEEDED
  // -> Timeout, ...).
  // `untouched` is set when the call failed before it can have had an effect: it may be made again.
  virtual Result<std::string> call(std::string_view path, std::string_view message,
                                   std::chrono::milliseconds timeout,
                                   bool* untouched = nullptr) = 0;
  virtual Result<std::unique_ptr<GrpcStream>> stream(std::string_view path,
                                                     std::string_view message) = 0;
  virtual Result<std::unique_ptr<GrpcStream>> bidirectional(std::string_view path) = 0;
};

}  // namespace skiff::net
