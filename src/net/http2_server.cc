// HTTP/2 on the server's side: nghttp2 does frames, HPACK and windows; bodies go from their shared
// pieces straight into the socket's buffer.
#include <nghttp2/nghttp2.h>

#include "base/log.h"
#include "base/strings.h"
#include "net/http1.h"
#include "net/http2_session.h"
#include "net/server_core.h"

namespace skiff::net {
namespace {

// Clients such as informers cancel many watches at once; a flood of resets is another order of
// magnitude.
constexpr uint64_t kResetBurst = 4000, kResetsPerSecond = 500;

class Http2 final : public Protocol {
 public:
  explicit Http2(Connection& connection) : connection_(connection), core_(connection.core()) {
    auto callbacks = http2::newCallbacks();
    auto* c = callbacks.get();
    nghttp2_session_callbacks_set_send_callback(c, &onSend);
    nghttp2_session_callbacks_set_send_data_callback(c, &onSendData);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, &onBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(c, &onHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, &onData);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, &onFrame);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, &onFrameSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, &onStreamClose);
    auto option = http2::newOption();
    nghttp2_option_set_no_closed_streams(option.get(), 1);
    nghttp2_option_set_stream_reset_rate_limit(option.get(), kResetBurst, kResetsPerSecond);
    nghttp2_session* session = nullptr;
    MUST(nghttp2_session_server_new2(&session, c, this, option.get()) == 0);
    session_.reset(session);
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, core_.options().maxConcurrentStreams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, http2::kStreamWindow},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, uint32_t(core_.options().maxHeaderBytes)}};
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings));
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, http2::kConnectionWindow);
  }

  bool consume(std::string_view bytes) override {
    connection_.markDirty();
    return nghttp2_session_mem_recv(session_.get(), reinterpret_cast<const uint8_t*>(bytes.data()),
                                    bytes.size()) >= 0;
  }

  bool produce() override {
    if (nghttp2_session_send(session_.get()) != 0) return false;
    return nghttp2_session_want_read(session_.get()) != 0 ||
           nghttp2_session_want_write(session_.get()) != 0;
  }

  void answerReady(Exchange& exchange) override {
    exchange.phase = Exchange::Phase::Started;
    bool bodyAllowed = http1::mayHaveBody(exchange.status);
    if (exchange.whole && bodyAllowed && !exchange.headers.has("content-length")) {
      exchange.headers.add("content-length", std::to_string(exchange.bodyBytes));
    }
    if (!bodyAllowed || exchange.head) {
      exchange.dropBody();
      exchange.head = true;
      exchange.finished = true;
    }
    exchange.headers.lowerNames();
    exchange.statusDigits = std::to_string(exchange.status);
    nv_.clear();
    nv_.push_back(http2::header(":status", exchange.statusDigits));
    for (const auto& [name, value] : exchange.headers.items()) {
      if (http1::validHeader(name, value) && !http2::isConnectionHeader(name)) {
        nv_.push_back(http2::header(name, value));
      }
    }
    if (!exchange.headers.has("date")) {
      nv_.push_back(http2::header("date", core_.date(), http2::Lifetime::Copied));
    }
    bool noBody = exchange.finished && exchange.bodyBytes == 0 && exchange.trailers.items().empty();
    nghttp2_data_provider provider{.source = {.ptr = &exchange}, .read_callback = &onRead};
    int result = nghttp2_submit_response(session_.get(), exchange.streamId, nv_.data(), nv_.size(),
                                         noBody ? nullptr : &provider);
    if (result != 0) reset(exchange.streamId, NGHTTP2_INTERNAL_ERROR);
  }

  void bodyReady(Exchange& exchange) override {
    if (!exchange.deferred) return;
    exchange.deferred = false;
    nghttp2_session_resume_data(session_.get(), exchange.streamId);
  }

  void goAway() override {
    nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                          nullptr, 0);
  }

  bool idle() const override { return open_ == 0; }
  // A peer that takes no answers gets no more requests read: its answers are what fills the memory.
  bool wantsRead() const override { return connection_.roomToWrite(); }

  void detachAll() override {
    auto streams = std::move(streams_);
    streams_.clear();
    open_ = 0;
    for (auto& [id, exchange] : streams) core_.detach(*exchange);
  }

 private:
  static Http2& self(void* user) { return *static_cast<Http2*>(user); }

  Exchange* find(int32_t streamId) {
    return static_cast<Exchange*>(nghttp2_session_get_stream_user_data(session_.get(), streamId));
  }

  void reset(int32_t streamId, uint32_t code) {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, streamId, code);
  }

  // ---- what nghttp2 wants to send ----

  static ssize_t onSend(nghttp2_session*, const uint8_t* data, size_t size, int, void* user) {
    auto& connection = self(user).connection_;
    if (!connection.roomToWrite()) return NGHTTP2_ERR_WOULDBLOCK;
    connection.socket().write({reinterpret_cast<const char*>(data), size});
    return ssize_t(size);
  }

  static ssize_t onRead(nghttp2_session* session, int32_t streamId, uint8_t*, size_t length,
                        uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& exchange = *static_cast<Exchange*>(source->ptr);
    if (exchange.bodyBytes == 0 && !exchange.finished) {
      exchange.deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (exchange.finished && exchange.bodyBytes <= length) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!exchange.trailers.items().empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submitTrailers(session, streamId, exchange);
      }
    }
    return ssize_t(std::min(exchange.bodyBytes, length));
  }

  static void submitTrailers(nghttp2_session* session, int32_t streamId, Exchange& exchange) {
    exchange.trailers.lowerNames();
    std::vector<nghttp2_nv> nv;
    for (const auto& [name, value] : exchange.trailers.items()) {
      if (http1::validHeader(name, value)) nv.push_back(http2::header(name, value));
    }
    nghttp2_submit_trailer(session, streamId, nv.data(), nv.size());
  }

  static int onSendData(nghttp2_session*, nghttp2_frame* frame, const uint8_t* frameHeader,
                        size_t length, nghttp2_data_source* source, void* user) {
    auto& connection = self(user).connection_;
    if (!connection.roomToWrite()) return NGHTTP2_ERR_WOULDBLOCK;
    auto& socket = connection.socket();
    socket.write({reinterpret_cast<const char*>(frameHeader), http2::kFrameHeaderBytes});
    if (frame->data.padlen > 0) return NGHTTP2_ERR_CALLBACK_FAILURE;  // we never ask for padding
    auto& exchange = *static_cast<Exchange*>(source->ptr);
    exchange.takeBody(length, [&](std::string_view bytes) { socket.write(bytes); });
    self(user).core_.noteSent(exchange);
    return 0;
  }

  static int onFrameSent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
    // The answer came before the end of the request: the peer may stop sending (RFC 9113
    // section 8.1).
    auto* exchange = self(user).find(frame->hd.stream_id);
    if (exchange != nullptr && exchange->refused) {
      self(user).reset(frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  // ---- what arrives ----

  static int onBeginHeaders(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto& http = self(user);
    auto exchange = std::make_shared<Exchange>(http.core_.shared_from_this(), false);
    exchange->connection = &http.connection_;
    exchange->streamId = frame->hd.stream_id;
    exchange->request = std::make_shared<Request>();
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, exchange.get());
    http.streams_.emplace(frame->hd.stream_id, std::move(exchange));
    return 0;
  }

  static int onHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* nameBytes,
                      size_t nameSize, const uint8_t* valueBytes, size_t valueSize, uint8_t,
                      void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto* exchange = self(user).find(frame->hd.stream_id);
    if (exchange == nullptr || exchange->request == nullptr) return 0;
    std::string_view name(reinterpret_cast<const char*>(nameBytes), nameSize);
    std::string_view value(reinterpret_cast<const char*>(valueBytes), valueSize);
    // 32: the weight of an entry in SETTINGS_MAX_HEADER_LIST_SIZE.
    exchange->headerBytes += nameSize + valueSize + 32;
    if (exchange->headerBytes > self(user).core_.options().maxHeaderBytes) return 0;
    auto& request = *exchange->request;
    if (!name.starts_with(':')) {
      request.headers.add(name, value);
    } else if (name == ":method") {
      request.method = value;
      exchange->head = value == "HEAD";
    } else if (name == ":path") {
      size_t mark = value.find('?');
      request.path = value.substr(0, mark);
      if (mark != std::string_view::npos) request.query = value.substr(mark + 1);
    } else if (name == ":authority") {
      request.headers.set("host", value);
    }
    return 0;
  }

  static int onData(nghttp2_session*, uint8_t, int32_t streamId, const uint8_t* data, size_t size,
                    void* user) {
    auto& http = self(user);
    auto* exchange = http.find(streamId);
    if (exchange == nullptr || exchange->dispatched) return 0;
    if (exchange->requestBody.size() + size > http.core_.options().maxBodyBytes) {
      exchange->requestBody = {};
      http.refuse(*exchange, 413, "request entity is too large");
      return 0;
    }
    exchange->requestBody.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }

  static int onFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    bool headers = frame->hd.type == NGHTTP2_HEADERS;
    if (!headers && frame->hd.type != NGHTTP2_DATA) return 0;
    auto& http = self(user);
    auto* exchange = http.find(frame->hd.stream_id);
    if (exchange == nullptr || exchange->dispatched) return 0;
    bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (headers) {
      const auto& options = http.core_.options();
      auto length = parseUint(exchange->request->headers.get("content-length"));
      if (exchange->headerBytes > options.maxHeaderBytes) {
        http.refuse(*exchange, 431, "request header is too large");
      } else if (length && *length > options.maxBodyBytes) {
        http.refuse(*exchange, 413, "request entity is too large");
      }
    }
    if (exchange->dispatched) {
      exchange->refused = exchange->refused && !ended;
    } else if (ended) {
      ++http.open_;
      http.core_.dispatch(*exchange);
    }
    return 0;
  }

  void refuse(Exchange& exchange, int status, std::string_view text) {
    ++open_;
    core_.refuse(exchange, {status, text, core_.options().maxBodyBytes});
  }

  static int onStreamClose(nghttp2_session*, int32_t streamId, uint32_t, void* user) {
    auto& http = self(user);
    auto node = http.streams_.extract(streamId);
    if (node.empty()) return 0;
    if (node.mapped()->dispatched) --http.open_;
    http.core_.detach(*node.mapped());
    return 0;
  }

  Connection& connection_;
  ServerCore& core_;
  http2::SessionPtr session_;
  std::unordered_map<int32_t, std::shared_ptr<Exchange>> streams_;
  size_t open_ = 0;             // requests that were dispatched or refused and are not over
  std::vector<nghttp2_nv> nv_;  // reused
};

}  // namespace

std::unique_ptr<Protocol> makeHttp2(Connection& connection) {
  return std::make_unique<Http2>(connection);
}

}  // namespace skiff::net
