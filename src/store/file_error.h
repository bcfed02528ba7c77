// What went wrong with a file of the store, by errno.
#pragma once
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/strings.h"

namespace skiff::store {

inline Error fileError(std::string_view what, const std::string& file) {
  return {Reason::ServiceUnavailable, concat("store: ", what, " ", file, ": ", std::strerror(errno))};
}

}  // namespace skiff::store
