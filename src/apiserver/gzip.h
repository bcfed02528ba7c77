// Compression of large answers (RFC 1952), piece by piece.
#pragma once
#include <vector>

#include "base/bytes.h"

namespace skiff::apiserver {

std::vector<SharedBytes> gzip(const std::vector<SharedBytes>& pieces);

}  // namespace skiff::apiserver
