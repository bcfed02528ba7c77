// The inside of the server: what its connections, its two protocols and its answers share.
//
//   handler threads --- Op queue ---> loop thread
//                                     Connection (socket) -> Protocol (HTTP/1.1 or HTTP/2) ->
//                                     Exchange (one request)
//
// An Op applied to an Exchange marks its Connection dirty; at the end of the loop's turn each dirty
// connection produces its bytes once. So thousands of small writes in one turn become a few records
// and system calls.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "net/byte_stream.h"
#include "net/http.h"
#include "net/server.h"
#include "net/socket.h"
#include "rt/event_loop.h"
#include "rt/executor.h"

namespace skiff::net {

class Connection;
class ServerCore;

using UpgradeThen = UniqueFunction<void(std::unique_ptr<ByteStream>)>;

// One request and its answer. The loop's, except where said.
struct Exchange : std::enable_shared_from_this<Exchange> {
  Exchange(std::shared_ptr<ServerCore> serverCore, bool isHttp1)
      : core(std::move(serverCore)), http1(isHttp1) {}

  const std::shared_ptr<ServerCore> core;
  const bool http1;
  std::atomic<size_t> pending{0};    // any thread
  std::atomic<bool> closed{false};   // any thread: the peer is gone or has everything
  Connection* connection = nullptr;  // null once detached
  int32_t streamId = 0;              // HTTP/2

  std::shared_ptr<Request> request;
  std::string requestBody;  // while it arrives
  size_t headerBytes = 0;
  bool head = false;        // the request's method is HEAD
  bool dispatched = false;  // the handler has it, or it was refused
  bool refused = false;     // answered before the request was whole

  enum class Phase { Waiting, Ready, Started };  // Ready: head known; Started: head written
  Phase phase = Phase::Waiting;
  int status = 0;
  Headers headers;
  Headers trailers;
  bool finished = false;  // nothing will be added to body
  bool whole = false;     // came by respond(): the length is known
  bool deferred = false;  // HTTP/2: the session waits for resume
  std::vector<SharedBytes> body;
  size_t bodyHead = 0;   // pieces before it are sent
  size_t bodyBytes = 0;  // of the others; `pending` is ahead of it by what is still in the queue
  std::string statusDigits;
  UpgradeThen upgrade;
  UniqueFunction<void()> onDrain;
  UniqueFunction<void()> onClose;

  void addBody(SharedBytes piece) {
    bodyBytes += piece.size();
    body.push_back(std::move(piece));
  }
  void dropBody() {
    body.clear();
    bodyHead = 0;
    pending.fetch_sub(bodyBytes, std::memory_order_relaxed);
    bodyBytes = 0;
  }
  size_t unsentBody() const { return pending.load(std::memory_order_relaxed); }
  // Hands out up to `limit` bytes of the body in pieces and forgets them.
  template <class Sink>
  void takeBody(size_t limit, Sink sink) {
    size_t taken = 0;
    while (taken < limit && bodyHead < body.size()) {
      auto& piece = body[bodyHead];
      size_t count = std::min(limit - taken, piece.size());
      sink(piece.view().substr(0, count));
      taken += count;
      if (count == piece.size()) {
        piece = {};
        ++bodyHead;
      } else {
        piece = piece.slice(count);
      }
    }
    if (bodyHead == body.size()) {
      body.clear();
      bodyHead = 0;
    }
    bodyBytes -= taken;
    pending.fetch_sub(taken, std::memory_order_relaxed);
  }
};

// What a writer asks of the loop.
struct Op {
  enum class Kind { Respond, Begin, Write, Finish, Upgrade, OnDrain, OnClose, Abandon };
  struct Heavy {  // rare parts, so that a write stays small
    int status = 200;
    Headers headers;
    std::vector<SharedBytes> body;
    UniqueFunction<void()> callback;
    UpgradeThen upgrade;
  };
  Kind kind;
  std::shared_ptr<Exchange> exchange;
  SharedBytes piece;
  std::unique_ptr<Heavy> heavy;
};

// HTTP on one connection. All calls on the loop.
class Protocol {
 public:
  virtual ~Protocol() = default;
  // False: the peer broke the protocol; what produce() writes is sent, then the connection closes.
  virtual bool consume(std::string_view bytes) = 0;
  // Writes to the socket up to its high-water mark. False: finished, close once everything is sent.
  virtual bool produce() = 0;
  virtual void answerReady(Exchange& exchange) = 0;  // the head of an answer is known
  virtual void bodyReady(Exchange& exchange) = 0;    // more body, or its end
  virtual void goAway() = 0;                         // no more requests on this connection
  virtual bool idle() const = 0;                     // no request is open
  virtual bool wantsRead() const = 0;
  virtual void detachAll() = 0;  // the connection is gone
};

std::unique_ptr<Protocol> makeHttp1(Connection& connection);
std::unique_ptr<Protocol> makeHttp2(Connection& connection);

class Connection {
 public:
  static constexpr size_t kHighWater =
      256 * 1024;  // unsent bytes at which bodies wait in their pieces

