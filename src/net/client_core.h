// Where the connections of an HttpClient or GrpcChannel come from.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/byte_stream.h"
#include "net/http2_client.h"
#include "net/http_client.h"
#include "rt/event_loop.h"
#include "rt/executor.h"

namespace skiff::net {

// HTTP/2 connections live on a loop thread of this object, which starts with the first of them;
// HTTP/1.1 connections are used by the callers' own threads. Thread safe.
class ClientCore {
 public:
  enum class Protocol { Negotiate, Http1, Http2 };  // Http2: with prior knowledge
  ClientCore(Endpoint endpoint, milliseconds connectTimeout, Protocol protocol);
  ~ClientCore();

  // One of the two: a connection with room for a stream, or an idle or new one for one request.
  struct Lease {
    std::shared_ptr<Http2Connection> http2;
    std::unique_ptr<SocketStream> http1;
    bool reused = false;
  };
  Result<Lease> acquire(SteadyTime deadline, bool fresh);
  void giveBack(std::unique_ptr<SocketStream> http1);
  Result<std::unique_ptr<SocketStream>> dialHttp1(SteadyTime deadline);
  const std::string& authority() const { return authority_; }
  void close();

 private:
  Result<std::unique_ptr<SocketStream>> dialOnce(SteadyTime deadline, bool http1Only);
  bool takeExisting(Lease& lease, bool fresh);  // under mutex_
  std::shared_ptr<rt::EventLoop> loop();        // under mutex_

  const Endpoint endpoint_;
  const milliseconds connectTimeout_;
  std::string authority_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable dialed_;
  Protocol protocol_;  // Negotiate turns into what the first connection agreed on
  bool dialing_ = false;
  bool closed_ = false;
  std::vector<std::shared_ptr<Http2Connection>> http2_;
  std::vector<std::unique_ptr<SocketStream>> idle_;
  std::shared_ptr<rt::EventLoop> loop_;
  rt::Thread thread_;
};

SteadyTime deadlineAfter(milliseconds timeout);  // no overflow for "forever"
Reason reasonOfStatus(int status);               // nearest to an HTTP status

}  // namespace skiff::net
