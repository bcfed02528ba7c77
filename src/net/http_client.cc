#include "net/http_client.h"

#include "base/strings.h"
#include "net/client_core.h"
#include "net/http1_client.h"
#include "net/http2_client.h"

namespace skiff::net {
namespace {

constexpr size_t kMaxWholeBytes = size_t(1) << 30;
constexpr size_t kMaxErrorBytes = 64 * 1024;  // of a refused upgrade's body

bool isIdempotent(const std::string& method) { return method == "GET" || method == "HEAD"; }

class Http2Stream final : public ResponseStream {
 public:
  explicit Http2Stream(std::shared_ptr<ClientStream> stream) : stream_(std::move(stream)) {}
  ~Http2Stream() override { stream_->cancel(); }
  int status() const override { return stream_->status(); }
  const Headers& headers() const override { return stream_->headers(); }
  Result<std::string> next(milliseconds timeout) override {
    return stream_->next(deadlineAfter(timeout));
  }
  void cancel() override { stream_->cancel(); }

 private:
  const std::shared_ptr<ClientStream> stream_;
};

class Http1Stream final : public ResponseStream {
 public:
  Http1Stream(std::shared_ptr<ClientCore> core, std::unique_ptr<Http1Exchange> exchange)
      : core_(std::move(core)), exchange_(std::move(exchange)) {}
  ~Http1Stream() override {
    if (exchange_->reusable()) core_->giveBack(exchange_->takeStream());
  }
  int status() const override { return exchange_->head().status; }
  const Headers& headers() const override { return exchange_->head().headers; }
  Result<std::string> next(milliseconds timeout) override {
    return exchange_->next(deadlineAfter(timeout));
  }
  void cancel() override { exchange_->cancel(); }

 private:
  const std::shared_ptr<ClientCore> core_;
  const std::unique_ptr<Http1Exchange> exchange_;
};

class Client final : public HttpClient {
 public:
  explicit Client(const Options& options)
      : core_(std::make_shared<ClientCore>(options.endpoint, options.connectTimeout,
                                           protocolOf(options))) {}
  ~Client() override { core_->close(); }

  Result<Response> call(Request request, milliseconds timeout) override {
    auto deadline = deadlineAfter(timeout);
    for (bool retry = false;; retry = true) {
      auto lease = TRY(core_->acquire(deadline, retry));
      bool mayRetry = false;
      auto result = lease.http2 ? callHttp2(lease, request, deadline, &mayRetry)
                                : callHttp1(lease, request, deadline, &mayRetry);
      if (result.ok() || retry || !mayRetry || result.failedWith(Reason::Timeout)) return result;
    }
  }

  Result<std::unique_ptr<ResponseStream>> stream(Request request,
                                                 milliseconds headerTimeout) override {
    auto deadline = deadlineAfter(headerTimeout);
    for (bool retry = false;; retry = true) {
      auto lease = TRY(core_->acquire(deadline, retry));
      bool mayRetry = false;
      auto result = lease.http2 ? streamHttp2(lease, request, deadline, &mayRetry)
                                : streamHttp1(lease, request, deadline, &mayRetry);
      if (result.ok() || retry || !mayRetry || result.failedWith(Reason::Timeout)) return result;
    }
  }

  Result<std::unique_ptr<ByteStream>> upgrade(Request request, Response* answer,
                                              milliseconds timeout) override {
    auto deadline = deadlineAfter(timeout);
    Http1Exchange exchange(TRY(core_->dialHttp1(deadline)));
    TRY(exchange.start(request, core_->authority(), deadline));
    int status = exchange.head().status;
    if (status == 101) {
      if (answer != nullptr) {
        answer->status = status;
        answer->headers = exchange.takeHeaders();
      }
      return std::unique_ptr<ByteStream>(exchange.takeUpgraded());
    }
    std::string body;
    while (body.size() < kMaxErrorBytes) {
      auto piece = exchange.next(deadline);
      if (!piece.ok() || piece->empty()) break;
      body += *piece;
    }
    if (answer != nullptr) {
      answer->status = status;
      answer->headers = exchange.takeHeaders();
      answer->body = {SharedBytes(body)};
    }
    return Error(reasonOfStatus(status), std::move(body)).withCode(status);
  }

