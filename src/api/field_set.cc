#include "api/field_set.h"

#include <algorithm>

#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Arena;
using codec::Member;
using codec::Value;

namespace {

constexpr int kMaxDepth = 300;  // a little more than an object that may be applied has levels

// Fields first, then keys, values and indices.
int rankOf(std::string_view element) {
  size_t at = std::string_view("fkvi").find(element.empty() ? '?' : element[0]);
  return at == std::string_view::npos ? 4 : int(at);
}

bool isDigit(char c) { return c >= '0' && c <= '9'; }

// The JSON number that covers position `at` of a key or value element; empty inside strings and elsewhere.
std::string_view numberAround(std::string_view element, size_t at) {
  size_t start = at;
  while (start > 0 && isDigit(element[start - 1])) --start;
  if (start == 0 || element[start - 1] != ':') return {};
  size_t end = at;
  while (end < element.size() && isDigit(element[end])) ++end;
  return element.substr(start, end - start);
}

bool isListElement(std::string_view element) { return rankOf(element) == 1 || rankOf(element) == 2; }

std::string scalarText(const Value& value) {
  return value.isString() ? quoted(value.asString()) : codec::toJson(value);
}

// What lies below `path`: one level's paths first, then what is deeper, as upstream lists conflicts.
void collectPaths(const FieldSet& set, const std::string& path, std::vector<std::string>& out) {
  for (const auto& [element, child] : set.children)
    if (child.member) out.push_back(path + pathElementText(element));
  for (const auto& [element, child] : set.children)
    if (!child.children.empty()) collectPaths(child, path + pathElementText(element), out);
}

// The element in our spelling: stored ones may have been written by others.
Result<std::string> canonicalElement(std::string_view text) {
  auto malformed = [&] { return badRequest(concat("unsupported field path element ", quoted(text))); };
  if (text.size() < 2 || text[1] != ':') return malformed();
  std::string_view content = text.substr(2);
  if (text[0] == 'f') return std::string(text);
  if (text[0] == 'i') return parseInt(content) ? Result<std::string>(std::string(text)) : malformed();
  Arena arena;
  auto value = codec::parseJson(content, arena, {.maxDepth = kMaxDepth});
  if (!value.ok()) return malformed();
  if (text[0] == 'v') return valueElement(*value);
  if (text[0] != 'k' || !value->isMap() || value->empty()) return malformed();
  auto members = value->members();
  return keyElement({members.begin(), members.end()});
}

Status parseInto(FieldSet& set, const Value& fields, int depth) {
  if (!fields.isMap()) return badRequest("fieldsV1 must be a map");
  if (depth > kMaxDepth) return badRequest("fieldsV1 is nested too deeply");
  for (const Member& member : fields.members()) {
    if (member.key == ".") {
      set.member = true;
      continue;
    }
    FieldSet& child = set.at(TRY(canonicalElement(member.key)));
    TRY(parseInto(child, member.value, depth + 1));
    if (child.children.empty()) child.member = true;  // {} is the path itself
  }
  return okStatus();
}

}  // namespace

bool PathElementLess::operator()(std::string_view a, std::string_view b) const {
  int rankA = rankOf(a), rankB = rankOf(b);
  if (rankA != rankB) return rankA < rankB;
  size_t at = size_t(std::ranges::mismatch(a, b).in1 - a.begin());
  if (isListElement(a)) {
    std::string_view numberA = numberAround(a, at), numberB = numberAround(b, at);
    if (!numberA.empty() && !numberB.empty() && numberA.size() != numberB.size()) return numberA.size() < numberB.size();
  }
  return a < b;
}

const FieldSet* FieldSet::child(std::string_view element) const {
  auto found = children.find(element);
  return found == children.end() ? nullptr : &found->second;
}

FieldSet FieldSet::unionWith(const FieldSet& other) const {
  FieldSet out = *this;
  out.member = member || other.member;
  for (const auto& [element, theirs] : other.children) {
    auto [at, fresh] = out.children.try_emplace(element, theirs);
    if (!fresh) at->second = at->second.unionWith(theirs);
  }
  return out;
}

FieldSet FieldSet::intersectionWith(const FieldSet& other) const {
  FieldSet out;
  out.member = member && other.member;
  for (const auto& [element, ours] : children)
    if (const FieldSet* theirs = other.child(element)) {
      FieldSet both = ours.intersectionWith(*theirs);
      if (!both.empty()) out.children.emplace(element, std::move(both));
    }
  return out;
}

FieldSet FieldSet::minus(const FieldSet& other) const {
  FieldSet out;
  out.member = member && !other.member;
  for (const auto& [element, ours] : children) {
    const FieldSet* theirs = other.child(element);
    FieldSet left = theirs ? ours.minus(*theirs) : ours;
    if (!left.empty()) out.children.emplace(element, std::move(left));
  }
  return out;
}

FieldSet FieldSet::minusRecursively(const FieldSet& other) const {
  FieldSet out;
  if (other.member) return out;
  out.member = member;
  for (const auto& [element, ours] : children) {
    const FieldSet* theirs = other.child(element);
    FieldSet left = theirs ? ours.minusRecursively(*theirs) : ours;
    if (!left.empty()) out.children.emplace(element, std::move(left));
  }
  return out;
}

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> out;
  collectPaths(*this, "", out);
  return out;
}

Result<FieldSet> FieldSet::fromFieldsV1(const Value& fields) {
  FieldSet set;
  if (fields.isNull()) return set;
  TRY(parseInto(set, fields, 0));
  return set;
}

Value FieldSet::toFieldsV1(Arena& arena) const {
  Value map = Value::map();
  if (member && !children.empty()) map.append(arena, ".", Value::map());
  for (const auto& [element, child] : children) map.append(arena, arena.copy(element), child.toFieldsV1(arena));
  return map;
}

std::string fieldElement(std::string_view name) { return concat("f:", name); }
std::string valueElement(const Value& value) { return concat("v:", codec::toJsonSorted(value)); }

std::string keyElement(std::vector<Member> keys) {
  Arena arena;
  return concat("k:", codec::toJsonSorted(Value::mapOf(arena, keys)));
}

std::string pathElementText(std::string_view element) {
  std::string_view content = element.substr(2);
  if (element[0] == 'f') return concat(".", content);
  if (element[0] == 'i') return concat("[", content, "]");
  Arena arena;
  auto value = codec::parseJson(content, arena);
  if (!value.ok()) return concat("[", content, "]");
  if (element[0] == 'v') return concat("[=", scalarText(*value), "]");
  std::vector<std::string> parts;
  for (const Member& member : value->members()) parts.push_back(concat(member.key, "=", scalarText(member.value)));
  return concat("[", join(parts, ","), "]");
}

}  // namespace skiff::api
