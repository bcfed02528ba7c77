#include "net/grpc.h"

#include "base/strings.h"
#include "net/client_core.h"
#include "net/http2_client.h"

namespace skiff::net {
namespace {

constexpr size_t kPrefixBytes = 5;                     // compressed flag, length in network order
constexpr size_t kMaxMessageBytes = 16 * 1024 * 1024;  // the kubelet's own limit for CRI
constexpr auto kConnectTimeout = milliseconds(10000);

struct Code {
  std::string_view name;
  Reason reason;
};
// https://github.com/grpc/grpc/blob/master/doc/statuscodes.md, by number.
constexpr Code kCodes[] = {{"OK", Reason::Unknown},
                           {"Canceled", Reason::Unknown},
                           {"Unknown", Reason::Unknown},
                           {"InvalidArgument", Reason::BadRequest},
                           {"DeadlineExceeded", Reason::Timeout},
                           {"NotFound", Reason::NotFound},
                           {"AlreadyExists", Reason::AlreadyExists},
                           {"PermissionDenied", Reason::Forbidden},
                           {"ResourceExhausted", Reason::TooManyRequests},
                           {"FailedPrecondition", Reason::Conflict},
                           {"Aborted", Reason::Conflict},
                           {"OutOfRange", Reason::Expired},
                           {"Unimplemented", Reason::MethodNotAllowed},
                           {"Internal", Reason::InternalError},
                           {"Unavailable", Reason::ServiceUnavailable},
                           {"DataLoss", Reason::InternalError},
                           {"Unauthenticated", Reason::Unauthorized}};

// The text that clients written in Go print, which ends up in events and pod statuses.
Error rpcError(size_t code, std::string_view description) {
  const auto& known = kCodes[code < std::size(kCodes) ? code : 2];
  return {known.reason, concat("rpc error: code = ", known.name, " desc = ", description)};
}

Error transportError(const Error& error) {
  bool timeout = error.is(Reason::Timeout);
  return rpcError(timeout ? 4 : 14, error.message());
}

Status statusIn(const Headers& headers) {
  auto code = parseUint(headers.get("grpc-status"));
  if (!code) return rpcError(2, "malformed grpc-status");
  if (*code == 0) return okStatus();
  auto text = headers.get("grpc-message");
  auto message = percentDecode(text);
  return rpcError(size_t(*code), message ? *message : text);
}

// What an HTTP status without a grpc-status means (doc/http-grpc-status-mapping.md).
Error httpStatusError(int status) {
  size_t code = 2;
  if (status == 400) code = 13;
  if (status == 401) code = 16;
  if (status == 403) code = 7;
  if (status == 404) code = 12;
  if (status == 429 || (status >= 502 && status <= 504)) code = 14;
  return rpcError(code, concat("unexpected HTTP status code received from server: ", status));
}

std::string framed(std::string_view message) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += char(message.size() >> shift & 0xff);
  out += message;
  return out;
}

// Takes one message from the front of *buffer; nullopt: it is not whole yet.
Result<std::optional<std::string>> takeMessage(std::string* buffer) {
  std::optional<std::string> none;
  if (buffer->size() < kPrefixBytes) return none;
  if ((*buffer)[0] != 0) return rpcError(13, "compressed messages were not asked for");
  size_t size = 0;
  for (size_t i = 1; i < kPrefixBytes; ++i)
    size = size << 8 | static_cast<unsigned char>((*buffer)[i]);
  if (size > kMaxMessageBytes) {
    return rpcError(
        8, concat("received message larger than max (", size, " vs. ", kMaxMessageBytes, ')'));
  }
  if (buffer->size() < kPrefixBytes + size) return none;
  std::optional<std::string> message = buffer->substr(kPrefixBytes, size);
  buffer->erase(0, kPrefixBytes + size);
  return message;
}

Request requestOf(std::string_view path, const Headers& metadata) {
  Request request{.method = "POST", .path = std::string(path)};
  request.headers.add("content-type", "application/grpc");
  request.headers.add("te", "trailers");
  request.headers.add("user-agent", "skiff-grpc/1");
  for (const auto& [name, value] : metadata.items()) request.headers.add(name, value);
  return request;
}

class Stream final : public GrpcStream {
 public:
  explicit Stream(std::shared_ptr<ClientStream> stream) : stream_(std::move(stream)) {}
  ~Stream() override { stream_->cancel(); }

