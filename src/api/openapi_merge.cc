// Another server's paths in our v2 document, with the definitions that they need.
#include <vector>

#include "api/openapi_impl.h"
#include "base/strings.h"

namespace skiff::api::openapi {
namespace {

// Documents of others are data from outside: deeper than any schema they are not read.
constexpr int kMaxDepth = 200;

void collectReferences(const Value& value, std::vector<std::string_view>& out, int depth = 0) {
  if (depth > kMaxDepth) return;
  if (std::string_view reference = value["$ref"].asString(); !reference.empty()) out.push_back(reference);
  for (const auto& member : value.members()) collectReferences(member.value, out, depth + 1);
  for (const Value& item : value.items()) collectReferences(item, out, depth + 1);
}

}  // namespace

void mergeV2(Value& document, const OpenApiPart& part, Arena& arena) {
  std::vector<std::string_view> needed;
  Value& paths = document.child(arena, "paths");
  for (const auto& path : (*part.document)["paths"].members()) {
    if (!path.key.starts_with(part.pathPrefix) && concat(path.key, "/") != part.pathPrefix) continue;
    if (paths.has(path.key)) continue;
    paths.set(arena, path.key, path.value.clone(arena));
    collectReferences(path.value, needed);
  }
  // "#/definitions/NAME" and "#/parameters/NAME"; what both servers define under one name is ours.
  for (size_t i = 0; i < needed.size(); ++i) {
    std::string_view reference = needed[i];
    for (std::string_view section : {"definitions", "parameters"}) {
      std::string prefix = concat("#/", section, "/");
      if (!reference.starts_with(prefix)) continue;
      std::string_view name = reference.substr(prefix.size());
      const Value* definition = (*part.document)[section].find(name);
      Value& ours = document.child(arena, section);
      if (!definition || ours.has(name)) continue;
      ours.set(arena, name, definition->clone(arena));
      collectReferences(*definition, needed);
    }
  }
}

}  // namespace skiff::api::openapi
