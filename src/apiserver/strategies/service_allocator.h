// Which service holds which cluster address and node port. The services themselves are the record: the allocator
// reads them at its first use, and nothing else is stored.
#pragma once
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "apiserver/request.h"
#include "apiserver/strategies/service_ranges.h"
#include "base/clock.h"

namespace skiff::apiserver {

// Thread safe. An owner is a service's uid: taking again what it holds succeeds, so a retried write is harmless.
class ServiceAllocator {
 public:
  ServiceAllocator(formats::Network range, int firstPort, int lastPort, const ClusterReader& cluster, Rng& rng)
      : range_(range), firstPort_(firstPort), lastPort_(lastPort), cluster_(cluster), rng_(rng) {}

  // The message says why not, for the field's error.
  Result<std::string> takeAddress(const std::string& owner, const std::string& wanted);  // "": any
  Result<int> takePort(const std::string& owner, int wanted, std::string_view protocol);   // 0: any
  // Keeps of the owner's holdings only what the service states.
  void keepOnly(const std::string& owner, const codec::Value& service);
  void release(const std::string& owner);

  const formats::Network& range() const { return range_; }

 private:
  void load();  // with mutex_ held
  void note(const codec::Value& service);

  const formats::Network range_;
  const int firstPort_, lastPort_;
  const ClusterReader& cluster_;
  Rng& rng_;
  std::mutex mutex_;  // guards what follows
  bool loaded_ = false;
  std::unordered_map<std::string, std::string> addresses_;  // address -> owner
  struct Port {
    std::string owner;
    std::unordered_set<std::string> protocols;
  };
  std::unordered_map<int, Port> ports_;
};

}  // namespace skiff::apiserver
