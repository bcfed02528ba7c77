#pragma once
#include <memory>

#include "net/server_core.h"

namespace skiff::net {

std::shared_ptr<ResponseWriter> makeWriter(std::shared_ptr<Exchange> exchange);

}  // namespace skiff::net
