// Tells when containers end. CRI of containerd 1.6 has no event stream, so containerd's own is read: idle costs nothing
// and an end is known in milliseconds. For other runtimes, and while that stream is broken, the list is compared every
// second; a quiet stream has it compared once a minute, should an event ever be lost.
#pragma once
#include <set>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kubelet/runtime.h"
#include "rt/executor.h"
#include "rt/stop.h"

namespace skiff::kubelet {

class RuntimeEvents {
 public:
  struct Handler {
    std::function<void(const std::string& containerId)> containerEnded;
    std::function<void(const std::string& uid)> podChanged;
    std::function<void()> runtimeLost;  // its event stream broke; called again every second while it stays away
  };
  RuntimeEvents(cri::Client& client, RuntimeReader& reader, Handler handler)
      : client_(client), reader_(reader), handler_(std::move(handler)) {}
  ~RuntimeEvents() { stop(); }
  void start();
  void stop();

 private:
  void run();
  void follow(net::GrpcStream& stream);
  void relist();
  void handle(std::string_view envelope);

  cri::Client& client_;
  RuntimeReader& reader_;
  Handler handler_;
  rt::StopSignal stop_;
  std::mutex mutex_;                         // guards stream_
  std::shared_ptr<net::GrpcStream> stream_;  // for stop() to cancel
  std::map<std::string, std::pair<std::string, cri::ContainerState>> seen_;  // the thread's own: id -> uid, state
  rt::Thread thread_;
};

}  // namespace skiff::kubelet
