#include "net/http2_client.h"

#include <sys/epoll.h>

#include "base/strings.h"
#include "net/http1.h"

namespace skiff::net {
namespace {

constexpr size_t kHighWater = 256 * 1024;
constexpr size_t kPieceBytes = 64 * 1024;      // small frames join up to it
constexpr size_t kGiveBackBytes = 128 * 1024;  // window is given back in such steps
constexpr size_t kMaxHeaderBytes = 1024 * 1024;
constexpr size_t kMaxWholeBytes = size_t(1) << 30;  // of an answer read in one piece
constexpr auto kPingAfter = milliseconds(30000);    // of silence while streams are open
constexpr auto kPingTimeout = milliseconds(15000);
constexpr auto kIdleTime = milliseconds(90000);  // without streams: closed

Error lostError(std::string_view why) {
  return {Reason::ServiceUnavailable, concat("http2: client connection lost: ", why)};
}

Error timeoutError() { return {Reason::Timeout, "context deadline exceeded"}; }

}  // namespace

// ---- ClientStream: the caller's side ----

Status ClientStream::waitForHead(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline, [&] { return headDone_ || error_; });
  if (headDone_) return okStatus();
  if (error_) return *error_;
  return timeoutError();
}

Result<std::string> ClientStream::waitForBody(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline, [&] { return ended_ || error_; });
  if (error_) return *error_;
  if (!ended_) return timeoutError();
  if (pieces_.empty()) return std::string();
  if (pieces_.size() == 1) return std::move(pieces_.front());
  size_t size = 0;
  for (const auto& piece : pieces_) size += piece.size();
  std::string body;
  body.reserve(size);
  for (auto& piece : pieces_) {
    body += piece;
    piece = {};
  }
  return body;
}

Result<std::string> ClientStream::next(SteadyTime deadline) {
  std::string piece;
  size_t giveBack = 0;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [&] { return !pieces_.empty() || ended_ || error_; });
    if (pieces_.empty()) {
      if (error_) return *error_;
      if (ended_) return std::string();
      return timeoutError();
    }
    piece = std::move(pieces_.front());
    pieces_.pop_front();
    consumed_ += piece.size();
    if (consumed_ >= kGiveBackBytes) giveBack = std::exchange(consumed_, 0);
  }
  if (giveBack > 0) {
    if (auto connection = connection_.lock()) {
      connection->giveBack(shared_from_this(), giveBack);
    }
  }
  return piece;
}

void ClientStream::cancel() {
  {
    std::lock_guard lock(mutex_);
    if (ended_ || error_) return;
    error_ = Error(Reason::ServiceUnavailable, "context canceled");
  }
  changed_.notify_all();
  if (auto connection = connection_.lock()) connection->reset(shared_from_this());
}

void ClientStream::send(std::string bytes) {
  {
    std::lock_guard lock(mutex_);
    if (ended_ || error_ || sendingDone_ || bytes.empty()) return;
    unsent_.push_back(std::move(bytes));
  }
  if (auto connection = connection_.lock()) connection->resume(shared_from_this());
}

void ClientStream::finishSending() {
  {
    std::lock_guard lock(mutex_);
    sendingDone_ = true;
  }
  if (auto connection = connection_.lock()) connection->resume(shared_from_this());
}

bool ClientStream::ended() const {
  std::lock_guard lock(mutex_);
  return (ended_ && pieces_.empty()) || error_;
}

bool ClientStream::mayBeRetried() const {
  std::lock_guard lock(mutex_);
  return error_ && untouched_;
}

void ClientStream::fail(Error error, bool untouched) {
  {
    std::lock_guard lock(mutex_);
    if (ended_ || error_) return;
    error_ = std::move(error);
    untouched_ = untouched;
  }
  changed_.notify_all();
}

// ---- Http2Connection: any thread ----

