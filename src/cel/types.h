// Types as the checker knows them: what a value can be before it is evaluated. They are immutable plain data in an arena.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "codec/value.h"

namespace skiff::cel {

enum class StaticType : uint8_t {
  Dyn, Null, Bool, Int, Uint, Double, String, Bytes, List, Map, Timestamp, Duration, Type, Optional,
  Object,  // with known members
  Opaque,  // of a library, known by name
  Param,   // `A` of a signature
  Error,   // what could not be typed; told once, silent afterwards
};

struct TypeMember;

struct Type {
  StaticType kind = StaticType::Dyn;
  std::string_view name = {};                    // of Object, Opaque, Param
  const Type* params[2] = {};                    // List, Optional, Type: one; Map: key and value
  std::span<const TypeMember> members = {};      // Object
};
struct TypeMember {
  std::string_view name;
  const Type* type;
};

const Type& simpleType(StaticType kind);  // one without params, members and name
const Type& listType(const Type& item, codec::Arena& arena);
const Type& mapType(const Type& key, const Type& value, codec::Arena& arena);
const Type& optionalType(const Type& value, codec::Arena& arena);
const Type& typeType(const Type& of, codec::Arena& arena);
const Type& objectType(std::string_view name, std::span<const TypeMember> members, codec::Arena& arena);  // copies both

// As errors show it: "list(string)", "timestamp".
std::string typeText(const Type& type);

// Params of a signature and what they stand for.
class Bindings {
 public:
  // Whether a value of type `actual` fits `formal`; binds the formal's params.
  bool fits(const Type& formal, const Type& actual);
  // The type with its bound params replaced; unbound ones become Dyn.
  const Type& resolve(const Type& type, codec::Arena& arena) const;

 private:
  const Type* bound_[4] = {};
};

// The result of a call by a table's overloads ("string int -> string | list<A> A -> int"), null when none fits; Dyn when the
// arguments leave open which one it is.
const Type* resultOf(std::string_view overloads, std::span<const Type* const> args, codec::Arena& arena);

}  // namespace skiff::cel
