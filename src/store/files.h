// The files of the store: written and synced, with errors that say by errno what went wrong.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::store {

// To the operator a quota that is used up is a full disk too.
std::string_view diskErrorText(int error);
Error fileError(std::string_view what, const std::string& file);

Status writeAt(int fd, std::string_view bytes, uint64_t offset, const std::string& file);
// A new file's name is durable only once its directory is: `flags` with O_DIRECTORY.
Status syncPath(const std::string& path, int flags);

}  // namespace skiff::store
