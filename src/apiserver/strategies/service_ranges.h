// The addresses and ports that services draw from. Only arithmetic: who holds what is known to the allocator.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/strategies/formats.h"
#include "base/result.h"

namespace skiff::apiserver {

// "10.96.0.0/16" or "10.96.0.0/16,fd00::/112": one of each family at most.
Result<std::vector<formats::Network>> parseServiceRanges(std::string_view text);
// The n-th address of the network.
formats::Ip addressAt(const formats::Network& network, uint64_t n);
// How many addresses may be given out: the first and, for IPv4, the last are not. At most 2^16 of them are used,
// as upstream limits an IPv6 range.
uint64_t usableAddresses(const formats::Network& network);
std::string formatIp(const formats::Ip& ip);

}  // namespace skiff::apiserver
