// Byte streams on top of WebSocket messages: the tunnel of port-forward and the channels of remote
// commands.
#include <condition_variable>
#include <deque>

#include "base/strings.h"
#include "net/streams.h"
#include "rt/executor.h"

namespace skiff::net {
namespace {

constexpr size_t kMaxFrame = 64 * 1024;  // of what we send, so that channels share the connection
constexpr size_t kBufferBytes =
    1024 * 1024;  // unread input of a channel at which the connection waits
constexpr unsigned char kCloseChannel =
    255;  // v5.channel.k8s.io: the next byte is the channel that ended
constexpr int kNormalClosure = 1000;

Error closedError() { return {Reason::ServiceUnavailable, "connection closed"}; }

class Tunnel final : public ByteStream {
 public:
  explicit Tunnel(std::unique_ptr<WebSocket> socket) : socket_(std::move(socket)) {}

  Result<size_t> read(char* into, size_t capacity) override {
    while (used_ == message_.size()) {
      auto message = TRY(socket_->receive());
      if (message.kind == WebSocket::Kind::Close) return size_t(0);
      if (message.kind != WebSocket::Kind::Binary) continue;
      message_ = std::move(message.data);
      used_ = 0;
    }
    size_t count = std::min(capacity, message_.size() - used_);
    std::memcpy(into, message_.data() + used_, count);
    used_ += count;
    return count;
  }

  Status write(std::string_view bytes) override {
    while (!bytes.empty()) {
      auto piece = bytes.substr(0, kMaxFrame);
      TRY(socket_->send(WebSocket::Kind::Binary, piece));
      bytes.remove_prefix(piece.size());
    }
    return okStatus();
  }

  void closeWrite() override { (void)socket_->close(kNormalClosure, ""); }

  void close() override {
    (void)socket_->close(kNormalClosure, "");
    socket_->shutdown();
  }

 private:
  const std::unique_ptr<WebSocket> socket_;
  std::string message_;
  size_t used_ = 0;
};

// Shared by the connection's handle, its reader and its streams.
struct Channels {
  struct Channel {
    std::deque<std::string> pieces;
    size_t used = 0;  // of the first piece
    size_t bytes = 0;
    bool opened = false;
    bool ended = false;   // the peer says no more
    bool closed = false;  // we do not care any more
  };

  Channels(std::unique_ptr<WebSocket> webSocket, bool withHalfClose)
      : socket(std::move(webSocket)), halfClose(withHalfClose) {}

  const std::unique_ptr<WebSocket> socket;
  const bool halfClose;
  std::mutex mutex;  // guards the rest
  std::condition_variable changed;
  std::array<Channel, 5> channels;
  bool over = false;

  void end() {
    {
      std::lock_guard lock(mutex);
      over = true;
    }
    changed.notify_all();
  }

  void readAll() {
    for (;;) {
      auto message = socket->receive();
      if (!message.ok() || message->kind == WebSocket::Kind::Close) return end();
      auto& data = message->data;
      if (data.empty()) continue;
      auto number = static_cast<unsigned char>(data[0]);
      std::unique_lock lock(mutex);
      if (number == kCloseChannel && halfClose && data.size() >= 2) {
        auto which = static_cast<unsigned char>(data[1]);
        if (which < channels.size()) channels[which].ended = true;
        changed.notify_all();
        continue;
      }
      if (number >= channels.size() || data.size() == 1) continue;  // empty: a channel's greeting
      auto& channel = channels[number];
      changed.wait(lock, [&] { return channel.bytes < kBufferBytes || channel.closed || over; });
      if (over) return;
      if (channel.closed) continue;
      data.erase(0, 1);
      channel.bytes += data.size();
      channel.pieces.push_back(std::move(data));
      changed.notify_all();
    }
  }
};

class ChannelStream final : public ByteStream {
 public:
  ChannelStream(std::shared_ptr<Channels> all, size_t number)
      : all_(std::move(all)), number_(number) {}
  ~ChannelStream() override { abandon(); }

