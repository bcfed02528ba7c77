// Strings as a list of a value tree.
#pragma once
#include <string>
#include <vector>

#include "codec/value.h"

namespace skiff::apiserver {

inline codec::Value textList(const std::vector<std::string>& items, codec::Arena& arena) {
  codec::Value out = codec::Value::list();
  for (const std::string& item : items) out.push(arena, codec::Value::text(arena, item));
  return out;
}

}  // namespace skiff::apiserver
