// HTTP/1.1 on the server's side. One request at a time; what a client sends ahead waits unparsed.
//
//   Head -> Body -> Answering -> Head ...      (keep-alive)
//                             -> Finished      (close, or Upgraded)
#include "base/strings.h"
#include "net/http1.h"
#include "net/server_core.h"

namespace skiff::net {
namespace {

constexpr size_t kChunkBytes = 64 * 1024;
constexpr size_t kAheadBytes = 64 * 1024;  // unparsed input at which reading stops

class Http1 final : public Protocol {
 public:
  explicit Http1(Connection& connection) : connection_(connection), core_(connection.core()) {}

  bool consume(std::string_view bytes) override {
    if (state_ == State::Body && in_.empty()) {
      bytes.remove_prefix(takeBody(bytes));
      if (bytes.empty()) return true;
    }
    in_.append(bytes);
    advance();
    return true;
  }

  bool produce() override {
    while (exchange_ != nullptr && exchange_->phase != Exchange::Phase::Waiting) {
      auto& exchange = *exchange_;
      if (exchange.phase == Exchange::Phase::Ready) {
        writeHead(exchange);
        if (state_ == State::Upgraded) return true;
      }
      writeBody(exchange);
      core_.noteSent(exchange);
      if (!exchange.finished || exchange.bodyBytes > 0) return true;
      complete();
      if (state_ == State::Finished) return lingering_;
      advance();
    }
    return state_ != State::Finished;
  }

  void answerReady(Exchange&) override {}  // produce() looks by itself
  void bodyReady(Exchange&) override {}

  void goAway() override {
    keepAlive_ = false;
    closing_ = true;
    if (exchange_ == nullptr) state_ = State::Finished;
  }

  bool idle() const override { return exchange_ == nullptr || !exchange_->dispatched; }

  // While a handler works, reading goes on a little: a peer that hangs up must be noticed.
  bool wantsRead() const override {
    if (state_ == State::Upgraded || state_ == State::Finished) return false;
    return state_ != State::Answering || in_.size() < kAheadBytes;
  }

  void detachAll() override {
    if (exchange_ == nullptr) return;
    auto exchange = std::move(exchange_);
    exchange_ = nullptr;
    core_.detach(*exchange);
  }

 private:
  enum class State { Head, Body, Answering, Upgraded, Finished };

  void advance() {
    while (!in_.empty()) {
      if (state_ == State::Head) {
        if (!takeHead()) return;
      } else if (state_ == State::Body) {
        in_.erase(0, takeBody(in_));
      } else {
        return;
      }
    }
  }

  // False: more bytes are needed.
  bool takeHead() {
    size_t blank = 0;  // RFC 9112 section 2.2: empty lines before a request are skipped
    while (blank + 1 < in_.size() && in_[blank] == '\r' && in_[blank + 1] == '\n') blank += 2;
    if (blank > 0) in_.erase(0, blank);
    size_t limit = core_.options().maxHeaderBytes;
    if (in_.find("\r\n\r\n", searched_) == std::string::npos) {
      searched_ = in_.size() < 3 ? 0 : in_.size() - 3;
      if (in_.size() > limit) refuseNow(431, "request header is too large");
      return false;
    }
    searched_ = 0;
    http1::RequestHead head;
    size_t consumed = 0;
    auto parsed = http1::parseRequestHead(in_, &head, &consumed);
    if (parsed != http1::Parse::Done) {
      refuseNow(400, "malformed request");
      return false;
    }
    if (consumed > limit) {
      refuseNow(431, "request header is too large");
      return false;
    }
    in_.erase(0, consumed);
    startRequest(std::move(head));
    return true;
  }

  void newExchange() {
    exchange_ = std::make_shared<Exchange>(core_.shared_from_this(), true);
    exchange_->connection = &connection_;
    exchange_->request = std::make_shared<Request>();
  }

  void refuseNow(int status, std::string_view text) {
    if (exchange_ == nullptr) newExchange();
    keepAlive_ = false;
    in_.clear();
    state_ = State::Answering;
    core_.refuse(*exchange_, {status, text, core_.options().maxBodyBytes});
  }

  void startRequest(http1::RequestHead head) {
    newExchange();
    auto& request = *exchange_->request;
    minorVersion_ = head.minorVersion;
    keepAlive_ = !closing_ && http1::wantsKeepAlive(head.minorVersion, head.headers);
    exchange_->head = head.method == "HEAD";
    request.method = std::move(head.method);
    request.httpMajor = 1;
    setTarget(request, head.target);
    request.headers = std::move(head.headers);
    request.headers.lowerNames();

    auto framing = http1::requestFraming(request.headers);
    if (!framing) return refuseNow(400, "malformed message framing");
    auto hosts = request.headers.all("host");
    if (hosts.size() > 1 || (hosts.empty() && minorVersion_ == 1)) {
      return refuseNow(400, "missing or repeated Host header");
    }
    if (framing->length > core_.options().maxBodyBytes) return refuseTooLarge();
    framing_ = *framing;
    if (framing_.kind == http1::Framing::Kind::None) return dispatch();
    state_ = State::Body;
    decoder_ = {};
    if (framing_.kind == http1::Framing::Kind::Length) {
      exchange_->requestBody.reserve(framing_.length);
    }
    if (in_.empty() && minorVersion_ == 1 &&
        equalsIgnoreCase(request.headers.get("expect"), "100-continue")) {
      connection_.socket().write("HTTP/1.1 100 Continue\r\n\r\n");
      connection_.markDirty();
    }
  }

