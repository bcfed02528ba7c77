// gRPC client calls over HTTP/2 on a unix socket or TCP: unary and server streaming. Messages are
// encoded bytes. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
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
};

class GrpcChannel {
 public:
  static std::unique_ptr<GrpcChannel> create(Endpoint endpoint);
  virtual ~GrpcChannel() = default;
  // path is "/runtime.v1.RuntimeService/Version". A grpc-status other than OK becomes an Error with
  // the nearest Reason (NOT_FOUND -> NotFound, UNAVAILABLE -> ServiceUnavailable, DEADLINE_EXCEEDED
  // -> Timeout, ...).
  virtual Result<std::string> call(std::string_view path, std::string_view message,
                                   std::chrono::milliseconds timeout) = 0;
  virtual Result<std::unique_ptr<GrpcStream>> stream(std::string_view path,
                                                     std::string_view message) = 0;
};

}  // namespace skiff::net
