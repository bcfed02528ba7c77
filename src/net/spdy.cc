// SPDY/3.1 connections. One thread reads frames and fills streams, one sends what is queued. The
// reader never waits for the peer to read: two sides that did so would wait for each other once
// both directions are full.
//
//   control frame: 1 | version 3 (15) | type (16) | flags (8) | length (24) | ...
//   data frame:    0 | stream id (31) |             flags (8) | length (24) | bytes
//
// The peers out there (client-go, kubelet, containerd, cri-o) share an implementation without flow
// control: they send no WINDOW_UPDATE and heed none. So we limit ourselves only towards a peer that
// showed that it plays along, by SETTINGS or WINDOW_UPDATE, and towards the others rely on TCP: a
// full stream stops the reader, as it does over there.
#include <condition_variable>
#include <deque>

#include "base/strings.h"
#include "net/spdy_headers.h"
#include "net/streams.h"
#include "rt/executor.h"

namespace skiff::net {
namespace {

enum Type : uint16_t {
  kSynStream = 1,
  kSynReply = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kHeaders = 8,
  kWindowUpdate = 9
};
enum Flag : uint8_t { kFin = 1, kUnidirectional = 2 };
enum RstCode : uint32_t {
  kRstProtocol = 1,
  kRstInvalidStream = 2,
  kRstRefused = 3,
  kRstCancel = 5
};

constexpr uint32_t kInitialWindowSetting = 7;
constexpr int64_t kDefaultWindow = 64 * 1024;
constexpr int64_t kOurWindow = 256 * 1024;
constexpr size_t kStreamBufferBytes = 1024 * 1024;  // unread input at which the reader waits
constexpr size_t kMaxData = 32 * 1024;              // of a data frame of ours: streams take turns
constexpr size_t kMaxControl = 128 * 1024;
constexpr size_t kQueueBytes = 256 * 1024;  // unsent bytes at which writers of data wait
constexpr size_t kQueueLimit =
    4 * 1024 * 1024;                  // only a peer that floods us with questions gets there
constexpr size_t kMaxStreams = 1000;  // that a peer may have open
constexpr auto kReplyTime = std::chrono::seconds(30);  // for SYN_REPLY, as upstream's clients wait
constexpr auto kDrainTime = std::chrono::seconds(5);   // at close, for the queue
constexpr auto kGoodbyeTime =
    std::chrono::seconds(1);  // at close, for the peer's own close: an early one of ours
                              // could cost it what it has not read yet

Error closedError() { return {Reason::ServiceUnavailable, "spdy: connection closed"}; }

void put(std::string& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += char(value >> shift & 0xff);
}

uint32_t number(std::string_view bytes, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::string controlFrame(Type type, uint8_t flags, std::string_view payload) {
  std::string out;
  put(out, 0x8003, 2);
  put(out, type, 2);
  put(out, flags, 1);
  put(out, payload.size(), 3);
  out += payload;
  return out;
}

struct StreamState {
  explicit StreamState(uint32_t streamId) : id(streamId) {}
  const uint32_t id;
  std::condition_variable changed;
  std::deque<std::string> pieces;
  size_t used = 0;       // of the first piece
  size_t bytes = 0;      // unread
  int64_t consumed = 0;  // read, window not yet given back
  int64_t sendWindow = kDefaultWindow;
  bool replied = false;
  bool remoteDone = false;  // FIN came
  bool localDone = false;   // FIN went
  bool reset = false;       // by either side
  bool cancelled = false;   // by ours
  bool abandoned = false;   // the handle is gone: input is dropped
};

// Shared by the connection's handle, its reader and its streams.
class Core {
 public:
  Core(std::unique_ptr<ByteStream> stream, WebSocket::Side side)
      : stream_(std::move(stream)), side_(side), nextId_(side == WebSocket::Side::Client ? 1 : 2) {}

  // ---- the reader's thread ----

  void readAll() {
    {
      std::string settings;
      put(settings, 1, 4);
      put(settings, kInitialWindowSetting, 4);
      put(settings, uint64_t(kOurWindow), 4);
      std::lock_guard lock(mutex_);
      enqueueControl(kSettings, 0, settings);
    }
    while (readFrame().ok()) {
    }
    std::lock_guard lock(mutex_);
    readerDone_ = true;
    endAll();
  }

  // ---- the sender's thread ----

  void sendAll() {
    std::string batch;
    std::unique_lock lock(mutex_);
    for (;;) {
      queueChanged_.wait(lock, [&] { return !queue_.empty() || over_; });
      if (queue_.empty()) break;
      batch.clear();
      batch.swap(queue_);
      sending_ = true;
      lock.unlock();
      bool sent = stream_->write(batch).ok();
      lock.lock();
      sending_ = false;
      if (!sent) {
        queue_.clear();
        endAll();
      }
      roomChanged_.notify_all();
    }
    lock.unlock();
    stream_->closeWrite();
  }

  // ---- any thread ----

  Result<std::shared_ptr<StreamState>> nextIncoming(Headers* headers) {
    std::unique_lock lock(mutex_);
    incomingChanged_.wait(lock, [&] { return !incoming_.empty() || over_; });
    if (incoming_.empty()) return closedError();
    auto first = std::move(incoming_.front());
    incoming_.pop_front();
    *headers = std::move(first.second);
    return std::move(first.first);
  }

  Result<std::shared_ptr<StreamState>> open(const Headers& headers) {
    std::unique_lock lock(mutex_);
    if (over_ || goingAway_) return closedError();
    auto state = std::make_shared<StreamState>(nextId_);
    state->sendWindow = initialSendWindow_;
    streams_.emplace(nextId_, state);
    nextId_ += 2;
    std::string payload;
    put(payload, state->id, 4);
    put(payload, 0, 4);
    put(payload, 0, 2);
    payload += codec_.encode(headers);
    enqueueControl(kSynStream, 0, payload);
    bool answered = state->changed.wait_for(
        lock, kReplyTime, [&] { return state->replied || state->reset || over_; });
    if (state->replied && !state->reset) return state;
    if (!answered) return Error(Reason::Timeout, "spdy: the peer did not answer SYN_STREAM");
    if (state->reset) return Error(Reason::ServiceUnavailable, "spdy: the peer refused the stream");
    return closedError();
  }

  Result<size_t> read(StreamState& state, char* into, size_t capacity) {
    std::unique_lock lock(mutex_);
    state.changed.wait(lock, [&] {
      return !state.pieces.empty() || state.remoteDone || state.cancelled || over_;
    });
    if (state.cancelled) return Error(Reason::ServiceUnavailable, "spdy: read on closed stream");
    if (state.pieces.empty()) {
      if (state.remoteDone) return size_t(0);
      return closedError();
    }
    auto& piece = state.pieces.front();
    size_t count = std::min(capacity, piece.size() - state.used);
    std::memcpy(into, piece.data() + state.used, count);
    state.used += count;
    if (state.used == piece.size()) {
      state.pieces.pop_front();
      state.used = 0;
    }
    state.bytes -= count;
    state.consumed += int64_t(count);
    if (state.consumed >= kOurWindow / 2) {
      enqueueWindowUpdate(state.id, std::exchange(state.consumed, 0));
    }
    roomChanged_.notify_all();
    return count;
  }

  Status write(StreamState& state, std::string_view bytes) {
    while (!bytes.empty()) {
      std::unique_lock lock(mutex_);
      auto stopped = [&] { return over_ || state.reset || state.localDone; };
      state.changed.wait(lock, [&] {
        return stopped() || !flowControlled_ || (state.sendWindow > 0 && sessionWindow_ > 0);
      });
      roomChanged_.wait(lock, [&] { return stopped() || queue_.size() < kQueueBytes; });
      if (over_) return closedError();
      if (stopped()) return Error(Reason::ServiceUnavailable, "spdy: write on closed stream");
      size_t count = std::min(bytes.size(), kMaxData);
      if (flowControlled_) {
        int64_t window = std::min(state.sendWindow, sessionWindow_);
        if (window <= 0) continue;  // another stream took it meanwhile
        count = std::min(count, size_t(window));
      }
      state.sendWindow -= int64_t(count);
      sessionWindow_ -= int64_t(count);
      enqueueData(state.id, 0, bytes.substr(0, count));
      bytes.remove_prefix(count);
    }
    return okStatus();
  }

  void closeWrite(StreamState& state) {
    std::lock_guard lock(mutex_);
    if (over_ || state.reset || std::exchange(state.localDone, true)) return;
    enqueueData(state.id, kFin, "");
    wake(state);
    forgetIfDone(state);
  }

  void cancel(StreamState& state) {
    std::lock_guard lock(mutex_);
    state.cancelled = true;
    if (!over_ && !state.reset && !(state.localDone && state.remoteDone)) {
      state.reset = true;
      enqueueRst(state.id, kRstCancel);
    }
    drop(state);
    forgetIfDone(state);
  }

  // The handle is gone: what was written still goes out, what still comes is dropped.
  void abandon(StreamState& state) {
    closeWrite(state);
    std::lock_guard lock(mutex_);
    state.abandoned = true;
    drop(state);
  }

  void close() {
    std::unique_lock lock(mutex_);
    if (!over_) {
      std::string payload;
      put(payload, 0, 4);
      put(payload, 0, 4);
      enqueueControl(kGoAway, 0, payload);
      goingAway_ = true;
      roomChanged_.wait_for(lock, kDrainTime,
                            [&] { return over_ || (queue_.empty() && !sending_); });
      queue_.clear();
      endAll();
      roomChanged_.wait_for(lock, kGoodbyeTime, [&] { return readerDone_; });
    }
    lock.unlock();
    stream_->close();
  }

 private:
  // From here on mutex_ is held, but for reading.

  void endAll() {
    over_ = true;
    for (auto& [id, state] : streams_) state->changed.notify_all();
    incomingChanged_.notify_all();
    roomChanged_.notify_all();
    queueChanged_.notify_all();
  }

  void wake(StreamState& state) {
    state.changed.notify_all();
    roomChanged_.notify_all();
  }

  void drop(StreamState& state) {
    state.pieces.clear();
    state.bytes = 0;
    wake(state);
  }

  void forgetIfDone(StreamState& state) {
    if (state.reset || (state.localDone && state.remoteDone)) streams_.erase(state.id);
  }

  // ---- writing ----

  void enqueue(std::string_view head, std::string_view bytes) {
    if (over_) return;
    queue_ += head;
    queue_ += bytes;
    if (queue_.size() > kQueueLimit) {
      queue_.clear();
      endAll();
    }
    queueChanged_.notify_one();
  }
  void enqueueControl(Type type, uint8_t flags, std::string_view payload) {
    enqueue(controlFrame(type, flags, payload), "");
  }
  void enqueueData(uint32_t id, uint8_t flags, std::string_view bytes) {
    std::string head;
    put(head, id, 4);
    put(head, flags, 1);
    put(head, bytes.size(), 3);
    enqueue(head, bytes);
  }
  void enqueueRst(uint32_t id, RstCode code) {
    std::string payload;
    put(payload, id, 4);
    put(payload, code, 4);
    enqueueControl(kRstStream, 0, payload);
  }
  void enqueueWindowUpdate(uint32_t id, int64_t delta) {
    std::string payload;
    put(payload, id, 4);
    put(payload, uint64_t(delta), 4);
    enqueueControl(kWindowUpdate, 0, payload);
  }

  // ---- reading ----

  Status readExactly(char* into, size_t count) {
    while (count > 0) {
      if (inputUsed_ == input_.size()) {
        input_.resize(kMaxData);
        auto got = stream_->read(input_.data(), input_.size());
        input_.resize(got.ok() ? *got : 0);
        inputUsed_ = 0;
        if (!got.ok()) return std::move(got).error();
        if (*got == 0) return closedError();
      }
      size_t step = std::min(count, input_.size() - inputUsed_);
      std::memcpy(into, input_.data() + inputUsed_, step);
      inputUsed_ += step;
      into += step;
      count -= step;
    }
    return okStatus();
  }

  Status readFrame() {
    char bytes[8];
    TRY(readExactly(bytes, sizeof bytes));
    std::string_view head(bytes, sizeof bytes);
    uint32_t first = number(head, 0, 4);
    auto flags = uint8_t(number(head, 4, 1));
    size_t size = number(head, 5, 3);
    if ((first & 0x80000000) == 0) return readData(first, flags, size);
    if ((first >> 16 & 0x7fff) != 3) return badRequest("spdy: unknown version");
    if (size > kMaxControl) return badRequest("spdy: control frame is too large");
    std::string payload(size, '\0');
    TRY(readExactly(payload.data(), size));
    return takeControl(uint16_t(first & 0xffff), flags, payload);
  }

  std::shared_ptr<StreamState> find(uint32_t id) {
    std::lock_guard lock(mutex_);
    auto it = streams_.find(id);
    return it == streams_.end() ? nullptr : it->second;
  }

  // In pieces of bounded size, whatever the frame's length says.
  Status readData(uint32_t id, uint8_t flags, size_t size) {
    auto state = find(id);
    sessionReceived_ += int64_t(size);
    if (sessionReceived_ >= kDefaultWindow / 2) {
      std::lock_guard lock(mutex_);  // streams have limits of their own
      enqueueWindowUpdate(0, std::exchange(sessionReceived_, 0));
    }
    while (size > 0) {
      std::string piece(std::min(size, kMaxData), '\0');
      TRY(readExactly(piece.data(), piece.size()));
      size -= piece.size();
      if (state) deliver(*state, std::move(piece));
    }
    if (!state) return okStatus();  // late data of a stream that was reset
    std::lock_guard lock(mutex_);
    if ((flags & kFin) != 0) finishRemote(*state);
    return okStatus();
  }

  void deliver(StreamState& state, std::string piece) {
    std::unique_lock lock(mutex_);
    roomChanged_.wait(lock, [&] {
      return state.bytes < kStreamBufferBytes || state.reset || state.abandoned || over_;
    });
    if (state.reset || state.remoteDone || over_) return;
    if (state.abandoned) return enqueueWindowUpdate(state.id, int64_t(piece.size()));
    state.bytes += piece.size();
    state.pieces.push_back(std::move(piece));
    state.changed.notify_all();
  }

  void finishRemote(StreamState& state) {
    state.remoteDone = true;
    wake(state);
    forgetIfDone(state);
  }

  Status takeControl(uint16_t type, uint8_t flags, std::string_view payload) {
    static constexpr size_t kLeast[] = {0, 10, 4, 8, 4, 0, 4, 0, 4, 8};
    if (type < std::size(kLeast) && payload.size() < kLeast[type]) {
      return badRequest("spdy: truncated frame");
    }
    uint32_t id = payload.size() >= 4 ? number(payload, 0, 4) & 0x7fffffff : 0;
    switch (type) {
      case kSynStream:
        return takeSynStream(id, flags, payload.substr(10));
      case kSynReply:
      case kHeaders:
        return takeReply(id, flags, payload.substr(4));
      case kRstStream: {
        auto state = find(id);
        if (!state) return okStatus();
        // The implementation out there resets streams that it has ended: to a reader that is their
        // end.
        std::lock_guard lock(mutex_);
        state->reset = state->remoteDone = true;
        wake(*state);
        forgetIfDone(*state);
        return okStatus();
      }
      case kSettings:
        return takeSettings(payload);
      case kPing: {
        // Ids of our own would be odd on a client; we send none.
        bool theirs = (id & 1) == (side_ == WebSocket::Side::Server ? 1U : 0U);
        std::lock_guard lock(mutex_);
        if (theirs) enqueueControl(kPing, 0, payload.substr(0, 4));
        return okStatus();
      }
      case kGoAway: {
        std::lock_guard lock(mutex_);
        goingAway_ = true;
        return okStatus();
      }
      case kWindowUpdate:
        takeWindowUpdate(id, number(payload, 4, 4) & 0x7fffffff);
        return okStatus();
      default:
        return okStatus();  // unknown types are to be ignored
    }
  }

  Status takeReply(uint32_t id, uint8_t flags, std::string_view block) {
    (void)TRY(decoder_.decode(block));  // in any case: it has state
    auto state = find(id);
    if (!state) return okStatus();
    std::lock_guard lock(mutex_);
    state->replied = true;
    wake(*state);
    if ((flags & kFin) != 0) finishRemote(*state);
    return okStatus();
  }

  Status takeSynStream(uint32_t id, uint8_t flags, std::string_view block) {
    auto headers = TRY(decoder_.decode(block));
    bool theirs = (id & 1) == (side_ == WebSocket::Side::Server ? 1U : 0U);
    std::lock_guard lock(mutex_);
    if (!theirs || id <= lastRemoteId_) return badRequest("spdy: bad stream id");
    lastRemoteId_ = id;
    // Streams that nobody has accepted yet count though the peer has reset them meanwhile.
    if (goingAway_ || std::max(streams_.size(), incoming_.size()) >= kMaxStreams) {
      enqueueRst(id, kRstRefused);
      return okStatus();
    }
    auto state = std::make_shared<StreamState>(id);
    state->replied = true;
    state->sendWindow = initialSendWindow_;
    state->remoteDone = (flags & kFin) != 0;
    state->localDone = (flags & kUnidirectional) != 0;
    streams_.emplace(id, state);
    std::string payload;
    put(payload, id, 4);
    payload += codec_.encode({});
    enqueueControl(kSynReply, 0, payload);
    incoming_.emplace_back(std::move(state), std::move(headers));
    incomingChanged_.notify_one();
    return okStatus();
  }

  Status takeSettings(std::string_view payload) {
    size_t count = number(payload, 0, 4);
    if ((payload.size() - 4) / 8 < count) return badRequest("spdy: truncated frame");
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < count; ++i) {
      uint32_t id = number(payload, 4 + 8 * i, 4) & 0xffffff;
      int64_t value = number(payload, 8 + 8 * i, 4) & 0x7fffffff;
      if (id != kInitialWindowSetting) continue;
      flowControlled_ = true;
      for (auto& [streamId, state] : streams_) {
        state->sendWindow += value - initialSendWindow_;
        wake(*state);
      }
      initialSendWindow_ = value;
    }
    return okStatus();
  }

  void takeWindowUpdate(uint32_t id, int64_t delta) {
    std::lock_guard lock(mutex_);
    flowControlled_ = true;
    if (id == 0) {
      sessionWindow_ += delta;
      for (auto& [streamId, state] : streams_) wake(*state);
    } else if (auto it = streams_.find(id); it != streams_.end()) {
      it->second->sendWindow += delta;
      wake(*it->second);
    }
  }

  const std::unique_ptr<ByteStream> stream_;
  const WebSocket::Side side_;

  std::mutex mutex_;  // guards all below but the reader's, and the streams' states
  std::condition_variable incomingChanged_, roomChanged_, queueChanged_;
  std::string queue_;     // frames to send
  bool sending_ = false;  // the sender has a batch at hand
  bool readerDone_ = false;
  spdy::HeaderCodec codec_;  // its compressing half: blocks are queued in the order they were made
  std::unordered_map<uint32_t, std::shared_ptr<StreamState>> streams_;
  std::deque<std::pair<std::shared_ptr<StreamState>, Headers>> incoming_;
  uint32_t nextId_;
  uint32_t lastRemoteId_ = 0;
  int64_t initialSendWindow_ = kDefaultWindow;
  int64_t sessionWindow_ = kDefaultWindow;
  bool flowControlled_ = false;  // the peer plays along
  bool goingAway_ = false;
  bool over_ = false;

  // The reader's.
  spdy::HeaderCodec decoder_;  // its decompressing half
  std::string input_;
  size_t inputUsed_ = 0;
  int64_t sessionReceived_ = 0;
};

class SpdyStream final : public ByteStream {
 public:
  SpdyStream(std::shared_ptr<Core> core, std::shared_ptr<StreamState> state)
      : core_(std::move(core)), state_(std::move(state)) {}
  ~SpdyStream() override { core_->abandon(*state_); }
  Result<size_t> read(char* into, size_t capacity) override {
    return core_->read(*state_, into, capacity);
  }
  Status write(std::string_view bytes) override { return core_->write(*state_, bytes); }
  void closeWrite() override { core_->closeWrite(*state_); }
  void close() override { core_->cancel(*state_); }

