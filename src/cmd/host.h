// What the binary asks of the machine it runs on.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::cmd {

std::string hostName();
// The IPv4 address of the default route's interface; 127.0.0.1 when there is none.
std::string primaryAddress();
// The n-th address of the first range of services: nthServiceAddress("10.96.0.0/16,fd00::/112", 10) is 10.96.0.10.
Result<std::string> nthServiceAddress(std::string_view ranges, uint64_t n);

}  // namespace skiff::cmd
