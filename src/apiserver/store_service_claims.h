// Claims of services in the shared store, in upstream's form, so that its servers heed them and we heed theirs: an address
// is an IPAddress object of its own, the node ports are bits of /registry/ranges/servicenodeports.
#pragma once
#include <set>
#include <vector>

#include "apiserver/registry.h"
#include "apiserver/strategies/service_claims.h"
#include "rt/executor.h"
#include "rt/stop.h"

namespace skiff::apiserver {

class StoreServiceClaims final : public ServiceClaims {
 public:
  StoreServiceClaims(Registry& registry, int firstPort, int lastPort)
      : registry_(registry), firstPort_(firstPort), lastPort_(lastPort) {}
  ~StoreServiceClaims() override { stop(); }
  // Claims that no service stands behind any more are dropped from time to time: a server may die between two writes.
  void start();
  void stop();

  Result<bool> takeAddress(std::string_view address, std::string_view ns, std::string_view name, How how) override;
  Result<bool> takePort(int port, How how) override;
  void releaseAddress(std::string_view address, std::string_view ns, std::string_view name) override;
  void releasePort(int port) override;

 private:
  struct Ports {
    std::string bits;  // a big-endian number whose bit i is port first + i
    store::Revision revision = 0;
  };
  api::ObjectPtr liveService(std::string_view ns, std::string_view name) const;
  Result<Ports> readPorts() const;
  // Sets or clears the bits of `ports`; false: they were so already (of one port).
  Result<bool> changePorts(const std::vector<int>& ports, bool taken);
  void run();
  void repair();
  void repairAddresses(const std::set<std::string>& used);
  void repairPorts(const std::set<int>& used);

  Registry& registry_;
  const int firstPort_, lastPort_;
  std::set<std::string> doubtfulAddresses_;  // nobody's when last looked at; the repair's thread only
  std::set<int> doubtfulPorts_;              // the same
  bool started_ = false;
  rt::StopSignal stop_;
  rt::Thread thread_;
};

}  // namespace skiff::apiserver