std::shared_ptr<Http2Connection> Http2Connection::create(std::shared_ptr<rt::EventLoop> loop, Fd fd,
                                                         std::unique_ptr<TlsSession> tls,
                                                         Options options) {
  std::shared_ptr<Http2Connection> connection(
      new Http2Connection(std::move(loop), std::move(fd), std::move(tls), std::move(options)));
  connection->loop_->post([connection] {
    connection->makeSession();
    // The watch holds the connection alive until close().
    connection->loop_->watch(connection->socket_.fd(), EPOLLIN,
                             [connection](uint32_t events) { connection->onEvents(events); });
    connection->lastRead_ = connection->idleSince_ = Clock::real().steadyNow();
    connection->armCheck(kPingAfter);
    connection->markDirty();
    // TLS may have read ahead during the handshake.
    connection->onEvents(EPOLLIN);
  });
  return connection;
}

Http2Connection::Http2Connection(std::shared_ptr<rt::EventLoop> loop, Fd fd,
                                 std::unique_ptr<TlsSession> tls, Options options)
    : loop_(std::move(loop)),
      options_(std::move(options)),
      socket_(std::move(fd), std::move(tls), buffers_),
      scratch_(32 * 1024, '\0') {}

Http2Connection::~Http2Connection() = default;

// A task in a loop that has stopped would keep connection and loop alive for ever.
void Http2Connection::post(UniqueFunction<void()> task) {
  if (!closed_) loop_->post(std::move(task));
}

bool Http2Connection::tryReserve() {
  if (!usable()) return false;
  if (open_.fetch_add(1) < maxOpen_.load()) return true;
  open_.fetch_sub(1);
  return false;
}

void Http2Connection::start(std::shared_ptr<ClientStream> stream) {
  stream->connection_ = weak_from_this();
  if (closed_) return stream->fail(lostError(closedWhy_), true);
  loop_->post([connection = shared_from_this(), stream = std::move(stream)] {
    connection->submit(stream);
  });
}

void Http2Connection::shutdown() {
  gone_.store(true, std::memory_order_release);
  post([connection = shared_from_this()] { connection->close("the client was closed"); });
}

void Http2Connection::resume(const std::shared_ptr<ClientStream>& stream) {
  post([connection = shared_from_this(), stream] {
    if (connection->closed_ || connection->find(stream->id_) == nullptr) return;
    // Fails where the body is not waiting for data: then it will find them by itself.
    (void)nghttp2_session_resume_data(connection->session_.get(), stream->id_);
    connection->markDirty();
  });
}

void Http2Connection::reset(const std::shared_ptr<ClientStream>& stream) {
  post([connection = shared_from_this(), stream] {
    if (connection->closed_ || stream->id_ == 0) return;
    nghttp2_submit_rst_stream(connection->session_.get(), NGHTTP2_FLAG_NONE, stream->id_,
                              NGHTTP2_CANCEL);
    connection->markDirty();
  });
}

void Http2Connection::giveBack(const std::shared_ptr<ClientStream>& stream, size_t count) {
  post([connection = shared_from_this(), stream, count] {
    if (connection->closed_ || connection->find(stream->id_) == nullptr) return;
    nghttp2_session_consume_stream(connection->session_.get(), stream->id_, count);
    connection->markDirty();
  });
}

// ---- the loop ----

void Http2Connection::makeSession() {
  auto callbacks = http2::newCallbacks();
  auto* c = callbacks.get();
  nghttp2_session_callbacks_set_send_callback(c, &onSend);
  nghttp2_session_callbacks_set_send_data_callback(c, &onSendData);
  nghttp2_session_callbacks_set_on_header_callback(c, &onHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, &onData);
  nghttp2_session_callbacks_set_on_frame_recv_callback(c, &onFrame);
  nghttp2_session_callbacks_set_on_frame_send_callback(c, &onFrameSent);
  nghttp2_session_callbacks_set_on_stream_close_callback(c, &onStreamClose);
  auto option = http2::newOption();
  nghttp2_option_set_no_auto_window_update(option.get(), 1);
  nghttp2_option_set_no_closed_streams(option.get(), 1);
  nghttp2_session* session = nullptr;
  MUST(nghttp2_session_client_new2(&session, c, this, option.get()) == 0);
  session_.reset(session);
  nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, http2::kStreamWindow},
                                       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeaderBytes}};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, http2::kConnectionWindow);
}

