#include "cel/types.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "base/result.h"

namespace skiff::cel {
namespace {

constexpr std::string_view kNames[] = {"dyn",  "null",      "bool",     "int",  "uint",          "double", "string", "bytes", "list",
                                       "map",  "timestamp", "duration", "type", "optional_type", "object", "opaque", "param", "!error!"};

const Type& compound(StaticType kind, const Type& first, const Type* second, codec::Arena& arena) {
  return *new (arena.allocate(sizeof(Type), alignof(Type))) Type{.kind = kind, .params = {&first, second}};
}

size_t paramCount(StaticType kind) {
  switch (kind) {
    case StaticType::List:
    case StaticType::Optional:
    case StaticType::Type: return 1;
    case StaticType::Map: return 2;
    default: return 0;
  }
}

bool takesNull(const Type& type) {
  switch (type.kind) {
    case StaticType::Timestamp:
    case StaticType::Duration:
    case StaticType::Optional:
    case StaticType::Object:
    case StaticType::Opaque:
    case StaticType::Null: return true;
    default: return false;
  }
}

bool hasDyn(const Type& type) {
  if (type.kind == StaticType::Dyn) return true;
  for (size_t i = 0; i < paramCount(type.kind); ++i)
    if (hasDyn(*type.params[i])) return true;
  return false;
}

// One signature as text to types. The texts are the library's own constants.
class SignatureReader {
 public:
  SignatureReader(std::string_view text, codec::Arena& arena) : text_(text), arena_(arena) {}

  std::vector<const Type*> arguments() {
    std::vector<const Type*> out;
    while (!accept("->")) out.push_back(&type());
    return out;
  }
  const Type& type() {
    std::string_view word = text_.substr(0, std::min(text_.find_first_of(" <>,"), text_.size()));
    MUST(!word.empty());
    text_.remove_prefix(word.size());
    if (word.size() == 1) return *new (arena_.allocate(sizeof(Type), alignof(Type))) Type{.kind = StaticType::Param, .name = word};
    bool isNested = accept("<");
    const Type* first = isNested ? &type() : nullptr;
    const Type* second = isNested && accept(",") ? &type() : nullptr;
    if (isNested) MUST(accept(">"));
    auto known = std::ranges::find(kNames, word);
    if (known != std::end(kNames)) {
      auto kind = StaticType(known - std::begin(kNames));
      if (!first) return simpleType(kind);
      skipSpaces();
      return compound(kind, *first, second, arena_);
    }
    skipSpaces();
    return *new (arena_.allocate(sizeof(Type), alignof(Type))) Type{.kind = StaticType::Opaque, .name = word};
  }

