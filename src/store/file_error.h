// What went wrong with a file of the store, by errno.
#pragma once
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/strings.h"

namespace skiff::store {

// To the operator a quota that is used up is a full disk too.
inline std::string_view diskErrorText(int error) {
  return error == ENOSPC || error == EDQUOT ? "the disk is full" : std::strerror(error);
}

inline Error fileError(std::string_view what, const std::string& file) {
  return {Reason::ServiceUnavailable, concat("store: ", what, " ", file, ": ", diskErrorText(errno))};
}

}  // namespace skiff::store