  Result<size_t> read(char* into, size_t capacity) override {
    std::unique_lock lock(all_->mutex);
    auto& channel = all_->channels[number_];
    all_->changed.wait(lock, [&] {
      return !channel.pieces.empty() || channel.ended || channel.closed || all_->over;
    });
    if (channel.closed) return closedError();
    if (channel.pieces.empty()) return size_t(0);
    auto& piece = channel.pieces.front();
    size_t count = std::min(capacity, piece.size() - channel.used);
    std::memcpy(into, piece.data() + channel.used, count);
    channel.used += count;
    channel.bytes -= count;
    if (channel.used == piece.size()) {
      channel.pieces.pop_front();
      channel.used = 0;
    }
    all_->changed.notify_all();
    return count;
  }

  Status write(std::string_view bytes) override {
    while (!bytes.empty()) {
      auto piece = bytes.substr(0, kMaxFrame);
      std::string message(1, char(number_));
      message += piece;
      TRY(all_->socket->send(WebSocket::Kind::Binary, message));
      bytes.remove_prefix(piece.size());
    }
    return okStatus();
  }

  void closeWrite() override {
    if (!all_->halfClose || all_->socket->side() == WebSocket::Side::Server) return;
    if (writeClosed_.exchange(true)) return;
    (void)all_->socket->send(WebSocket::Kind::Binary,
                             std::string{char(kCloseChannel), char(number_)});
  }

  void close() override {
    closeWrite();
    abandon();
  }

 private:
  void abandon() {
    {
      std::lock_guard lock(all_->mutex);
      auto& channel = all_->channels[number_];
      channel.closed = true;
      channel.pieces.clear();
      channel.bytes = 0;
    }
    all_->changed.notify_all();
  }

  const std::shared_ptr<Channels> all_;
  const size_t number_;
  std::atomic<bool> writeClosed_{false};
};

class ChannelConnection final : public StreamConnection {
 public:
  ChannelConnection(std::unique_ptr<WebSocket> socket, bool halfClose)
      : all_(std::make_shared<Channels>(std::move(socket), halfClose)),
        reader_("ws-channels", [all = all_] { all->readAll(); }) {}
  ~ChannelConnection() override { close(); }

  Result<Incoming> accept() override {
    std::unique_lock lock(all_->mutex);
    all_->changed.wait(lock, [&] { return all_->over; });
    return closedError();
  }

  Result<std::unique_ptr<Stream>> open(Headers headers) override {
    static constexpr std::string_view kTypes[] = {"stdin", "stdout", "stderr", "error", "resize"};
    auto type = headers.get("streamtype");
    auto* found = std::find(std::begin(kTypes), std::end(kTypes), type);
    if (found == std::end(kTypes)) return badRequest(concat("no channel for ", quoted(type)));
    auto number = size_t(found - std::begin(kTypes));
    std::lock_guard lock(all_->mutex);
    if (all_->over) return closedError();
    if (std::exchange(all_->channels[number].opened, true)) {
      return Error(Reason::AlreadyExists, concat("channel ", quoted(type), " is open already"));
    }
    return std::unique_ptr<Stream>(std::make_unique<ChannelStream>(all_, number));
  }

  void close() override {
    (void)all_->socket->close(kNormalClosure, "");
    all_->end();
    all_->socket->shutdown();
  }

 private:
  const std::shared_ptr<Channels> all_;
  rt::Thread reader_;
};

}  // namespace

std::unique_ptr<ByteStream> webSocketTunnel(std::unique_ptr<WebSocket> socket) {
  return std::make_unique<Tunnel>(std::move(socket));
}

std::unique_ptr<StreamConnection> webSocketChannels(std::unique_ptr<WebSocket> socket,
                                                    bool halfClose) {
  return std::make_unique<ChannelConnection>(std::move(socket), halfClose);
}

}  // namespace skiff::net
