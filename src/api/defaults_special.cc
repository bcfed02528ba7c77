#include "api/defaults_special.h"

namespace skiff::api {

SpecialDefaults specialDefaults(const TypeInfo&) { return nullptr; }

}  // namespace skiff::api
