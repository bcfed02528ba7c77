#include "apiserver/strategies/service_ranges.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/strings.h"

namespace skiff::apiserver {

namespace {

formats::Network masked(formats::Network network) {
  size_t bits = size_t(network.bits) + (network.address.v6 ? 0 : 96);
  for (size_t i = 0; i < 16; ++i) {
    size_t kept = bits > i * 8 ? std::min<size_t>(bits - i * 8, 8) : 0;
    network.address.bytes[i] = uint8_t(network.address.bytes[i] & (0xff00u >> kept));
  }
  return network;
}

}  // namespace

Result<std::vector<formats::Network>> parseServiceRanges(std::string_view text) {
  std::vector<formats::Network> ranges;
  for (std::string_view part : splitNonEmpty(text, ',')) {
    auto range = formats::parseCidr(part);
    if (!range) return badRequest(concat("invalid CIDR ", quoted(part)));
    ranges.push_back(masked(*range));
  }
  if (ranges.empty() || ranges.size() > 2) return badRequest("one or two ranges of service addresses are needed");
  if (ranges.size() == 2 && ranges[0].address.v6 == ranges[1].address.v6)
    return badRequest("the two ranges of service addresses must be of different families");
  return ranges;
}

formats::Ip addressAt(const formats::Network& network, uint64_t n) {
  formats::Ip ip = network.address;
  uint64_t carry = n;
  for (int i = 15; i >= 0 && carry != 0; --i) {
    carry += ip.bytes[size_t(i)];
    ip.bytes[size_t(i)] = uint8_t(carry);
    carry >>= 8;
  }
  return ip;
}

uint64_t usableAddresses(const formats::Network& network) {
  constexpr int kMaxBits = 16;
  int hostBits = std::min((network.address.v6 ? 128 : 32) - network.bits, kMaxBits);
  uint64_t size = uint64_t{1} << hostBits;
  if (size <= 2) return size - 1;
  return size - (network.address.v6 ? 1 : 2);
}

std::string formatIp(const formats::Ip& ip) {
  char text[INET6_ADDRSTRLEN];
  const void* bytes = ip.v6 ? ip.bytes.data() : ip.bytes.data() + 12;
  return inet_ntop(ip.v6 ? AF_INET6 : AF_INET, bytes, text, sizeof text);
}

}  // namespace skiff::apiserver
