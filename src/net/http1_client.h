// HTTP/1.1 on the client's side: plain blocking code on one connection.
#pragma once
#include <memory>
#include <string>

#include "net/byte_stream.h"
#include "net/http1.h"

namespace skiff::net {

// One request at a time on one connection. cancel() from any thread, the rest from the caller's.
class Http1Exchange {
 public:
  explicit Http1Exchange(std::unique_ptr<SocketStream> stream) : stream_(std::move(stream)) {}

  // Sends the request and reads the head of the answer.
  Status start(const Request& request, std::string_view defaultHost, SteadyTime deadline);
  // Some bytes of the body; "" at the end.
  Result<std::string> next(SteadyTime deadline);
  void cancel() { stream_->close(); }

  const http1::ResponseHead& head() const { return head_; }
  Headers takeHeaders() { return std::move(head_.headers); }
  bool receivedAnything() const { return received_; }
  bool reusable() const { return done_ && keepAlive_ && in_.empty(); }
  bool ended() const { return done_; }
  std::unique_ptr<SocketStream> takeStream() { return std::move(stream_); }
  // After 101: the raw stream, with what came behind the head.
  std::unique_ptr<SocketStream> takeUpgraded();

 private:
  Status fill(SteadyTime deadline);  // more bytes into in_
  Status readHead(const std::string& method, SteadyTime deadline);
  Result<std::string> takeLength(size_t available);

  std::unique_ptr<SocketStream> stream_;
  std::string in_;
  http1::ResponseHead head_;
  http1::Framing framing_;
  http1::ChunkedDecoder decoder_;
  uint64_t left_ = 0;
  bool received_ = false;
  bool eof_ = false;
  bool done_ = false;
  bool keepAlive_ = false;
};

}  // namespace skiff::net
