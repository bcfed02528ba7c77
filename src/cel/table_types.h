// Built-in types of the API as types of expressions, from the tables.
#pragma once
#include "api/schema.h"
#include "cel/types.h"

namespace skiff::cel {

// With apiVersion and kind if it is a kind. As in upstream's schemas a field that has no single JSON type (quantities, any
// JSON) is not there, and a type within itself has no members.
const Type& typeOfTable(const api::TypeInfo& table, std::string_view name, codec::Arena& arena);

}  // namespace skiff::cel
