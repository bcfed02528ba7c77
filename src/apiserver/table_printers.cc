#include "apiserver/table.h"

namespace skiff::apiserver {

const Printer* findPrinter(std::string_view, std::string_view) { return nullptr; }

}  // namespace skiff::apiserver
