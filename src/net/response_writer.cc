// The handler's end of an Exchange: turns calls from any thread into Ops.
#include "net/response_writer.h"

namespace skiff::net {
namespace {

class Writer final : public ResponseWriter {
 public:
  explicit Writer(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

  ~Writer() override {
    if (!answered_.load(std::memory_order_relaxed)) send(Op::Kind::Abandon);
  }

  void respond(Response response) override {
    if (answered_.exchange(true)) return;
    size_t size = 0;
    for (const auto& piece : response.body) size += piece.size();
    exchange_->pending.fetch_add(size, std::memory_order_relaxed);
    auto heavy = std::make_unique<Op::Heavy>();
    heavy->status = response.status;
    heavy->headers = std::move(response.headers);
    heavy->body = std::move(response.body);
    send(Op::Kind::Respond, {}, std::move(heavy));
    finished_ = true;
  }

  void begin(int status, Headers headers) override {
    if (answered_.exchange(true)) return;
    auto heavy = std::make_unique<Op::Heavy>();
    heavy->status = status;
    heavy->headers = std::move(headers);
    send(Op::Kind::Begin, {}, std::move(heavy));
  }

  void write(SharedBytes piece) override {
    if (piece.empty() || closed()) return;
    exchange_->pending.fetch_add(piece.size(), std::memory_order_relaxed);
    send(Op::Kind::Write, std::move(piece));
  }

  void finish() override {
    if (!finished_.exchange(true)) send(Op::Kind::Finish);
  }

  void finishWithTrailers(Headers trailers) override {
    if (finished_.exchange(true)) return;
    auto heavy = std::make_unique<Op::Heavy>();
    heavy->headers = std::move(trailers);
    send(Op::Kind::Finish, {}, std::move(heavy));
  }

  size_t pendingBytes() const override {
    return closed() ? 0 : exchange_->pending.load(std::memory_order_relaxed);
  }

  void onDrain(UniqueFunction<void()> callback) override {
    sendCallback(Op::Kind::OnDrain, std::move(callback));
  }

  void onClose(UniqueFunction<void()> callback) override {
    sendCallback(Op::Kind::OnClose, std::move(callback));
  }

  bool closed() const override { return exchange_->closed.load(std::memory_order_acquire); }

  Status upgrade(int status, Headers headers, UpgradeThen then) override {
    if (!exchange_->http1) return badRequest("only HTTP/1.1 connections can be upgraded");
    if (closed()) return Error(Reason::ServiceUnavailable, "the connection is closed");
    if (answered_.exchange(true)) return internalError("the request is answered already");
    finished_ = true;
    auto heavy = std::make_unique<Op::Heavy>();
    heavy->status = status;
    heavy->headers = std::move(headers);
    heavy->upgrade = std::move(then);
    send(Op::Kind::Upgrade, {}, std::move(heavy));
    return okStatus();
  }

 private:
  void send(Op::Kind kind, SharedBytes piece = {}, std::unique_ptr<Op::Heavy> heavy = nullptr) {
    exchange_->core->submit(Op{kind, exchange_, std::move(piece), std::move(heavy)});
  }

  void sendCallback(Op::Kind kind, UniqueFunction<void()> callback) {
    auto heavy = std::make_unique<Op::Heavy>();
    heavy->callback = std::move(callback);
    send(kind, {}, std::move(heavy));
  }

  const std::shared_ptr<Exchange> exchange_;
  std::atomic<bool> answered_{false};
  std::atomic<bool> finished_{false};
};

}  // namespace

std::shared_ptr<ResponseWriter> makeWriter(std::shared_ptr<Exchange> exchange) {
  return std::make_shared<Writer>(std::move(exchange));
}

}  // namespace skiff::net
