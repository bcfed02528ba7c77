#include "apiserver/strategies/service_allocator.h"

#include <algorithm>

#include "apiserver/strategies/service_claims.h"
#include "apiserver/strategies/service_families.h"
#include "base/strings.h"

namespace skiff::apiserver {

using codec::Value;

namespace {

// The low end of each range is left to those who ask for an address or port by number.
// https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/
uint64_t staticBand(uint64_t size, uint64_t divisor, uint64_t most) {
  if (size <= 16) return 0;
  return std::min(std::max<uint64_t>(16, size / divisor), most);
}

// The network's own address is nobody's, nor is IPv4's last, to broadcast.
bool isUsable(const formats::Network& range, const formats::Ip& ip) {
  if (!range.contains(ip)) return false;
  int hostBits = (ip.v6 ? 128 : 32) - range.bits;
  std::string text = formatIp(ip);
  if (text == formatIp(addressAt(range, 0))) return false;
  return ip.v6 || hostBits < 2 || text != formatIp(addressAt(range, (uint64_t{1} << hostBits) - 1));
}

}  // namespace

void ServiceAllocator::note(const Value& service, bool claimed) {
  std::string owner = service["metadata"]["uid"].str();
  Holdings held = heldBy(service);
  for (const std::string& address : held.addresses) addresses_[address] = {owner, claimed};
  for (int port : held.ports) {
    ports_[port].owner = owner;
    ports_[port].claimed = claimed;
  }
  for (const Value& port : service["spec"]["ports"].items())
    if (int number = int(port["nodePort"].asInt()); number != 0) ports_[number].protocols.insert(port["protocol"].str());
}

ServiceAllocator::Holdings ServiceAllocator::heldBy(const Value& service) {
  Holdings held;
  const Value& spec = service["spec"];
  for (const Value& address : spec["clusterIPs"].items())
    if (formats::parseIp(address.asString())) held.addresses.push_back(address.str());
  for (const Value& port : spec["ports"].items())
    if (int number = int(port["nodePort"].asInt()); number != 0) held.ports.push_back(number);
  if (int number = int(spec["healthCheckNodePort"].asInt()); number != 0) held.ports.push_back(number);
  return held;
}

void ServiceAllocator::load() {
  if (loaded_) return;
  loaded_ = true;
  if (cluster_.serviceClaims()) return;  // the other servers' services come and go without us
  for (const auto& service : cluster_.list("", "services", "")) note(service->root, false);
}

// False: another holds it.
Result<bool> ServiceAllocator::tryAddress(const ServiceOwner& owner, const std::string& address) {
  auto [place, fresh] = addresses_.try_emplace(address, Address{owner.uid});
  ServiceClaims* claims = cluster_.serviceClaims();
  if (!claims || (!fresh && place->second.owner == owner.uid)) return place->second.owner == owner.uid;
  using How = ServiceClaims::How;
  auto taken = claims->takeAddress(address, owner.ns, owner.name, owner.dryRun ? How::OnlyLook : How::Take);
  if (taken.ok() && *taken) {
    place->second = {owner.uid, !owner.dryRun};
  } else if (fresh) {
    addresses_.erase(place);
  }
  return taken;
}

Result<bool> ServiceAllocator::tryPort(const ServiceOwner& owner, int number, std::string_view protocol) {
  auto [place, fresh] = ports_.try_emplace(number);
  Port& port = place->second;
  ServiceClaims* claims = cluster_.serviceClaims();
  // One service may use a number for TCP and UDP.
  bool its = !fresh && port.owner == owner.uid;
  if (!claims && !fresh && !its) return false;
  if (claims && !its) {
    using How = ServiceClaims::How;
    auto taken = claims->takePort(number, owner.dryRun ? How::OnlyLook : How::Take);
    if (!taken.ok() || !*taken) {
      if (fresh) ports_.erase(place);
      return taken;
    }
    port = {owner.uid, {}, !owner.dryRun};
  }
  port.owner = owner.uid;
  port.protocols.emplace(protocol);
  return true;
}

std::vector<std::string_view> ServiceAllocator::families() const {
  std::vector<std::string_view> families;
  for (const formats::Network& range : ranges_) families.push_back(familyOf(range.address));
  return families;
}

const formats::Network& ServiceAllocator::rangeOf(std::string_view family) const {
  auto found = std::ranges::find_if(ranges_, [&](const formats::Network& range) { return familyOf(range.address) == family; });
  return found == ranges_.end() ? ranges_.front() : *found;
}

Result<std::string> ServiceAllocator::takeAddress(const ServiceOwner& owner, const std::string& wanted, std::string_view family) {
  std::lock_guard lock(mutex_);
  load();
  const formats::Network& range = rangeOf(family);
  if (!wanted.empty()) {
    auto ip = formats::parseIp(wanted);
    std::string text = ip ? formatIp(*ip) : wanted;
    if (!ip || !isUsable(range, *ip)) {
      // Upstream looks without taking by another way, which has other words for it.
      if (!owner.dryRun) return badRequest("the provided network does not match the current range");
      return badRequest(concat("the provided IP (", text, ") is not in the valid range. The range of valid IPs is ",
                               formatIp(range.address), "/", range.bits));
    }
    if (!TRY(tryAddress(owner, text))) return badRequest("provided IP is already allocated");
    return text;
  }
  uint64_t size = usableAddresses(range), band = staticBand(size, 16, 256);
  // Offsets 1..size; the dynamic part from a random start on, then the static band.
  uint64_t dynamic = size - band, start = dynamic == 0 ? 0 : rng_.below(dynamic);
  for (uint64_t i = 0; i < size; ++i) {
    uint64_t offset = i < dynamic ? band + (start + i) % dynamic : i - dynamic;
    std::string text = formatIp(addressAt(range, offset + 1));
    if (!cluster_.serviceClaims() && addresses_.contains(text)) continue;
    if (TRY(tryAddress(owner, text))) return text;
  }
  return internalError("range is full");
}

Result<int> ServiceAllocator::takePort(const ServiceOwner& owner, int wanted, std::string_view protocol) {
  std::lock_guard lock(mutex_);
  load();
  if (wanted != 0) {
    if (wanted < firstPort_ || wanted > lastPort_) {
      return badRequest(concat("provided port is not in the valid range. The range of valid ports is ",
                               firstPort_, "-", lastPort_));
    }
    if (!TRY(tryPort(owner, wanted, protocol))) return badRequest("provided port is already allocated");
    return wanted;
  }
  uint64_t size = uint64_t(lastPort_ - firstPort_ + 1), band = staticBand(size, 32, 128);
  uint64_t dynamic = size - band, start = dynamic == 0 ? 0 : rng_.below(dynamic);
  for (uint64_t i = 0; i < size; ++i) {
    int number = firstPort_ + int(i < dynamic ? band + (start + i) % dynamic : i - dynamic);
    if (!cluster_.serviceClaims() && ports_.contains(number)) continue;
    if (TRY(tryPort(owner, number, protocol))) return number;
  }
  return internalError("range is full");
}

ServiceAllocator::Holdings ServiceAllocator::forget(const std::string& owner) {
  Holdings claimed;
  std::erase_if(addresses_, [&](const auto& item) {
    if (item.second.owner != owner) return false;
    if (item.second.claimed) claimed.addresses.push_back(item.first);
    return true;
  });
  std::erase_if(ports_, [&](const auto& item) {
    if (item.second.owner != owner) return false;
    if (item.second.claimed) claimed.ports.push_back(item.first);
    return true;
  });
  return claimed;
}

void ServiceAllocator::giveBack(const Value& service, const Holdings& holdings) {
  ServiceClaims* claims = cluster_.serviceClaims();
  if (!claims) return;
  const Value& metadata = service["metadata"];
  for (const std::string& address : holdings.addresses)
    claims->releaseAddress(address, metadata["namespace"].asString(), metadata["name"].asString());
  for (int port : holdings.ports) claims->releasePort(port);
}

void ServiceAllocator::keepOnly(const Value& service) {
  Holdings surplus;
  {
    std::lock_guard lock(mutex_);
    load();
    surplus = forget(service["metadata"]["uid"].str());
    note(service, true);
  }
  Holdings kept = heldBy(service);
  std::erase_if(surplus.addresses, [&](const std::string& one) { return std::ranges::find(kept.addresses, one) != kept.addresses.end(); });
  std::erase_if(surplus.ports, [&](int one) { return std::ranges::find(kept.ports, one) != kept.ports.end(); });
  giveBack(service, surplus);
}

void ServiceAllocator::releaseDropped(const Value& before, const Value& now) {
  Holdings dropped = heldBy(before), kept = heldBy(now);
  std::erase_if(dropped.addresses, [&](const std::string& one) { return std::ranges::find(kept.addresses, one) != kept.addresses.end(); });
  std::erase_if(dropped.ports, [&](int one) { return std::ranges::find(kept.ports, one) != kept.ports.end(); });
  {
    std::lock_guard lock(mutex_);
    load();
    std::string owner = before["metadata"]["uid"].str();
    // Its own, and in a shared store what another server gave it; not what a dry run only looked at.
    auto forgets = [&](auto& table, const auto& one) {
      auto found = table.find(one);
      if (found == table.end()) return true;
      bool claimed = found->second.claimed, its = found->second.owner == owner;
      if (its) table.erase(found);
      return its && claimed;
    };
    std::erase_if(dropped.addresses, [&](const std::string& one) { return !forgets(addresses_, one); });
    std::erase_if(dropped.ports, [&](int one) { return !forgets(ports_, one); });
  }
  giveBack(before, dropped);
}

// What another server has given to the service is known from the service alone.
void ServiceAllocator::release(const Value& service) {
  Holdings held;
  {
    std::lock_guard lock(mutex_);
    load();
    Holdings stated = heldBy(service);
    std::string owner = service["metadata"]["uid"].str();
    auto isKnown = [&](const auto& table, const auto& one) {
      auto found = table.find(one);
      return found != table.end() && found->second.owner == owner;
    };
    std::erase_if(stated.addresses, [&](const std::string& one) { return isKnown(addresses_, one); });
    std::erase_if(stated.ports, [&](int one) { return isKnown(ports_, one); });
    held = forget(owner);
    std::ranges::move(stated.addresses, std::back_inserter(held.addresses));
    std::ranges::move(stated.ports, std::back_inserter(held.ports));
  }
  giveBack(service, held);
}

}  // namespace skiff::apiserver
