// SPDY/3.1 connections. A thread reads frames and fills streams; whoever writes sends frames under one mutex.
//
//   control frame: 1 | version 3 (15) | type (16) | flags (8) | length (24) | ...
//   data frame:    0 | stream id (31) |             flags (8) | length (24) | bytes
//
// The peers out there (client-go, kubelet, containerd, cri-o) share an implementation without flow control: they send
// no WINDOW_UPDATE and heed none. So we limit ourselves only towards a peer that showed that it plays along, by
// SETTINGS or WINDOW_UPDATE, and towards the others rely on TCP: a full stream stops the reader, as it does over there.
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
enum RstCode : uint32_t { kRstProtocol = 1, kRstInvalidStream = 2, kRstRefused = 3, kRstCancel = 5 };

constexpr uint32_t kInitialWindowSetting = 7;
constexpr int64_t kDefaultWindow = 64 * 1024;
constexpr int64_t kOurWindow = 256 * 1024;
constexpr size_t kStreamBufferBytes = 1024 * 1024;   // unread input at which the reader waits
constexpr size_t kMaxData = 32 * 1024;               // of a data frame of ours: streams take turns
constexpr size_t kMaxControl = 128 * 1024;
constexpr size_t kMaxStreams = 1000;                 // that a peer may have open
constexpr auto kReplyTime = std::chrono::seconds(30);  // for SYN_REPLY, as upstream's clients wait

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
  size_t used = 0;          // of the first piece
  size_t bytes = 0;         // unread
  int64_t consumed = 0;     // read, window not yet given back
  int64_t sendWindow = kDefaultWindow;
  bool replied = false;
  bool remoteDone = false;  // FIN came
  bool localDone = false;   // FIN went
  bool reset = false;       // by either side
  bool abandoned = false;   // the handle is gone: input is dropped
};

