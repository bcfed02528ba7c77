#include "base/read_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/strings.h"

namespace skiff {

Result<std::string> readFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error(Reason::NotFound, concat("cannot read ", path, ": ", std::string_view(std::strerror(errno))));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace skiff