  Connection(ServerCore& core, Fd fd, std::unique_ptr<TlsSession> tls, std::string remoteAddress);
  ~Connection();

  void start();
  void onEvents(uint32_t events);
  void pump();  // produce, send, wait for room
  void close();
  void expire();  // its deadline has passed
  void goAway();
  bool idle() const { return protocol_ == nullptr || protocol_->idle(); }
  SteadyTime deadline() const;  // max(): none

  ServerCore& core() { return core_; }
  Socket& socket() { return socket_; }
  Protocol* protocol() { return protocol_.get(); }
  const PeerIdentity& peer() const { return peer_; }
  bool roomToWrite() const { return socket_.unsent() < kHighWater; }
  void markDirty();
  // After everything is sent, the socket leaves the loop and `then` gets it.
  void upgradeWhenSent(UpgradeThen then, std::string unread);
  void lingerThenClose();  // the answer must survive a peer that is still sending

 private:
  enum class Phase { Handshake, Detect, Open, Draining, Lingering, Closed };
  void readAll();
  bool received(std::string_view bytes);  // false: stop reading
  void chooseProtocol(std::string_view bytes);
  void finishHandshake();
  void finishUpgrade();
  void updateInterest();

  ServerCore& core_;
  Socket socket_;
  PeerIdentity peer_;
  std::unique_ptr<Protocol> protocol_;
  std::string detected_;  // first bytes, too few to tell the protocol
  Phase phase_ = Phase::Handshake;
  bool dirty_ = false;
  bool blocked_ = false;  // the kernel's buffer is full
  uint32_t interest_ = 0;
  SteadyTime lastRead_, lastProgress_;
  size_t lingered_ = 0;
  UpgradeThen upgrade_;
  std::string upgradeUnread_;
  friend class ServerCore;
};

class ServerCore : public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(ServerOptions options, Handler& handler);

  // Any thread.
  void submit(Op op);
  rt::EventLoop& loop() { return *loop_; }
  const ServerOptions& options() const { return options_; }

  // The loop's thread.
  BufferPool& buffers() { return buffers_; }
  std::string& scratch() { return scratch_; }
  SteadyTime now() const { return Clock::real().steadyNow(); }
  std::string_view date();  // of the answer, RFC 9110 section 5.6.7
  void dispatch(Exchange& exchange);
  // An answer of the server itself, before the request is whole.
  void refuse(Exchange& exchange, const Refusal& refusal);
  void detach(Exchange& exchange);  // the exchange is over, for good or ill
  void noteSent(Exchange& exchange);
  void markDirty(Connection& connection);
  void forget(Connection& connection);
  bool owns(Connection* connection) const { return connections_.contains(connection); }
  void armSweep(SteadyTime when);
  void runUpgrade(std::unique_ptr<SocketStream> stream, UpgradeThen then);

 private:
  friend class ServerImpl;
  void apply(Op& op);
  void drainOps();
  void flushDirty();
  void scheduleFlush();
  void sweep();
  void acceptAll();
  void runLater(UniqueFunction<void()> callback);
  void respondEmpty(Exchange& exchange);

  ServerOptions options_;
  Handler& handler_;
  std::unique_ptr<rt::EventLoop> loop_;
  std::unique_ptr<rt::Executor> upgrades_;

  std::mutex mutex_;  // guards the next four
  std::vector<Op> ops_;
  bool stopped_ = false;
  std::shared_ptr<TlsContext> tls_;
  std::unordered_set<SocketStream*> upgraded_;
  std::atomic<bool> haveOps_{false};

  // The loop's thread.
  Fd listener_;
  bool accepting_ = false;
  BufferPool buffers_;
  std::string scratch_ = std::string(64 * 1024, '\0');
  std::vector<Op> applying_;
  std::vector<Connection*> dirty_;
  std::vector<UniqueFunction<void()>> callbacks_;
  std::vector<std::shared_ptr<Exchange>> drained_;
  bool flushScheduled_ = false;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> graveyard_;  // freed at the end of the turn
  SteadyTime sweepAt_ = SteadyTime::max();
  rt::TimerId sweepTimer_ = 0;
  std::string date_;
  int64_t dateSecond_ = 0;
};

}  // namespace skiff::net
