// What probes and lifecycle hooks do to a container: run a command, ask over HTTP, TCP or gRPC, or wait.
#pragma once
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "gen/core_v1.h"
#include "kubelet/cri.h"
#include "kubelet/pod_util.h"

namespace skiff::kubelet {

struct ActionResult {
  enum class Kind { Success, Warning, Failure, Unknown };  // Warning counts as a success; Unknown changes nothing
  Kind kind = Kind::Success;
  std::string output;
};

// A number, or the name of one of the container's ports.
Result<uint16_t> resolvePort(const api::IntOrString& port, const Container& container);

class HandlerRunner {
 public:
  explicit HandlerRunner(cri::Client& runtime) : runtime_(runtime) {}
  ActionResult exec(std::string_view containerId, const std::vector<std::string>& command, seconds timeout);
  ActionResult httpGet(const api::core::v1::HTTPGetAction& action, const Container& container, std::string_view podIp,
                       seconds timeout, std::string_view userAgent);
  ActionResult tcp(const api::core::v1::TCPSocketAction& action, const Container& container, std::string_view podIp,
                   seconds timeout);
  ActionResult grpc(const api::core::v1::GRPCAction& action, std::string_view podIp, seconds timeout);

 private:
  cri::Client& runtime_;
};

}  // namespace skiff::kubelet