// Shared by the connection's handle, its reader and its streams.
class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(std::unique_ptr<ByteStream> stream, WebSocket::Side side)
      : stream_(std::move(stream)),
        side_(side),
        nextId_(side == WebSocket::Side::Client ? 1 : 2) {}

  // ---- the reader's thread ----

  void readAll() {
    std::string settings;
    put(settings, 1, 4);
    put(settings, kInitialWindowSetting, 4);
    put(settings, uint64_t(kOurWindow), 4);
    if (sendControl(kSettings, 0, settings).ok()) {
      while (readFrame().ok()) {
      }
    }
    shutdown();
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
    std::shared_ptr<StreamState> state;
    {
      // Ids must reach the wire in order, so the write lock is held around both.
      std::lock_guard writing(writeMutex_);
      {
        std::lock_guard lock(mutex_);
        if (over_ || goingAway_) return closedError();
        state = std::make_shared<StreamState>(nextId_);
        state->sendWindow = initialSendWindow_;
        streams_.emplace(nextId_, state);
        nextId_ += 2;
      }
      std::string payload;
      put(payload, state->id, 4);
      put(payload, 0, 4);
      put(payload, 0, 2);
      payload += codec_.encode(headers);
      TRY(stream_->write(controlFrame(kSynStream, 0, payload)));
    }
    std::unique_lock lock(mutex_);
    bool answered = state->changed.wait_for(
        lock, kReplyTime, [&] { return state->replied || state->reset || over_; });
    if (state->replied && !state->reset) return state;
    if (!answered) return Error(Reason::Timeout, "spdy: the peer did not answer SYN_STREAM");
    if (state->reset) return Error(Reason::ServiceUnavailable, "spdy: the peer refused the stream");
    return closedError();
  }

  Result<size_t> read(StreamState& state, char* into, size_t capacity) {
    int64_t giveBack = 0;
    size_t count = 0;
    {
      std::unique_lock lock(mutex_);
      state.changed.wait(
          lock, [&] { return !state.pieces.empty() || state.remoteDone || state.reset || over_; });
      if (state.pieces.empty()) {
        if (state.remoteDone) return size_t(0);
        if (state.reset) return Error(Reason::ServiceUnavailable, "spdy: stream reset");
        return closedError();
      }
      auto& piece = state.pieces.front();
      count = std::min(capacity, piece.size() - state.used);
      std::memcpy(into, piece.data() + state.used, count);
      state.used += count;
      if (state.used == piece.size()) {
        state.pieces.pop_front();
        state.used = 0;
      }
      state.bytes -= count;
      state.consumed += int64_t(count);
      if (state.consumed >= kOurWindow / 2) giveBack = std::exchange(state.consumed, 0);
    }
    roomChanged_.notify_all();
    if (giveBack > 0) sendWindowUpdate(state.id, giveBack);
    return count;
  }

  Status write(StreamState& state, std::string_view bytes) {
    while (!bytes.empty()) {
      size_t count = std::min(bytes.size(), kMaxData);
      {
        std::unique_lock lock(mutex_);
        state.changed.wait(lock, [&] {
          return over_ || state.reset || state.localDone || !flowControlled_ ||
                 (state.sendWindow > 0 && sessionWindow_ > 0);
        });
        if (over_) return closedError();
        if (state.reset || state.localDone) {
          return Error(Reason::ServiceUnavailable, "spdy: write on closed stream");
        }
        if (flowControlled_) {
          count = std::min(count, size_t(std::min(state.sendWindow, sessionWindow_)));
        }
        state.sendWindow -= int64_t(count);
        sessionWindow_ -= int64_t(count);
      }
      TRY(sendData(state.id, 0, bytes.substr(0, count)));
      bytes.remove_prefix(count);
    }
    return okStatus();
  }

  void closeWrite(StreamState& state) {
    {
      std::lock_guard lock(mutex_);
      if (over_ || state.reset || std::exchange(state.localDone, true)) return;
    }
    state.changed.notify_all();
    (void)sendData(state.id, kFin, "");
    forgetIfDone(state);
  }

  void reset(StreamState& state) {
    {
      std::lock_guard lock(mutex_);
      if (over_ || state.reset || (state.localDone && state.remoteDone)) return;
      state.reset = true;
      state.pieces.clear();
      state.bytes = 0;
    }
    state.changed.notify_all();
    roomChanged_.notify_all();
    (void)sendRst(state.id, kRstCancel);
    forgetIfDone(state);
  }

  void abandon(StreamState& state) {
    closeWrite(state);
    {
      std::lock_guard lock(mutex_);
      state.abandoned = true;
      state.pieces.clear();
      state.bytes = 0;
    }
    roomChanged_.notify_all();
  }

  void close() {
    {
      std::lock_guard lock(mutex_);
      if (over_) return;
    }
    std::string payload;
    put(payload, 0, 4);
    put(payload, 0, 4);
    (void)sendControl(kGoAway, 0, payload);
    shutdown();
  }

 private:
  void shutdown() {
    {
      std::lock_guard lock(mutex_);
      over_ = true;
      for (auto& [id, state] : streams_) state->changed.notify_all();
    }
    incomingChanged_.notify_all();
    roomChanged_.notify_all();
    stream_->close();
  }

  // ---- writing ----

  Status sendRaw(std::string_view frame) {
    std::lock_guard writing(writeMutex_);
    return stream_->write(frame);
  }
  Status sendControl(Type type, uint8_t flags, std::string_view payload) {
    return sendRaw(controlFrame(type, flags, payload));
  }
  Status sendData(uint32_t id, uint8_t flags, std::string_view bytes) {
    std::string out;
    out.reserve(8 + bytes.size());
    put(out, id, 4);
    put(out, flags, 1);
    put(out, bytes.size(), 3);
    out += bytes;
    return sendRaw(out);
  }
  Status sendRst(uint32_t id, RstCode code) {
    std::string payload;
    put(payload, id, 4);
    put(payload, code, 4);
    return sendControl(kRstStream, 0, payload);
  }
  void sendWindowUpdate(uint32_t id, int64_t delta) {
    std::string payload;
    put(payload, id, 4);
    put(payload, uint64_t(delta), 4);
    (void)sendControl(kWindowUpdate, 0, payload);
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
      sendWindowUpdate(0, std::exchange(sessionReceived_, 0));  // streams have limits of their own
    }
    while (size > 0) {
      std::string piece(std::min(size, kMaxData), '\0');
      TRY(readExactly(piece.data(), piece.size()));
      size -= piece.size();
      if (state) deliver(*state, std::move(piece));
    }
    if (!state) return okStatus();  // late data of a stream that was reset
    if ((flags & kFin) != 0) finishRemote(*state);
    return okStatus();
  }

  void deliver(StreamState& state, std::string piece) {
    std::unique_lock lock(mutex_);
    roomChanged_.wait(lock, [&] {
      return state.bytes < kStreamBufferBytes || state.reset || state.abandoned || over_;
    });
    if (state.reset || state.remoteDone || over_) return;
    if (state.abandoned) {
      lock.unlock();
      return sendWindowUpdate(state.id, int64_t(piece.size()));
    }
    state.bytes += piece.size();
    state.pieces.push_back(std::move(piece));
    state.changed.notify_all();
  }

  void finishRemote(StreamState& state) {
    {
      std::lock_guard lock(mutex_);
      state.remoteDone = true;
    }
    state.changed.notify_all();
    forgetIfDone(state);
  }

  void forgetIfDone(StreamState& state) {
    std::lock_guard lock(mutex_);
    if (state.reset || (state.localDone && state.remoteDone)) streams_.erase(state.id);
  }

  Status takeControl(uint16_t type, uint8_t flags, std::string_view payload) {
    auto need = [&](size_t size) -> Status {
      if (payload.size() < size) return badRequest("spdy: truncated frame");
      return okStatus();
    };
    switch (type) {
      case kSynStream:
        TRY(need(10));
        return takeSynStream(number(payload, 0, 4) & 0x7fffffff, flags, payload.substr(10));
      case kSynReply:
      case kHeaders: {
        TRY(need(4));
        auto headers = TRY(codec_.decode(payload.substr(4)));  // in any case: the codec has state
        auto state = find(number(payload, 0, 4) & 0x7fffffff);
        if (!state) return okStatus();
        {
          std::lock_guard lock(mutex_);
          state->replied = true;
        }
        state->changed.notify_all();
        if ((flags & kFin) != 0) finishRemote(*state);
        return okStatus();
      }
      case kRstStream: {
        TRY(need(8));
        auto state = find(number(payload, 0, 4) & 0x7fffffff);
        if (!state) return okStatus();
        {
          std::lock_guard lock(mutex_);
          state->reset = true;
        }
        state->changed.notify_all();
        forgetIfDone(*state);
        return okStatus();
      }
      case kSettings: return takeSettings(payload);
      case kPing: {
        TRY(need(4));
        // Ids of our own would be odd on a client; we send none.
        bool theirs = (number(payload, 0, 4) & 1) == (side_ == WebSocket::Side::Server ? 1 : 0);
        if (theirs) return sendControl(kPing, 0, payload.substr(0, 4));
        return okStatus();
      }
      case kGoAway: {
        std::lock_guard lock(mutex_);
        goingAway_ = true;
        return okStatus();
      }
      case kWindowUpdate:
        TRY(need(8));
        takeWindowUpdate(number(payload, 0, 4) & 0x7fffffff, number(payload, 4, 4) & 0x7fffffff);
        return okStatus();
      default: return okStatus();  // unknown types are to be ignored
    }
  }

  Status takeSynStream(uint32_t id, uint8_t flags, std::string_view block) {
    auto headers = TRY(codec_.decode(block));
    bool theirs = (id & 1) == (side_ == WebSocket::Side::Server ? 1U : 0U);
    auto state = std::make_shared<StreamState>(id);
    bool refused = false;
    {
      std::lock_guard lock(mutex_);
      if (!theirs || id <= lastRemoteId_) return badRequest("spdy: bad stream id");
      lastRemoteId_ = id;
      refused = goingAway_ || streams_.size() >= kMaxStreams;
      if (!refused) {
        state->replied = true;
        state->sendWindow = initialSendWindow_;
        state->remoteDone = (flags & kFin) != 0;
        state->localDone = (flags & kUnidirectional) != 0;
        streams_.emplace(id, state);
      }
    }
    if (refused) return sendRst(id, kRstRefused);
    {
      std::lock_guard writing(writeMutex_);
      std::string payload;
      put(payload, id, 4);
      payload += codec_.encode({});
      TRY(stream_->write(controlFrame(kSynReply, 0, payload)));
    }
    {
      std::lock_guard lock(mutex_);
      incoming_.emplace_back(std::move(state), std::move(headers));
    }
    incomingChanged_.notify_one();
    return okStatus();
  }

  Status takeSettings(std::string_view payload) {
    if (payload.size() < 4) return badRequest("spdy: truncated frame");
    size_t count = number(payload, 0, 4);
    if (payload.size() - 4 < count * 8) return badRequest("spdy: truncated frame");
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < count; ++i) {
      uint32_t id = number(payload, 4 + 8 * i, 4) & 0xffffff;
      int64_t value = number(payload, 8 + 8 * i, 4) & 0x7fffffff;
      if (id != kInitialWindowSetting) continue;
      flowControlled_ = true;
      for (auto& [streamId, state] : streams_) {
        state->sendWindow += value - initialSendWindow_;
        state->changed.notify_all();
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
      for (auto& [streamId, state] : streams_) state->changed.notify_all();
    } else if (auto it = streams_.find(id); it != streams_.end()) {
      it->second->sendWindow += delta;
      it->second->changed.notify_all();
    }
  }

  const std::unique_ptr<ByteStream> stream_;
  const WebSocket::Side side_;

  // Order: writeMutex_ before mutex_.
  std::mutex writeMutex_;    // guards writes to stream_ and the compressing half of codec_
  spdy::HeaderCodec codec_;  // its other half is the reader's

  std::mutex mutex_;  // guards all below, and the streams' states
  std::condition_variable incomingChanged_, roomChanged_;
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
  void close() override { core_->reset(*state_); }

 private:
  const std::shared_ptr<Core> core_;
  const std::shared_ptr<StreamState> state_;
};

class SpdyConnection final : public StreamConnection {
 public:
  SpdyConnection(std::unique_ptr<ByteStream> stream, WebSocket::Side side)
      : core_(std::make_shared<Core>(std::move(stream), side)),
        reader_("spdy", [core = core_] { core->readAll(); }) {}
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
  rt::Thread reader_;  // joined first: ends soon after close()
};

}  // namespace

std::unique_ptr<StreamConnection> spdyConnection(std::unique_ptr<ByteStream> stream,
                                                 WebSocket::Side side) {
  return std::make_unique<SpdyConnection>(std::move(stream), side);
}

}  // namespace skiff::net
