// Ranges of service addresses.
#pragma once
#include <string_view>

#include "gen/networking_v1.h"

namespace skiff::controllers {

using api::networking::v1::ServiceCIDR;

// Is the address of the block ("10.96.0.0/16", "fd00::/112")?
bool cidrContains(std::string_view cidr, std::string_view address);

}  // namespace skiff::controllers