  static void setTarget(Request& request, std::string_view target) {
    // Absolute form: scheme and authority are dropped, Host says the same.
    if (auto parts = cut(target, "://"); parts && !target.starts_with('/')) {
      size_t slash = parts->second.find('/');
      target = slash == std::string_view::npos ? "/" : parts->second.substr(slash);
    }
    size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  }

  void refuseTooLarge() { refuseNow(413, "request entity is too large"); }

  size_t takeBody(std::string_view bytes) {
    auto& body = exchange_->requestBody;
    if (framing_.kind == http1::Framing::Kind::Length) {
      size_t take = std::min<size_t>(bytes.size(), framing_.length - body.size());
      body.append(bytes.substr(0, take));
      if (body.size() == framing_.length) dispatch();
      return take;
    }
    size_t consumed = 0;
    auto parsed = decoder_.feed(bytes, &body, &consumed);
    if (parsed == http1::Parse::Bad) {
      refuseNow(400, "malformed chunked body");
      return 0;
    }
    if (body.size() > core_.options().maxBodyBytes) {
      refuseTooLarge();
      return 0;
    }
    if (parsed == http1::Parse::Done) dispatch();
    return consumed;
  }

  void dispatch() {
    state_ = State::Answering;
    connection_.markDirty();
    core_.dispatch(*exchange_);
  }

  void writeHead(Exchange& exchange) {
    exchange.phase = Exchange::Phase::Started;
    auto& headers = exchange.headers;
    std::string out;
    if (exchange.upgrade) {
      if (!headers.has("connection")) headers.add("connection", "Upgrade");
      http1::writeResponseHead(out, exchange.status, headers);
      connection_.socket().write(out);
      state_ = State::Upgraded;
      connection_.upgradeWhenSent(std::move(exchange.upgrade), std::move(in_));
      return;
    }
    bool bodyAllowed = http1::mayHaveBody(exchange.status);
    chunked_ = false;
    headers.remove("transfer-encoding");
    if (bodyAllowed && !headers.has("content-length")) {
      if (exchange.whole) {
        headers.add("content-length", std::to_string(exchange.bodyBytes));
      } else if (minorVersion_ == 0) {
        keepAlive_ = false;  // the end of the connection ends the body
      } else {
        headers.add("transfer-encoding", "chunked");
        chunked_ = true;
      }
    }
    if (!bodyAllowed || exchange.head) {
      chunked_ = false;
      exchange.dropBody();
      // Pieces that still come are dropped the same way.
      exchange.head = true;
    }
    if (!headers.has("date")) headers.add("date", core_.date());
    if (!keepAlive_) {
      headers.set("connection", "close");
    } else if (minorVersion_ == 0) {
      headers.set("connection", "keep-alive");
    }
    http1::writeResponseHead(out, exchange.status, headers);
    connection_.socket().write(out);
  }

  void writeBody(Exchange& exchange) {
    auto& socket = connection_.socket();
    while (exchange.bodyBytes > 0 && connection_.roomToWrite()) {
      size_t count = std::min(exchange.bodyBytes, kChunkBytes);
      if (chunked_) {
        std::string size;
        http1::writeChunkSize(size, count);
        socket.write(size);
      }
      exchange.takeBody(count, [&](std::string_view bytes) { socket.write(bytes); });
      if (chunked_) socket.write("\r\n");
    }
    if (chunked_ && exchange.finished && exchange.bodyBytes == 0) {
      std::string end = "0\r\n";
      for (const auto& [name, value] : exchange.trailers.items()) {
        if (http1::validHeader(name, value)) end += concat(name, ": ", value, "\r\n");
      }
      socket.write(end + "\r\n");
    }
  }

  void complete() {
    auto exchange = std::move(exchange_);
    exchange_ = nullptr;
    bool refused = exchange->refused;
    core_.detach(*exchange);
    if (keepAlive_ && !closing_) {
      state_ = State::Head;
      return;
    }
    state_ = State::Finished;
    if (refused) {
      lingering_ = true;
      connection_.lingerThenClose();
    }
  }

  Connection& connection_;
  ServerCore& core_;
  std::string in_;       // unparsed
  size_t searched_ = 0;  // no end of head before it
  State state_ = State::Head;
  http1::Framing framing_;
  http1::ChunkedDecoder decoder_;
  std::shared_ptr<Exchange> exchange_;
  int minorVersion_ = 1;
  bool keepAlive_ = true;
  bool closing_ = false;
  bool chunked_ = false;
  bool lingering_ = false;
};

}  // namespace

std::unique_ptr<Protocol> makeHttp1(Connection& connection) {
  return std::make_unique<Http1>(connection);
}

}  // namespace skiff::net
