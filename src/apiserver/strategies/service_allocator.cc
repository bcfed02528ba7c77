#include "apiserver/strategies/service_allocator.h"

#include <algorithm>

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

}  // namespace

void ServiceAllocator::note(const Value& service) {
  std::string owner = service["metadata"]["uid"].str();
  for (const Value& address : service["spec"]["clusterIPs"].items()) {
    if (formats::parseIp(address.asString())) addresses_[address.str()] = owner;
  }
  for (const Value& port : service["spec"]["ports"].items()) {
    if (int number = int(port["nodePort"].asInt()); number != 0) {
      ports_[number].owner = owner;
      ports_[number].protocols.insert(port["protocol"].str());
    }
  }
  if (int number = int(service["spec"]["healthCheckNodePort"].asInt()); number != 0) {
    ports_[number].owner = owner;
  }
}

void ServiceAllocator::load() {
  if (loaded_) return;
  loaded_ = true;
  for (const auto& service : cluster_.list("", "services", "")) note(service->root);
}

Result<std::string> ServiceAllocator::takeAddress(const std::string& owner, const std::string& wanted) {
  std::lock_guard lock(mutex_);
  load();
  if (!wanted.empty()) {
    auto ip = formats::parseIp(wanted);
    if (!ip || !range_.contains(*ip)) {
      return badRequest("the provided network does not match the current range");
    }
    std::string text = formatIp(*ip);
    if (text == formatIp(addressAt(range_, 0))) {
      return badRequest(concat("the provided IP (", text, ") is not in the valid range"));
    }
    auto [place, fresh] = addresses_.emplace(text, owner);
    if (!fresh && place->second != owner) return badRequest("provided IP is already allocated");
    return text;
  }
  uint64_t size = usableAddresses(range_), band = staticBand(size, 16, 256);
  // Offsets 1..size; the dynamic part from a random start on, then the static band.
  uint64_t dynamic = size - band, start = dynamic == 0 ? 0 : rng_.below(dynamic);
  for (uint64_t i = 0; i < size; ++i) {
    uint64_t offset = i < dynamic ? band + (start + i) % dynamic : i - dynamic;
    std::string text = formatIp(addressAt(range_, offset + 1));
    if (addresses_.emplace(text, owner).second) return text;
  }
  return internalError("range is full");
}

Result<int> ServiceAllocator::takePort(const std::string& owner, int wanted, std::string_view protocol) {
  std::lock_guard lock(mutex_);
  load();
  if (wanted != 0) {
    if (wanted < firstPort_ || wanted > lastPort_) {
      return badRequest(concat("provided port is not in the valid range. The range of valid ports is ",
                               firstPort_, "-", lastPort_));
    }
    auto [place, fresh] = ports_.try_emplace(wanted);
    if (fresh) place->second.owner = owner;
    // One service may use a number for TCP and UDP.
    if (place->second.owner != owner) return badRequest("provided port is already allocated");
    place->second.protocols.emplace(protocol);
    return wanted;
  }
  uint64_t size = uint64_t(lastPort_ - firstPort_ + 1), band = staticBand(size, 32, 128);
  uint64_t dynamic = size - band, start = dynamic == 0 ? 0 : rng_.below(dynamic);
  for (uint64_t i = 0; i < size; ++i) {
    int number = firstPort_ + int(i < dynamic ? band + (start + i) % dynamic : i - dynamic);
    auto [place, fresh] = ports_.try_emplace(number);
    if (!fresh) continue;
    place->second.owner = owner;
    place->second.protocols.emplace(protocol);
    return number;
  }
  return internalError("range is full");
}

void ServiceAllocator::keepOnly(const std::string& owner, const Value& service) {
  std::lock_guard lock(mutex_);
  load();
  std::erase_if(addresses_, [&](const auto& item) { return item.second == owner; });
  std::erase_if(ports_, [&](const auto& item) { return item.second.owner == owner; });
  note(service);
}

void ServiceAllocator::release(const std::string& owner) {
  std::lock_guard lock(mutex_);
  load();
  std::erase_if(addresses_, [&](const auto& item) { return item.second == owner; });
  std::erase_if(ports_, [&](const auto& item) { return item.second.owner == owner; });
}

}  // namespace skiff::apiserver
