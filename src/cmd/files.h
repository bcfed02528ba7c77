// Small file helpers of the binary's front: atomic replacement, modes.
#pragma once
#include <string>
#include <string_view>

#include "base/read_file.h"
#include "base/result.h"

namespace skiff::cmd {

// Through a temporary file and rename, synced: readers see the old or the new text.
Status writeFile(const std::string& path, std::string_view text, unsigned mode = 0600);
Status makeDirectories(const std::string& path, unsigned mode = 0700);
bool exists(const std::string& path);

}  // namespace skiff::cmd
