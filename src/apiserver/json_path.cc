#include "apiserver/json_path.h"

#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Value;
using Found = std::vector<const Value*>;

constexpr size_t kMaxFound = 10000;

void addMember(const Value& value, std::string_view key, Found& out) {
  if (const Value* member = value.find(key)) out.push_back(member);
}

void addAll(const Value& value, Found& out) {
  for (const Value& item : value.items()) out.push_back(&item);
  for (const codec::Member& member : value.members()) out.push_back(&member.value);
}

// "?(@.type=="Ready")"
bool passes(const Value& item, std::string_view filter) {
  auto sides = cut(filter, "==");
  if (!sides) return !findJsonPath(item, trim(filter)).empty();
  std::string_view path = trim(sides->first), wanted = trim(sides->second);
  if (wanted.size() >= 2 && (wanted.front() == '"' || wanted.front() == '\''))
    wanted = wanted.substr(1, wanted.size() - 2);
  for (const Value* found : findJsonPath(item, path)) {
    if (found->isString() && found->asString() == wanted) return true;
    if (found->isInt() && std::to_string(found->asInt()) == wanted) return true;
    if (found->isBool() && wanted == (found->asBool() ? "true" : "false")) return true;
  }
  return false;
}

void addBracket(const Value& value, std::string_view inside, Found& out) {
  if (inside == "*") return addAll(value, out);
  if (inside.starts_with("?(") && inside.ends_with(")")) {
    std::string_view filter = trim(inside.substr(2, inside.size() - 3));
    if (filter.starts_with('@')) filter.remove_prefix(1);
    for (const Value& item : value.items())
      if (passes(item, filter)) out.push_back(&item);
    return;
  }
  if (inside.size() >= 2 && (inside.front() == '\'' || inside.front() == '"'))
    return addMember(value, inside.substr(1, inside.size() - 2), out);
  auto index = parseInt(inside);
  if (!index) return;
  int64_t size = int64_t(value.items().size());
  int64_t at = *index < 0 ? size + *index : *index;
  if (at >= 0 && at < size) out.push_back(&value.items()[size_t(at)]);
}

// The end of a bracket that may hold quoted text.
size_t bracketEnd(std::string_view path, size_t from) {
  char quote = 0;
  for (size_t i = from; i < path.size(); ++i) {
    if (quote) {
      if (path[i] == quote) quote = 0;
    } else if (path[i] == '\'' || path[i] == '"') {
      quote = path[i];
    } else if (path[i] == ']') {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::vector<const Value*> findJsonPath(const Value& root, std::string_view path) {
  if (path.starts_with('{') && path.ends_with('}')) path = path.substr(1, path.size() - 2);
  if (path.starts_with('$')) path.remove_prefix(1);
  Found now{&root};
  size_t at = 0;
  while (at < path.size() && !now.empty() && now.size() <= kMaxFound) {
    Found next;
    if (path[at] == '[') {
      size_t end = bracketEnd(path, at + 1);
      if (end == std::string_view::npos) return {};
      for (const Value* value : now) addBracket(*value, trim(path.substr(at + 1, end - at - 1)), next);
      at = end + 1;
    } else {
      if (path[at] == '.') ++at;
      std::string name;
      while (at < path.size() && path[at] != '.' && path[at] != '[') {
        if (path[at] == '\\' && at + 1 < path.size()) ++at;  // "a\.b" is one name
        name += path[at++];
      }
      if (name.empty()) continue;
      for (const Value* value : now) name == "*" ? addAll(*value, next) : addMember(*value, name, next);
    }
    now = std::move(next);
  }
  return now;
}

}  // namespace skiff::apiserver
