// HTTP/2 on the client's side: one connection on a loop, its streams read by blocking callers.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "net/http.h"
#include "net/http2_session.h"
#include "net/socket.h"
#include "rt/event_loop.h"

namespace skiff::net {

class Http2Connection;

// One request and its answer. The connection's loop fills it, one caller empties it.
class ClientStream : public std::enable_shared_from_this<ClientStream> {
 public:
  enum class Mode {
    Whole,
    Pieces
  };  // Whole: the window reopens as bytes arrive, not as they are read
  // Open: the request's body is what send() adds, until finishSending().
  enum class Body { InRequest, Open };
  ClientStream(Request request, Mode mode, Body body = Body::InRequest)
      : request_(std::move(request)), mode_(mode), openBody_(body == Body::Open) {}

  // Waits for the head of the answer.
  Status waitForHead(SteadyTime deadline);
  // Waits for the whole body (Mode::Whole).
  Result<std::string> waitForBody(SteadyTime deadline);
  // Some bytes of the body, "" at the end. Reason::Timeout: none yet.
  Result<std::string> next(SteadyTime deadline);
  void cancel();
  // Body::Open. What a stream that has ended is sent is dropped.
  void send(std::string bytes);
  void finishSending();

  // After waitForHead() said yes.
  int status() const { return status_; }
  const Headers& headers() const { return headers_; }
  Headers takeHeaders() { return std::move(headers_); }
  // After the end.
  const Headers& trailers() const { return trailers_; }
  bool ended() const;
  // It failed, and the peer cannot have acted on it.
  bool mayBeRetried() const;
  const Request& request() const { return request_; }

 private:
  friend class Http2Connection;
  void fail(Error error, bool untouched);  // from the loop

  Request request_;
  const Mode mode_;
  const bool openBody_;

  mutable std::mutex mutex_;  // guards the next block
  std::condition_variable changed_;
  bool headDone_ = false;
  bool ended_ = false;
  bool untouched_ = false;
  std::optional<Error> error_;
  std::deque<std::string> pieces_;
  int status_ = 0;    // constant after headDone_
  Headers headers_;   // constant after headDone_
  Headers trailers_;  // constant after ended_
  std::weak_ptr<Http2Connection> connection_;
  size_t consumed_ = 0;  // read, but its window not yet given back
  std::deque<std::string> unsent_;  // Body::Open: given to send(), not yet taken by the loop
  bool sendingDone_ = false;

  // The loop's.
  int32_t id_ = 0;
  bool sent_ = false;
  bool gotHead_ = false;
  size_t bodySent_ = 0;  // of request_.body, or with Body::Open of outgoing_'s first
  std::deque<std::string> outgoing_;
  size_t received_ = 0;
  size_t headerBytes_ = 0;
  Headers incoming_;
  int incomingStatus_ = 0;
  std::string authority_, target_, contentLength_;
};

class Http2Connection : public std::enable_shared_from_this<Http2Connection> {
 public:
  struct Options {
    std::string scheme;     // "https"
    std::string authority;  // of requests without a host header
  };
  static std::shared_ptr<Http2Connection> create(std::shared_ptr<rt::EventLoop> loop, Fd fd,
                                                 std::unique_ptr<TlsSession> tls, Options options);
  ~Http2Connection();

  // Any thread.
  bool tryReserve();  // false: the peer allows no more streams at once, or the connection ends
  bool usable() const { return !gone_.load(std::memory_order_acquire); }
  void start(std::shared_ptr<ClientStream> stream);  // after tryReserve()
  void shutdown();                                   // fails what is open

 private:
  friend class ClientStream;
  Http2Connection(std::shared_ptr<rt::EventLoop> loop, Fd fd, std::unique_ptr<TlsSession> tls,
                  Options options);
  void post(UniqueFunction<void()> task);  // unless closed
  void makeSession();
  void submit(const std::shared_ptr<ClientStream>& stream);
  void resume(const std::shared_ptr<ClientStream>& stream);
  void reset(const std::shared_ptr<ClientStream>& stream);
  void giveBack(const std::shared_ptr<ClientStream>& stream, size_t count);
  void onEvents(uint32_t events);
  void markDirty();
  void pump();
  void close(const std::string& why);
  void checkAlive();
  void armCheck(milliseconds delay);
  ClientStream* find(int32_t id) const;
  void onHeadEnd(ClientStream& stream);
  void onEnd(ClientStream& stream);

  static Http2Connection& self(void* user) { return *static_cast<Http2Connection*>(user); }
  static ssize_t onSend(nghttp2_session*, const uint8_t*, size_t, int, void*);
  static ssize_t onRead(nghttp2_session*, int32_t, uint8_t*, size_t, uint32_t*,
                        nghttp2_data_source*, void*);
  static int onSendData(nghttp2_session*, nghttp2_frame*, const uint8_t*, size_t,
                        nghttp2_data_source*, void*);
  static int onHeader(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t,
                      const uint8_t*, size_t, uint8_t, void*);
  static int onData(nghttp2_session*, uint8_t, int32_t, const uint8_t*, size_t, void*);
  static int onFrame(nghttp2_session*, const nghttp2_frame*, void*);
  static int onFrameSent(nghttp2_session*, const nghttp2_frame*, void*);
  static int onStreamClose(nghttp2_session*, int32_t, uint32_t, void*);

  const std::shared_ptr<rt::EventLoop> loop_;
  const Options options_;
  std::atomic<bool> gone_{false};  // no new streams
  std::atomic<uint32_t> open_{0};
  std::atomic<uint32_t> maxOpen_{100};  // until the peer's SETTINGS say otherwise

  // The loop's.
  BufferPool buffers_;
  Socket socket_;
  http2::SessionPtr session_;
  std::unordered_map<int32_t, std::shared_ptr<ClientStream>> streams_;
  std::string scratch_;
  std::string closedWhy_;            // written before closed_ is
  std::atomic<bool> closed_{false};  // written on the loop
  bool dirty_ = false;
  bool blocked_ = false;
  SteadyTime lastRead_, idleSince_;
  std::optional<SteadyTime> pingSent_;
};

}  // namespace skiff::net