 private:
  static ClientCore::Protocol protocolOf(const Options& options) {
    if (options.forceHttp1) return ClientCore::Protocol::Http1;
    return options.http2PriorKnowledge ? ClientCore::Protocol::Http2
                                       : ClientCore::Protocol::Negotiate;
  }

  // An answer that never began may be asked for again when asking twice does no harm.
  static bool retryable(const ClientStream& stream, bool reused) {
    return stream.mayBeRetried() || (reused && isIdempotent(stream.request().method));
  }

  static Result<Response> callHttp2(ClientCore::Lease& lease, const Request& request,
                                    SteadyTime deadline, bool* mayRetry) {
    auto stream = std::make_shared<ClientStream>(request, ClientStream::Mode::Whole);
    lease.http2->start(stream);
    auto body = stream->waitForBody(deadline);
    if (!body.ok()) {
      *mayRetry = retryable(*stream, lease.reused);
      stream->cancel();
      return std::move(body).error();
    }
    Response response;
    response.status = stream->status();
    response.headers = stream->takeHeaders();
    if (!body->empty()) response.body.push_back(SharedBytes(std::move(body).value()));
    return response;
  }

  static Result<std::unique_ptr<ResponseStream>> streamHttp2(ClientCore::Lease& lease,
                                                             const Request& request,
                                                             SteadyTime deadline, bool* mayRetry) {
    auto stream = std::make_shared<ClientStream>(request, ClientStream::Mode::Pieces);
    lease.http2->start(stream);
    auto head = stream->waitForHead(deadline);
    if (!head.ok()) {
      *mayRetry = retryable(*stream, lease.reused);
      stream->cancel();
      return std::move(head).error();
    }
    return std::unique_ptr<ResponseStream>(std::make_unique<Http2Stream>(std::move(stream)));
  }

  Result<std::unique_ptr<Http1Exchange>> startHttp1(ClientCore::Lease& lease,
                                                    const Request& request, SteadyTime deadline,
                                                    bool* mayRetry) {
    auto exchange = std::make_unique<Http1Exchange>(std::move(lease.http1));
    auto started = exchange->start(request, core_->authority(), deadline);
    if (started.ok()) return exchange;
    *mayRetry = lease.reused && !exchange->receivedAnything() && isIdempotent(request.method);
    return std::move(started).error();
  }

  Result<Response> callHttp1(ClientCore::Lease& lease, const Request& request, SteadyTime deadline,
                             bool* mayRetry) {
    auto exchange = TRY(startHttp1(lease, request, deadline, mayRetry));
    Response response;
    response.status = exchange->head().status;
    std::string body;
    for (;;) {
      auto piece = TRY(exchange->next(deadline));
      if (piece.empty()) break;
      if (body.empty()) {
        body = std::move(piece);
      } else {
        body += piece;
      }
      if (body.size() > kMaxWholeBytes) {
        return Error(Reason::RequestEntityTooLarge, "the answer is too large");
      }
    }
    bool reusable = exchange->reusable();
    response.headers = exchange->takeHeaders();
    if (reusable) core_->giveBack(exchange->takeStream());
    if (!body.empty()) response.body.push_back(SharedBytes(std::move(body)));
    return response;
  }

  Result<std::unique_ptr<ResponseStream>> streamHttp1(ClientCore::Lease& lease,
                                                      const Request& request, SteadyTime deadline,
                                                      bool* mayRetry) {
    auto exchange = TRY(startHttp1(lease, request, deadline, mayRetry));
    return std::unique_ptr<ResponseStream>(
        std::make_unique<Http1Stream>(core_, std::move(exchange)));
  }

  const std::shared_ptr<ClientCore> core_;
};

}  // namespace

std::unique_ptr<HttpClient> HttpClient::create(Options options) {
  return std::make_unique<Client>(options);
}

}  // namespace skiff::net
