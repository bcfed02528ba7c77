// Kubernetes' remote-command and port-forward streams over an upgraded connection: WebSocket (RFC
// 6455) with the channel.k8s.io subprotocols, and SPDY/3.1. One interface for both, so that a proxy
// can join any two.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/http.h"
#include "net/http_client.h"

namespace skiff::net {

// WebSocket messages over a byte stream, either side.
class WebSocket {
 public:
  enum class Kind { Text, Binary, Close };
  struct Message {
    Kind kind;
    std::string data;
  };
  enum class Side { Client, Server };  // clients mask their frames
  WebSocket(std::unique_ptr<ByteStream> stream, Side side);
  ~WebSocket();
  Result<Message>
  receive();  // answers pings, joins fragments; Close at the end; at most 32 MiB a message
  Status send(Kind kind, std::string_view data);  // thread safe
  Status close(int code, std::string_view reason);
  void shutdown();  // ends receive()
  Side side() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
std::string webSocketAccept(std::string_view key);  // Sec-WebSocket-Accept of a Sec-WebSocket-Key

// One multiplexed connection of numbered or typed byte streams.
class StreamConnection {
 public:
  // A stream of SPDY, or a channel of WebSocket. Blocking; read() gives 0 at the peer's half-close.
  using Stream = ByteStream;
  virtual ~StreamConnection() = default;
  // Server side: the next stream that the peer opens, with its headers ("streamtype", "port",
  // "requestid").
  struct Incoming {
    Headers headers;
    std::unique_ptr<Stream> stream;
  };
  virtual Result<Incoming> accept() = 0;
  // Client side.
  virtual Result<std::unique_ptr<Stream>> open(Headers headers) = 0;
  virtual void close() = 0;
};
// A binary message a write, the peer's binary messages as one run of bytes: kubectl tunnels SPDY
// through it for port-forward (subprotocol "SPDY/3.1+portforward.k8s.io").
std::unique_ptr<ByteStream> webSocketTunnel(std::unique_ptr<WebSocket> socket);
// The channels of remote commands: both sides open() theirs by the header "streamtype" ("stdin",
// "stdout", "stderr", "error", "resize"); accept() waits for the end. With `halfClose`
// (v5.channel.k8s.io) a client's closeWrite() tells the server; clients do not know such a message,
// so that a server's does nothing.
std::unique_ptr<StreamConnection> webSocketChannels(std::unique_ptr<WebSocket> socket,
                                                    bool halfClose);
// SPDY/3.1 (draft-mbelshe-httpbis-spdy-00 framing with the zlib header dictionary).
std::unique_ptr<StreamConnection> spdyConnection(std::unique_ptr<ByteStream> stream,
                                                 WebSocket::Side side);

}  // namespace skiff::net
