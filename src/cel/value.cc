#include "cel/value.h"

#include <cmath>

#include "cel/library.h"
#include "base/strings.h"

namespace skiff::cel {

std::string_view typeName(Kind kind) {
  switch (kind) {
    case Kind::Null: return "null_type";
    case Kind::Bool: return "bool";
    case Kind::Int: return "int";
    case Kind::Uint: return "uint";
    case Kind::Double: return "double";
    case Kind::String: return "string";
    case Kind::Bytes: return "bytes";
    case Kind::List: return "list";
    case Kind::Map: return "map";
    case Kind::Timestamp: return "google.protobuf.Timestamp";
    case Kind::Duration: return "google.protobuf.Duration";
    case Kind::Type: return "type";
    case Kind::Optional: return "optional_type";
    case Kind::Quantity: return "kubernetes.Quantity";
    case Kind::Url: return "kubernetes.URL";
    case Kind::Ip: return "net.IP";
    case Kind::Cidr: return "net.CIDR";
    case Kind::Semver: return "kubernetes.Semver";
    case Kind::Format: return "kubernetes.NamedFormat";
    case Kind::Authorizer: return "kubernetes.authorization.Authorizer";
    case Kind::PathCheck: return "kubernetes.authorization.PathCheck";
    case Kind::GroupCheck: return "kubernetes.authorization.GroupCheck";
    case Kind::ResourceCheck: return "kubernetes.authorization.ResourceCheck";
    case Kind::Decision: return "kubernetes.authorization.Decision";
    case Kind::Error: return "error";
  }
  return "error";
}

Value Value::of(const codec::Value& tree) {
  using TreeKind = codec::Value::Kind;
  switch (tree.kind()) {
    case TreeKind::Null: return null();
    case TreeKind::Bool: return boolean(tree.asBool());
    case TreeKind::Int: return integer(tree.asInt());
    case TreeKind::Double: return real(tree.asDouble());
    case TreeKind::String: return string(tree.asString());
    case TreeKind::List:
    case TreeKind::Map: break;
    case TreeKind::Raw: return map(std::span<const Entry>());  // nothing that an expression could name
  }
  Value v(tree.isList() ? Kind::List : Kind::Map, Form::Tree);
  v.tree_ = &tree;
  return v;
}

Value Value::keyAt(size_t index) const {
  return form_ == Form::Tree ? string(tree_->members()[index].key) : entries_[index].key;
}

Value Value::valueAt(size_t index) const {
  return form_ == Form::Tree ? of(tree_->members()[index].value) : entries_[index].value;
}

std::optional<Value> Value::find(std::string_view key) const {
  if (form_ == Form::Lazy) return lazy_->find(key);
  if (form_ == Form::Tree) {
    const codec::Value* member = tree_->find(key);
    if (!member) return std::nullopt;
    return of(*member);
  }
  for (size_t i = 0; i < size_; ++i)
    if (entries_[i].key.is(Kind::String) && entries_[i].key.asText() == key) return entries_[i].value;
  return std::nullopt;
}

std::optional<Value> Value::find(const Value& key) const {
  if (key.is(Kind::String)) return find(key.asText());
  if (form_ != Form::Own) return std::nullopt;
  for (size_t i = 0; i < size_; ++i)
    if (equal(entries_[i].key, key)) return entries_[i].value;
  return std::nullopt;
}

namespace {

int sign(auto a, auto b) { return a < b ? -1 : a > b ? 1 : 0; }

int compareDoubleInt(double d, int64_t n) {
  if (d < -9223372036854775808.0) return -1;
  if (d >= 9223372036854775808.0) return 1;
  if (int64_t whole = int64_t(d); whole != n) return sign(whole, n);
  return sign(d - std::trunc(d), 0.0);
}

int compareDoubleUint(double d, uint64_t n) {
  if (d < 0) return -1;
  if (d >= 18446744073709551616.0) return 1;
  if (uint64_t whole = uint64_t(d); whole != n) return sign(whole, n);
  return sign(d - std::trunc(d), 0.0);
}

std::optional<int> compareNumbers(const Value& a, const Value& b) {
  if (a.is(Kind::Double) || b.is(Kind::Double)) {
    if (!a.is(Kind::Double)) {
      auto turned = compareNumbers(b, a);
      return turned ? std::optional(-*turned) : std::nullopt;
    }
    double d = a.asDouble();
    if (std::isnan(d)) return std::nullopt;
    if (b.is(Kind::Int)) return compareDoubleInt(d, b.asInt());
    if (b.is(Kind::Uint)) return compareDoubleUint(d, b.asUint());
    if (std::isnan(b.asDouble())) return std::nullopt;
    return sign(d, b.asDouble());
  }
  if (a.kind() == b.kind())
    return a.is(Kind::Int) ? sign(a.asInt(), b.asInt()) : sign(a.asUint(), b.asUint());
  if (a.is(Kind::Int)) return a.asInt() < 0 ? -1 : sign(a.asUint(), b.asUint());
  return b.asInt() < 0 ? 1 : sign(a.asUint(), b.asUint());
}

bool equalLists(const Value& a, const Value& b, int depth) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!equal(a.item(i), b.item(i), depth + 1)) return false;
  return true;
}

