// Schemas of custom resources as types: what expressions may know of values before there are any.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "api/schema.h"
#include "cel/types.h"
#include "codec/value.h"

namespace skiff::cel {

struct SchemaTypeOptions {
  bool isRoot = false;  // of a resource, which has apiVersion, kind and metadata whether they are declared or not
  // What is known of the metadata of resources; null: its two names, which is all that rules of a schema may read.
  const api::TypeInfo* metadata = nullptr;
};
// Null when the schema's values have no type an expression could use.
const Type* typeOfSchema(const codec::Value& schema, std::string_view name, const SchemaTypeOptions& options, codec::Arena& arena);

// The name of a property as expressions spell it: words of the language and characters that no name has are escaped.
std::string escapedName(std::string_view name);
// All ways to spell it: a word of the language may stand after a dot as it is, too (`self.namespace`, `self.__namespace__`).
std::vector<std::string> spellingsOf(std::string_view name);

}  // namespace skiff::cel
