// Which service holds which cluster address and node port. The services themselves are the record: the allocator
// reads them at its first use, and nothing else is stored. Where other servers give out addresses of the same range,
// the claims in the store decide instead, and what is kept here is only what went through this server.
#pragma once
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "apiserver/request.h"
#include "apiserver/strategies/service_ranges.h"
#include "base/clock.h"

namespace skiff::apiserver {

// Who takes: taking again what it holds succeeds, so a retried write is harmless.
struct ServiceOwner {
  std::string uid;
  std::string ns, name;
  bool dryRun = false;
};

// Thread safe.
class ServiceAllocator {
 public:
  // One range for each family that the cluster has, the default's first.
  ServiceAllocator(std::vector<formats::Network> ranges, int firstPort, int lastPort, const ClusterReader& cluster, Rng& rng)
      : ranges_(std::move(ranges)), firstPort_(firstPort), lastPort_(lastPort), cluster_(cluster), rng_(rng) {}

  // The message says why not, for the field's error.
  Result<std::string> takeAddress(const ServiceOwner& owner, const std::string& wanted, std::string_view family);  // "": any
  Result<int> takePort(const ServiceOwner& owner, int wanted, std::string_view protocol);   // 0: any
  // Keeps of its holdings only what the service states.
  void keepOnly(const codec::Value& service);
  // Frees what the service held before and does not state now.
  void releaseDropped(const codec::Value& before, const codec::Value& now);
  // Frees all it holds.
  void release(const codec::Value& service);

  std::vector<std::string_view> families() const;

 private:
  struct Address {
    std::string owner;
    bool claimed = false;  // in the shared store, for this owner
  };
  struct Port {
    std::string owner;
    std::unordered_set<std::string> protocols;
    bool claimed = false;
  };
  struct Holdings {
    std::vector<std::string> addresses;
    std::vector<int> ports;
  };
  // All of these with mutex_ held.
  void load();
  void note(const codec::Value& service, bool claimed);
  Result<bool> tryAddress(const ServiceOwner& owner, const std::string& address);
  Result<bool> tryPort(const ServiceOwner& owner, int port, std::string_view protocol);
  Holdings forget(const std::string& owner);  // those that are claimed

  const formats::Network& rangeOf(std::string_view family) const;
  static Holdings heldBy(const codec::Value& service);
  void giveBack(const codec::Value& service, const Holdings& holdings);  // without the lock

  const std::vector<formats::Network> ranges_;
  const int firstPort_, lastPort_;
  const ClusterReader& cluster_;
  Rng& rng_;
  std::mutex mutex_;  // guards what follows
  bool loaded_ = false;
  std::unordered_map<std::string, Address> addresses_;
  std::unordered_map<int, Port> ports_;
};

}  // namespace skiff::apiserver
