// Where several servers share a store, each keeps a key of its own alive there; the endpoints of the service `kubernetes`
// are the servers that do. Keys, values and times are upstream's, so that its servers can take part:
//
//   /registry/masterleases/ADDRESS          lives 15 s, written anew every 10 s
//   /registry/peerserverleases/IDENTITY     the same, with the port
#pragma once
#include <set>
#include <string>

#include "apiserver/registry.h"
#include "rt/executor.h"
#include "rt/stop.h"

namespace skiff::apiserver {

class EndpointLeases {
 public:
  struct Self {
    std::string address;   // that the others are told; a loopback address is told to nobody
    int port = 0;
    std::string identity;  // "apiserver-..."
  };
  EndpointLeases(Registry& registry, Self self) : registry_(registry), self_(std::move(self)) {}
  ~EndpointLeases() { stop(); }
  Status start();  // known when it returns
  void stop();     // the others take over

 private:
  void run();
  Status renew();
  Status renewLease(const std::string& key, bool peer);
  Status renewIdentity();
  Status reconcile();
  void remove(const std::string& key);
  std::set<std::string> addresses() const;

  Registry& registry_;
  const Self self_;
  bool started_ = false;
  rt::StopSignal stop_;
  rt::Thread thread_;
};

}  // namespace skiff::apiserver