bool equalMaps(const Value& a, const Value& b, int depth) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    std::optional<Value> other = b.find(a.keyAt(i));
    if (!other || !equal(a.valueAt(i), *other, depth + 1)) return false;
  }
  return true;
}

}  // namespace

bool equal(const Value& a, const Value& b, int depth) {
  if (depth > kMaxDepth) return false;
  if (a.isNumber() && b.isNumber()) return compareNumbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::Null: return true;
    case Kind::Bool:
    case Kind::Duration: return a.asInt() == b.asInt();
    case Kind::Timestamp: return a.asInt() == b.asInt() && a.nanos() == b.nanos();
    case Kind::String:
    case Kind::Bytes:
    case Kind::Type: return a.asText() == b.asText();
    case Kind::List: return equalLists(a, b, depth);
    case Kind::Map: return equalMaps(a, b, depth);
    case Kind::Optional:
      if (!a.optional() || !b.optional()) return a.optional() == b.optional();
      return equal(*a.optional(), *b.optional(), depth + 1);
    default: return equalOpaque(a, b);
  }
}

std::optional<int> compare(const Value& a, const Value& b) {
  if (a.isNumber() && b.isNumber()) return compareNumbers(a, b);
  if (a.kind() != b.kind()) return std::nullopt;
  switch (a.kind()) {
    case Kind::Bool:
    case Kind::Duration: return sign(a.asInt(), b.asInt());
    case Kind::Timestamp:
      return a.asInt() != b.asInt() ? sign(a.asInt(), b.asInt()) : sign(a.nanos(), b.nanos());
    case Kind::String:
    case Kind::Bytes: return sign(a.asText().compare(b.asText()), 0);
    default: return std::nullopt;
  }
}

namespace {

std::optional<codec::Value> listToTree(const Value& value, codec::Arena& arena, int depth) {
  codec::Value list = codec::Value::list();
  list.reserve(arena, value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    auto item = toTree(value.item(i), arena, depth + 1);
    if (!item) return std::nullopt;
    list.push(arena, *item);
  }
  return list;
}

std::optional<codec::Value> mapToTree(const Value& value, codec::Arena& arena, int depth) {
  codec::Value map = codec::Value::map();
  for (size_t i = 0; i < value.size(); ++i) {
    Value key = value.keyAt(i);
    auto member = toTree(value.valueAt(i), arena, depth + 1);
    if (!key.is(Kind::String) || !member) return std::nullopt;
    map.set(arena, key.asText(), *member);
  }
  return map;
}

}  // namespace

std::optional<codec::Value> toTree(const Value& value, codec::Arena& arena, int depth) {
  if (depth > kMaxDepth) return std::nullopt;
  using Tree = codec::Value;
  switch (value.kind()) {
    case Kind::Null: return Tree::null();
    case Kind::Bool: return Tree::boolean(value.isTrue());
    case Kind::Int: return Tree::integer(value.asInt());
    case Kind::Uint: return Tree::integer(value.asInt());
    case Kind::Double: return Tree::number(value.asDouble());
    case Kind::String: return Tree::text(arena, value.asText());
    case Kind::Bytes: return Tree::text(arena, base64Encode(value.asText()));
    case Kind::Timestamp: return Tree::text(arena, formatTimestamp(value));
    case Kind::Duration: return Tree::text(arena, formatDuration(value.asInt()));
    case Kind::List: return listToTree(value, arena, depth);
    case Kind::Map: return mapToTree(value, arena, depth);
    case Kind::Quantity: return Tree::text(arena, textOf(value));
    case Kind::Optional:
      if (value.optional()) return toTree(*value.optional(), arena, depth + 1);
      return Tree::null();
    default: return std::nullopt;
  }
}

}  // namespace skiff::cel
