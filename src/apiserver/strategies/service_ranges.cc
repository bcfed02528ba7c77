#include "apiserver/strategies/service_ranges.h"

#include <arpa/inet.h>

#include <algorithm>

namespace skiff::apiserver {

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
