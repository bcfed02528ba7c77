// The values of an expression. A value is 24 bytes of plain data: it points into the object it was asked about or into the
// arena of the evaluation, so that reading `object.spec.containers` copies nothing. Errors are values too, as the language
// defines them (`true || 1/0 > 0` is true).
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "codec/value.h"

namespace skiff::cel {

class Context;
struct Entry;

enum class Kind : uint8_t {
  Null, Bool, Int, Uint, Double, String, Bytes, List, Map, Timestamp, Duration, Type, Optional,
  Quantity, Url, Ip, Cidr, Semver, Format, Authorizer, PathCheck, GroupCheck, ResourceCheck, Decision,
  Error,
};

// "int", "google.protobuf.Timestamp", "kubernetes.Quantity": what type(x) shows.
std::string_view typeName(Kind kind);

// Members that are computed when they are asked for, at most once each: `variables` of a policy.
class LazyMap {
 public:
  virtual ~LazyMap() = default;
  virtual std::optional<class Value> find(std::string_view key) = 0;
};

class Value {
 public:
  constexpr Value() = default;
  static Value null() { return {}; }
  static Value boolean(bool b) { return number(Kind::Bool, b); }
  static Value integer(int64_t n) { return number(Kind::Int, n); }
  static Value unsignedInteger(uint64_t n) { return number(Kind::Uint, int64_t(n)); }
  static Value real(double d) {
    Value v(Kind::Double);
    v.double_ = d;
    return v;
  }
  static Value string(std::string_view text) { return view(Kind::String, text); }  // not copied
  static Value bytes(std::string_view bytes) { return view(Kind::Bytes, bytes); }
  static Value type(std::string_view name) { return view(Kind::Type, name); }
  static Value timestamp(int64_t seconds, int32_t nanos) {
    Value v = number(Kind::Timestamp, seconds);
    v.size_ = uint32_t(nanos);
    return v;
  }
  static Value duration(int64_t nanos) { return number(Kind::Duration, nanos); }
  static Value list(std::span<const Value> items) {  // in the arena
    Value v(Kind::List);
    v.size_ = uint32_t(items.size());
    v.items_ = items.data();
    return v;
  }
  static Value map(std::span<const Entry> entries);  // in the arena, keys distinct
  static Value lazy(LazyMap& map) {
    Value v(Kind::Map, Form::Lazy);
    v.lazy_ = &map;
    return v;
  }
  // `tree` must outlive the evaluation.
  static Value of(const codec::Value& tree);
  static Value none() { return Value(Kind::Optional); }
  static Value some(const Value& inArena) {
    Value v(Kind::Optional);
    v.items_ = &inArena;
    return v;
  }
  static Value error(std::string_view message) { return view(Kind::Error, message); }  // not copied
  // A payload of the library that owns `kind` (quantities, addresses ...), in the arena.
  static Value opaque(Kind kind, const void* payload) {
    Value v(kind);
    v.opaque_ = payload;
    return v;
  }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool isError() const { return kind_ == Kind::Error; }
  bool isTrue() const { return kind_ == Kind::Bool && int_ != 0; }
  bool isFalse() const { return kind_ == Kind::Bool && int_ == 0; }
  bool isNumber() const { return kind_ == Kind::Int || kind_ == Kind::Uint || kind_ == Kind::Double; }

  int64_t asInt() const { return int_; }
  uint64_t asUint() const { return uint64_t(int_); }
  double asDouble() const { return double_; }
  std::string_view asText() const { return {text_, size_}; }  // of String, Bytes, Type and Error
  int32_t nanos() const { return int32_t(size_); }             // of a Timestamp
  const Value* optional() const { return items_; }             // null: none
  template <class T>
  const T& payload() const {
    return *static_cast<const T*>(opaque_);
  }

  // Lists and maps, whatever holds them.
  size_t size() const { return form_ == Form::Tree ? tree_->size() : size_; }
  Value item(size_t index) const { return form_ == Form::Tree ? of(tree_->items()[index]) : items_[index]; }
  Value keyAt(size_t index) const;
  Value valueAt(size_t index) const;
  std::optional<Value> find(const Value& key) const;
  std::optional<Value> find(std::string_view key) const;
  // Message name of an `Object.spec{...}`, "" for a plain map.
  std::string_view messageName() const { return name_; }
  Value named(const char* name) const {
    Value v = *this;
    v.name_ = name;
    return v;
  }

 private:
  enum class Form : uint8_t { Own, Tree, Lazy };
  explicit constexpr Value(Kind kind, Form form = Form::Own) : kind_(kind), form_(form) {}
  static Value number(Kind kind, int64_t n) {
    Value v(kind);
    v.int_ = n;
    return v;
  }
  static Value view(Kind kind, std::string_view text) {
    Value v(kind);
    v.text_ = text.data();
    v.size_ = uint32_t(text.size());
    return v;
  }

  Kind kind_ = Kind::Null;
  Form form_ = Form::Own;
  uint32_t size_ = 0;
  union {
    int64_t int_ = 0;
    double double_;
    const char* text_;
    const Value* items_;
    const Entry* entries_;
    const codec::Value* tree_;
    LazyMap* lazy_;
    const void* opaque_;
  };
  const char* name_ = "";
};
static_assert(sizeof(Value) == 24);

struct Entry {
  Value key, value;
};

inline Value Value::map(std::span<const Entry> entries) {
  Value v(Kind::Map);
  v.size_ = uint32_t(entries.size());
  v.entries_ = entries.data();
  return v;
}

// Equality of the language: numbers compare across types, values of different types are unequal. Depth is that of the
// objects compared, which the API server bounds; beyond kMaxDepth the values count as unequal.
inline constexpr int kMaxDepth = 200;
bool equal(const Value& a, const Value& b, int depth = 0);
// <0, 0, >0; nullopt when the values have no order.
std::optional<int> compare(const Value& a, const Value& b);

// The value as JSON would hold it (timestamps and durations as text, bytes as base64), whole in `arena`. An error text for
// what JSON cannot hold.
std::optional<codec::Value> toTree(const Value& value, codec::Arena& arena, int depth = 0);

}  // namespace skiff::cel
