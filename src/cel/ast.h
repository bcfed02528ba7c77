// The tree of a parsed expression. Nodes live in the program's arena, are linked by the checker (names to slots, calls to
// functions) and never change after that.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "cel/types.h"
#include "cel/value.h"

namespace re2 {
class RE2;
}

namespace skiff::cel {

struct Function;

enum class Node : uint8_t { Literal, Name, Select, Index, Call, And, Or, Conditional, List, Map, Message, Macro };

enum class MacroKind : uint8_t {
  All, Exists, ExistsOne, Map, Filter, TransformList, TransformMap, TransformMapEntry, OptMap, OptFlatMap,
  SortBy,
};

struct Expr {
  Node node = Node::Literal;
  MacroKind macro = MacroKind::All;
  bool optional = false;  // a.?b, a[?b], [?a], {?k: v}
  bool testOnly = false;  // has(a.b)
  bool receiver = false;  // a.f(b): args[0] is a
  uint16_t height = 1;
  uint32_t offset = 0;    // in the source, of what an error points at
  uint32_t slot = 0;      // Name: of the activation, or of the locals
  uint32_t slot2 = 0;     // Macro with two variables
  bool local = false;
  std::string_view name;  // of a Name, the member selected, the function, the message
  std::string_view variable, variable2;  // that a macro declares
  const Type* type = nullptr;            // set and used by the checker alone: it may refer to what the environment lent
  Value literal;
  // Select and Index: operand (and key). Calls: arguments. List: items. Map: key, value, key, value ...
  // Message: the values of `fields`. Macro: range, then the bodies.
  std::span<Expr*> args;
  std::span<std::string_view> fields;
  const Function* function = nullptr;
  const re2::RE2* regex = nullptr;  // of a constant pattern
};

}  // namespace skiff::cel