void Http2Connection::submit(const std::shared_ptr<ClientStream>& stream) {
  {
    std::lock_guard lock(stream->mutex_);
    if (stream->error_) {  // cancelled before it began
      open_.fetch_sub(1);
      return;
    }
  }
  if (closed_ || nghttp2_session_check_request_allowed(session_.get()) == 0) {
    gone_.store(true, std::memory_order_release);
    open_.fetch_sub(1);
    stream->fail(lostError(closed_ ? closedWhy_ : "it is going away"), true);
    return;
  }
  auto& request = stream->request_;
  request.headers.lowerNames();
  auto host = request.headers.get("host");
  stream->authority_ = host.empty() ? options_.authority : std::string(host);
  stream->target_ = request.path.empty() ? "/" : request.path;
  if (!request.query.empty()) stream->target_ += concat('?', request.query);
  std::vector<nghttp2_nv> nv{
      http2::header(":method", request.method), http2::header(":scheme", options_.scheme),
      http2::header(":authority", stream->authority_), http2::header(":path", stream->target_)};
  for (const auto& [name, value] : request.headers.items()) {
    if (name == "host" || http2::isConnectionHeader(name)) continue;
    if (http1::validHeader(name, value)) nv.push_back(http2::header(name, value));
  }
  if (!request.body.empty() && !request.headers.has("content-length")) {
    stream->contentLength_ = std::to_string(request.body.size());
    nv.push_back(http2::header("content-length", stream->contentLength_));
  }
  nghttp2_data_provider provider{.source = {.ptr = stream.get()}, .read_callback = &onRead};
  bool hasBody = stream->openBody_ || !request.body.empty();
  int32_t id = nghttp2_submit_request(session_.get(), nullptr, nv.data(), nv.size(),
                                      hasBody ? &provider : nullptr, stream.get());
  if (id < 0) {
    gone_.store(true, std::memory_order_release);  // out of stream ids above all
    open_.fetch_sub(1);
    stream->fail(lostError(nghttp2_strerror(id)), true);
    return;
  }
  stream->id_ = id;
  streams_.emplace(id, stream);
  markDirty();
}

void Http2Connection::onEvents(uint32_t events) {
  if (closed_) return;
  if ((events & EPOLLOUT) != 0) {
    blocked_ = false;
    loop_->modify(socket_.fd(), EPOLLIN);
    markDirty();
  }
  if ((events & ~uint32_t(EPOLLOUT)) == 0) return;
  bool more = true;
  while (more && !closed_) {
    size_t got = 0;
    auto state = socket_.read(scratch_.data(), scratch_.size(), &got, &more);
    if (state == IoState::WouldBlock) return;
    if (state == IoState::Closed) return close(socket_.closedBy());
    lastRead_ = Clock::real().steadyNow();
    pingSent_.reset();
    auto result = nghttp2_session_mem_recv(session_.get(),
                                           reinterpret_cast<const uint8_t*>(scratch_.data()), got);
    if (result < 0) return close(nghttp2_strerror(int(result)));
    markDirty();
  }
}

void Http2Connection::markDirty() {
  if (dirty_ || closed_) return;
  dirty_ = true;
  post([connection = shared_from_this()] { connection->pump(); });
}

void Http2Connection::pump() {
  dirty_ = false;
  if (closed_ || blocked_) return;
  bool full = true;
  while (full) {
    if (nghttp2_session_send(session_.get()) != 0) return close("protocol error");
    full = socket_.unsent() >= kHighWater;
    auto state = socket_.flush();
    if (state == IoState::Closed) return close("the peer closed it");
    if (state == IoState::WouldBlock) {
      blocked_ = true;
      loop_->modify(socket_.fd(), EPOLLIN | EPOLLOUT);
      break;
    }
  }
  if (nghttp2_session_want_read(session_.get()) == 0 &&
      nghttp2_session_want_write(session_.get()) == 0) {
    close("the peer is going away");
  }
}