 private:
  const std::shared_ptr<Core> core_;
  const std::shared_ptr<StreamState> state_;
};

class SpdyConnection final : public StreamConnection {
 public:
  SpdyConnection(std::unique_ptr<ByteStream> stream, WebSocket::Side side)
      : core_(std::make_shared<Core>(std::move(stream), side)),
        reader_("spdy-read", [core = core_] { core->readAll(); }),
        sender_("spdy-send", [core = core_] { core->sendAll(); }) {}
  ~SpdyConnection() override { core_->close(); }

  Result<Incoming> accept() override {
    Headers headers;
    auto state = TRY(core_->nextIncoming(&headers));
    return Incoming{std::move(headers), std::make_unique<SpdyStream>(core_, std::move(state))};
  }

  Result<std::unique_ptr<Stream>> open(Headers headers) override {
    auto state = TRY(core_->open(headers));
    return std::unique_ptr<Stream>(std::make_unique<SpdyStream>(core_, std::move(state)));
  }

  void close() override { core_->close(); }

 private:
  const std::shared_ptr<Core> core_;
  rt::Thread reader_, sender_;  // joined first: they end soon after close()
};

}  // namespace

std::unique_ptr<StreamConnection> spdyConnection(std::unique_ptr<ByteStream> stream,
                                                 WebSocket::Side side) {
  return std::make_unique<SpdyConnection>(std::move(stream), side);
}

}  // namespace skiff::net
