// The sockets of DNS: one UDP socket and a TCP listener on one loop thread. Packets go to the Responder, which may
// answer at once or later from a worker thread.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>

#include "base/fd.h"
#include "dns/responder.h"
#include "rt/event_loop.h"
#include "rt/executor.h"

namespace skiff::dns {

class Server {
 public:
  // Binds UDP and TCP to the same port; 0: any free one. "address already in use" is a plain Error.
  static Result<std::unique_ptr<Server>> bind(const std::string& address, uint16_t port, const Responder& responder);
  ~Server() { stop(); }
  uint16_t port() const { return port_; }
  void start();
  // Takes no more packets. Late answers of workers are dropped (TCP) or still sent (UDP); the workers are stopped
  // before this is destroyed.
  void stop();

 private:
  using ConnectionId = uint64_t;
  struct Connection {
    explicit Connection(int fd) : socket(fd) {}
    Fd socket;
    std::string in, out;
    size_t pending = 0;    // questions without an answer yet
    bool ended = false;    // the peer sends no more
    uint32_t events = 0;
    rt::TimerId idle = 0;
  };

  Server(std::shared_ptr<Fd> udp, std::shared_ptr<Fd> tcp, uint16_t port, const Responder& responder);
  void onUdp();
  void onAccept();
  void onConnection(ConnectionId id, uint32_t events);
  void pump(ConnectionId id);
  void takeFrames(ConnectionId id, Connection& connection);
  void answer(ConnectionId id, std::string_view packet);
  void armIdle(ConnectionId id, Connection& connection);
  void close(ConnectionId id);

  std::shared_ptr<Fd> udp_, tcp_;
  const uint16_t port_;
  const Responder& responder_;
  std::unique_ptr<rt::EventLoop> loop_;
  std::unordered_map<ConnectionId, std::unique_ptr<Connection>> connections_;  // of the loop's thread
  ConnectionId nextId_ = 1;
  rt::Thread thread_;
};

}  // namespace skiff::dns