 private:
  void skipSpaces() { text_.remove_prefix(std::min(text_.find_first_not_of(' '), text_.size())); }
  bool accept(std::string_view token) {
    skipSpaces();
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    skipSpaces();
    return true;
  }
  std::string_view text_;
  codec::Arena& arena_;
};

}  // namespace

const Type& simpleType(StaticType kind) {
  using K = StaticType;
  static constexpr Type kDyn{}, kError{.kind = K::Error}, kNull{.kind = K::Null}, kBool{.kind = K::Bool}, kInt{.kind = K::Int};
  static constexpr Type kUint{.kind = K::Uint}, kDouble{.kind = K::Double}, kString{.kind = K::String}, kBytes{.kind = K::Bytes};
  static constexpr Type kTimestamp{.kind = K::Timestamp}, kDuration{.kind = K::Duration}, kList{.kind = K::List, .params = {&kDyn}};
  static constexpr Type kMap{.kind = K::Map, .params = {&kDyn, &kDyn}}, kOptional{.kind = K::Optional, .params = {&kDyn}};
  static constexpr Type kType{.kind = K::Type, .params = {&kDyn}};
  switch (kind) {
    case K::Null: return kNull;
    case K::Bool: return kBool;
    case K::Int: return kInt;
    case K::Uint: return kUint;
    case K::Double: return kDouble;
    case K::String: return kString;
    case K::Bytes: return kBytes;
    case K::List: return kList;
    case K::Map: return kMap;
    case K::Timestamp: return kTimestamp;
    case K::Duration: return kDuration;
    case K::Type: return kType;
    case K::Optional: return kOptional;
    case K::Error: return kError;
    case K::Dyn:
    case K::Object:
    case K::Opaque:
    case K::Param: break;
  }
  return kDyn;
}

const Type& listType(const Type& item, codec::Arena& arena) { return compound(StaticType::List, item, nullptr, arena); }
const Type& mapType(const Type& key, const Type& value, codec::Arena& arena) { return compound(StaticType::Map, key, &value, arena); }
const Type& optionalType(const Type& value, codec::Arena& arena) { return compound(StaticType::Optional, value, nullptr, arena); }
const Type& typeType(const Type& of, codec::Arena& arena) { return compound(StaticType::Type, of, nullptr, arena); }

const Type& objectType(std::string_view name, std::span<const TypeMember> members, codec::Arena& arena) {
  TypeMember* kept = arena.array<TypeMember>(members.size());
  for (size_t i = 0; i < members.size(); ++i) new (kept + i) TypeMember{arena.copy(members[i].name), members[i].type};
  return *new (arena.allocate(sizeof(Type), alignof(Type)))
      Type{.kind = StaticType::Object, .name = arena.copy(name), .members = {kept, members.size()}};
}

std::string typeText(const Type& type) {
  std::string name(type.name.empty() ? kNames[size_t(type.kind)] : type.name);
  size_t params = paramCount(type.kind);
  if (params == 0) return name;
  return concat(name, "(", typeText(*type.params[0]), params == 2 ? concat(", ", typeText(*type.params[1])) : "", ")");
}

bool Bindings::fits(const Type& formal, const Type& actual) {
  using K = StaticType;
  if (formal.kind == K::Param) {
    const Type*& bound = bound_[size_t(formal.name[0] - 'A')];
    if (!bound) return bound = &actual, true;
    if (!fits(*bound, actual)) return false;
    // Of two that fit each other the one that says less is kept; null says the least of what takes it.
    if (hasDyn(actual) && !hasDyn(*bound)) bound = &actual;
    return true;
  }
  if (formal.kind == K::Dyn || actual.kind == K::Dyn || formal.kind == K::Error || actual.kind == K::Error) return true;
  if (actual.kind == K::Null) return takesNull(formal);
  if (formal.kind == K::Null) return takesNull(actual);
  if (formal.kind != actual.kind || formal.name != actual.name) return false;
  if (formal.kind == K::Type) return true;
  for (size_t i = 0; i < paramCount(formal.kind); ++i)
    if (!fits(*formal.params[i], *actual.params[i])) return false;
  return true;
}

const Type& Bindings::resolve(const Type& type, codec::Arena& arena) const {
  if (type.kind == StaticType::Param) {
    const Type* bound = bound_[size_t(type.name[0] - 'A')];
    return bound ? *bound : simpleType(StaticType::Dyn);
  }
  size_t params = paramCount(type.kind);
  if (params == 0) return type;
  const Type& first = resolve(*type.params[0], arena);
  return compound(type.kind, first, params == 2 ? &resolve(*type.params[1], arena) : nullptr, arena);
}

const Type* resultOf(std::string_view overloads, std::span<const Type* const> args, codec::Arena& arena) {
  const Type* result = nullptr;
  for (std::string_view overload : split(overloads, '|')) {
    SignatureReader reader(trim(overload), arena);
    std::vector<const Type*> formals = reader.arguments();
    if (formals.size() != args.size()) continue;
    Bindings bindings;
    bool fit = true;
    for (size_t i = 0; fit && i < args.size(); ++i) fit = bindings.fits(*formals[i], *args[i]);
    if (!fit) continue;
    const Type& made = bindings.resolve(reader.type(), arena);
    if (result && typeText(*result) != typeText(made)) return &simpleType(StaticType::Dyn);
    result = &made;
  }
  return result;
}

}  // namespace skiff::cel
