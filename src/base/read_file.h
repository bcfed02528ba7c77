// A whole file as text.
#pragma once
#include <string>

#include "base/result.h"

namespace skiff {

Result<std::string> readFile(const std::string& path);  // the error names the path and says why

}  // namespace skiff