  Result<std::string> next(milliseconds timeout) override {
    auto deadline = deadlineAfter(timeout);
    while (!ended_) {
      auto message = takeMessage(&buffer_);
      if (!message.ok()) return endWith(std::move(message).error());
      if (*message) return std::move(**message);
      if (!headSeen_) {
        auto head = stream_->waitForHead(deadline);
        if (!head.ok()) return failed(head.error());
        headSeen_ = true;
        if (stream_->status() != 200) return endWith(httpStatusError(stream_->status()));
      }
      auto piece = stream_->next(deadline);
      if (!piece.ok()) return failed(piece.error());
      if (!piece->empty()) {
        buffer_ += *piece;
        continue;
      }
      ended_ = true;
      bool trailersOnly = stream_->headers().has("grpc-status");
      auto status = statusIn(trailersOnly ? stream_->headers() : stream_->trailers());
      if (!status.ok()) return std::move(status).error();
      if (!buffer_.empty()) return rpcError(13, "the stream ended within a message");
    }
    return std::string();
  }

  bool ended() const override { return ended_; }
  void cancel() override { stream_->cancel(); }
  void send(std::string_view message) override { stream_->send(framed(message)); }
  void finishSending() override { stream_->finishSending(); }

 private:
  Error endWith(Error error) {
    ended_ = true;
    stream_->cancel();
    return error;
  }

  Error failed(const Error& error) {
    if (error.is(Reason::Timeout)) return error;  // the stream goes on
    ended_ = true;
    return transportError(error);
  }

  const std::shared_ptr<ClientStream> stream_;
  std::string buffer_;
  bool headSeen_ = false;
  std::atomic<bool> ended_{false};
};

class Channel final : public GrpcChannel {
 public:
  Channel(Endpoint endpoint, Headers metadata)
      : metadata_(std::move(metadata)),
        core_(std::make_unique<ClientCore>(
            endpoint, kConnectTimeout,
            endpoint.tls ? ClientCore::Protocol::Negotiate : ClientCore::Protocol::Http2)) {}

  Result<std::string> call(std::string_view path, std::string_view message, milliseconds timeout,
                           bool* untouched) override {
    auto deadline = deadlineAfter(timeout);
    auto request = requestOf(path, metadata_);
    request.body = SharedBytes(framed(message));
    if (untouched) *untouched = false;
    // At most eight digits are allowed: milliseconds reach for a day.
    auto millis = std::clamp<int64_t>(timeout.count(), 1, 99999999);
    request.headers.add("grpc-timeout", concat(millis, 'm'));
    for (bool retry = false;; retry = true) {
      auto stream = open(request, ClientStream::Mode::Whole, deadline, retry);
      if (!stream.ok()) {
        if (untouched) *untouched = true;
        return transportError(stream.error());
      }
      auto body = (*stream)->waitForBody(deadline);
      if (!body.ok()) {
        bool unseen = (*stream)->mayBeRetried();
        (*stream)->cancel();
        if (unseen && !retry) continue;
        if (untouched) *untouched = unseen;
        return transportError(body.error());
      }
      return answerOf(**stream, std::move(body).value());
    }
  }

  Result<std::unique_ptr<GrpcStream>> stream(std::string_view path,
                                             std::string_view message) override {
    auto request = requestOf(path, metadata_);
    request.body = SharedBytes(framed(message));
    return streamOf(request, ClientStream::Body::InRequest);
  }

  Result<std::unique_ptr<GrpcStream>> bidirectional(std::string_view path) override {
    return streamOf(requestOf(path, metadata_), ClientStream::Body::Open);
  }

 private:
  Result<std::unique_ptr<GrpcStream>> streamOf(const Request& request, ClientStream::Body body) {
    auto opened = open(request, ClientStream::Mode::Pieces, deadlineAfter(kConnectTimeout), false,
                       body);
    if (!opened.ok()) return transportError(opened.error());
    return std::unique_ptr<GrpcStream>(std::make_unique<Stream>(std::move(opened).value()));
  }

  Result<std::shared_ptr<ClientStream>> open(
      const Request& request, ClientStream::Mode mode, SteadyTime deadline, bool fresh,
      ClientStream::Body body = ClientStream::Body::InRequest) {
    auto lease = TRY(core_->acquire(deadline, fresh));
    if (!lease.http2) return Error(Reason::ServiceUnavailable, "the server does not speak HTTP/2");
    auto stream = std::make_shared<ClientStream>(request, mode, body);
    lease.http2->start(stream);
    return stream;
  }

  static Result<std::string> answerOf(const ClientStream& stream, std::string body) {
    if (stream.status() != 200) return httpStatusError(stream.status());
    bool trailersOnly = stream.headers().has("grpc-status");
    TRY(statusIn(trailersOnly ? stream.headers() : stream.trailers()));
    auto message = TRY(takeMessage(&body));
    if (!message || !body.empty()) return rpcError(13, "not exactly one message in the answer");
    return *std::move(message);
  }

  const Headers metadata_;
  const std::unique_ptr<ClientCore> core_;
};

}  // namespace

std::unique_ptr<GrpcChannel> GrpcChannel::create(Endpoint endpoint, Headers metadata) {
  return std::make_unique<Channel>(std::move(endpoint), std::move(metadata));
}

}  // namespace skiff::net