void Http2Connection::close(const std::string& why) {
  if (closed_) return;
  closedWhy_ = why;
  closed_ = true;
  gone_.store(true, std::memory_order_release);
  auto keep = shared_from_this();  // the watch may hold the last reference
  loop_->unwatch(socket_.fd());
  auto streams = std::move(streams_);
  streams_.clear();
  for (auto& [id, stream] : streams) stream->fail(lostError(why), !stream->sent_);
  open_.store(0);
  socket_.releaseFd().reset();
}

void Http2Connection::armCheck(milliseconds delay) {
  loop_->after(delay, [weak = weak_from_this()] {
    if (auto connection = weak.lock()) connection->checkAlive();
  });
}

void Http2Connection::checkAlive() {
  if (closed_) return;
  auto now = Clock::real().steadyNow();
  if (pingSent_ && now - *pingSent_ >= kPingTimeout) return close("no answer to a ping");
  if (streams_.empty()) {
    if (now - idleSince_ >= kIdleTime) return close("idle");
    return armCheck(kPingAfter);
  }
  if (pingSent_ || now - lastRead_ < kPingAfter) {
    return armCheck(pingSent_ ? kPingTimeout : kPingAfter);
  }
  pingSent_ = now;
  nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr);
  markDirty();
  armCheck(kPingTimeout);
}

ClientStream* Http2Connection::find(int32_t id) const {
  auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second.get();
}

// ---- nghttp2's callbacks ----

ssize_t Http2Connection::onSend(nghttp2_session*, const uint8_t* data, size_t size, int,
                                void* user) {
  auto& socket = self(user).socket_;
  if (socket.unsent() >= kHighWater) return NGHTTP2_ERR_WOULDBLOCK;
  socket.write({reinterpret_cast<const char*>(data), size});
  return ssize_t(size);
}

ssize_t Http2Connection::onRead(nghttp2_session*, int32_t, uint8_t*, size_t length, uint32_t* flags,
                                nghttp2_data_source* source, void*) {
  auto& stream = *static_cast<ClientStream*>(source->ptr);
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (stream.openBody_) {
    std::lock_guard lock(stream.mutex_);
    for (auto& bytes : stream.unsent_) stream.outgoing_.push_back(std::move(bytes));
    stream.unsent_.clear();
    if (stream.outgoing_.empty()) {
      if (!stream.sendingDone_) return NGHTTP2_ERR_DEFERRED;
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      return 0;
    }
    return ssize_t(std::min(stream.outgoing_.front().size() - stream.bodySent_, length));
  }
  size_t left = stream.request_.body.size() - stream.bodySent_;
  if (left <= length) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return ssize_t(std::min(left, length));
}

int Http2Connection::onSendData(nghttp2_session*, nghttp2_frame*, const uint8_t* frameHeader,
                                size_t length, nghttp2_data_source* source, void* user) {
  auto& socket = self(user).socket_;
  if (socket.unsent() >= kHighWater) return NGHTTP2_ERR_WOULDBLOCK;
  auto& stream = *static_cast<ClientStream*>(source->ptr);
  socket.write({reinterpret_cast<const char*>(frameHeader), http2::kFrameHeaderBytes});
  if (stream.openBody_) {
    if (length == 0) return 0;
    socket.write(std::string_view(stream.outgoing_.front()).substr(stream.bodySent_, length));
    stream.bodySent_ += length;
    if (stream.bodySent_ == stream.outgoing_.front().size()) {
      stream.outgoing_.pop_front();
      stream.bodySent_ = 0;
    }
    return 0;
  }
  socket.write(stream.request_.body.view().substr(stream.bodySent_, length));
  stream.bodySent_ += length;
  return 0;
}

