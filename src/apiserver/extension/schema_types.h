// What the rules of a schema may know of their values before there are any: the schema as a type of the expression language.
#pragma once
#include "cel/types.h"
#include "codec/value.h"

namespace skiff::apiserver {

// Null when the schema's values have no type an expression could use.
const cel::Type* typeOfSchema(const codec::Value& schema, std::string_view name, bool isRoot, codec::Arena& arena);

// The name of a property as expressions spell it: words of the language and characters that no name has are escaped.
std::string escapedName(std::string_view name);

}  // namespace skiff::apiserver