int Http2Connection::onHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                              size_t nameSize, const uint8_t* value, size_t valueSize, uint8_t,
                              void* user) {
  auto* stream = self(user).find(frame->hd.stream_id);
  if (stream == nullptr) return 0;
  stream->headerBytes_ += nameSize + valueSize + 32;
  if (stream->headerBytes_ > kMaxHeaderBytes) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  std::string_view key(reinterpret_cast<const char*>(name), nameSize);
  std::string_view text(reinterpret_cast<const char*>(value), valueSize);
  if (key == ":status") {
    stream->incomingStatus_ = int(parseInt(text).value_or(0));
  } else {
    stream->incoming_.add(key, text);
  }
  return 0;
}

int Http2Connection::onData(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data,
                            size_t size, void* user) {
  // The connection's window always reopens: one slow reader must not hold up the others.
  nghttp2_session_consume_connection(session, size);
  auto* stream = self(user).find(id);
  if (stream == nullptr) return 0;
  stream->received_ += size;
  bool whole = stream->mode_ == ClientStream::Mode::Whole;
  if (whole) {
    nghttp2_session_consume_stream(session, id, size);
    if (stream->received_ > kMaxWholeBytes) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  {
    std::lock_guard lock(stream->mutex_);
    auto& pieces = stream->pieces_;
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (!pieces.empty() && (whole || pieces.back().size() + size <= kPieceBytes)) {
      pieces.back().append(bytes);
      return 0;  // whoever waits was told of the first piece
    }
    pieces.emplace_back(bytes);
    if (whole) return 0;
  }
  stream->changed_.notify_all();
  return 0;
}

void Http2Connection::onHeadEnd(ClientStream& stream) {
  if (stream.gotHead_) {  // trailers
    std::lock_guard lock(stream.mutex_);
    stream.trailers_ = std::move(stream.incoming_);
    return;
  }
  if (stream.incomingStatus_ < 200) {  // informational: the real head is still to come
    stream.incoming_ = {};
    return;
  }
  stream.gotHead_ = true;
  {
    std::lock_guard lock(stream.mutex_);
    stream.status_ = stream.incomingStatus_;
    stream.headers_ = std::move(stream.incoming_);
    stream.headDone_ = true;
  }
  stream.incoming_ = {};
  if (stream.mode_ == ClientStream::Mode::Pieces) stream.changed_.notify_all();
}

void Http2Connection::onEnd(ClientStream& stream) {
  {
    std::lock_guard lock(stream.mutex_);
    stream.ended_ = true;
  }
  stream.changed_.notify_all();
}

int Http2Connection::onFrame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  auto& connection = self(user);
  switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
      connection.maxOpen_.store(
          nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
      return 0;
    case NGHTTP2_GOAWAY:
      connection.gone_.store(true, std::memory_order_release);
      return 0;
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      break;
    default:
      return 0;
  }
  auto* stream = connection.find(frame->hd.stream_id);
  if (stream == nullptr) return 0;
  if (frame->hd.type == NGHTTP2_HEADERS) connection.onHeadEnd(*stream);
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) connection.onEnd(*stream);
  return 0;
}

int Http2Connection::onFrameSent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  if (auto* stream = self(user).find(frame->hd.stream_id)) stream->sent_ = true;
  return 0;
}

int Http2Connection::onStreamClose(nghttp2_session*, int32_t id, uint32_t code, void* user) {
  auto& connection = self(user);
  auto node = connection.streams_.extract(id);
  if (node.empty()) return 0;
  connection.open_.fetch_sub(1);
  if (connection.streams_.empty()) connection.idleSince_ = Clock::real().steadyNow();
  auto& stream = *node.mapped();
  // Does nothing to a stream that ended well.
  stream.fail(Error(Reason::ServiceUnavailable,
                    concat("stream error: stream ID ", id, "; ", nghttp2_http2_strerror(code))),
              code == NGHTTP2_REFUSED_STREAM || !stream.sent_);
  return 0;
}

}  // namespace skiff::net
