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
  switch (element.empty() ? '?' : element[0]) {
    case 'f': return 0;
    case 'k': return 1;
    case 'v': return 2;
    case 'i': return 3;
    default: return 4;
  }
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

// The end of plain text in quotes at the beginning of `text`: 0 when there is none, or it may have another spelling.
size_t plainStringEnd(std::string_view text) {
  if (!text.starts_with('"')) return 0;
  size_t end = 1;
  while (end < text.size() && text[end] >= ' ' && text[end] < 0x7f && std::string_view("\"\\<>&").find(text[end]) == std::string_view::npos)
    ++end;
  return end < text.size() && text[end] == '"' ? end + 1 : 0;
}

// {"name":"a"}, as most keys of list items are: one member that can be spelt in one way only.
bool isPlainKey(std::string_view content) {
  if (!content.starts_with('{')) return false;
  content.remove_prefix(1);
  size_t name = plainStringEnd(content);
  if (name == 0 || !content.substr(name).starts_with(':')) return false;
  content.remove_prefix(name + 1);
  size_t value = plainStringEnd(content);
  return value != 0 && content.substr(value) == "}";
}

// The element in our spelling: stored ones may have been written by others.
Result<std::string> canonicalElement(std::string_view text) {
  auto malformed = [&] { return badRequest(concat("unsupported field path element ", quoted(text))); };
  if (text.size() < 2 || text[1] != ':') return malformed();
  std::string_view content = text.substr(2);
  if (text[0] == 'f') return std::string(text);
  if (text[0] == 'i') return parseInt(content) ? Result<std::string>(std::string(text)) : malformed();
  bool plain = text[0] == 'k' ? isPlainKey(content) : text[0] == 'v' && plainStringEnd(content) == content.size();
  if (plain && !content.empty()) return std::string(text);
  Arena arena;
  auto value = codec::parseJson(content, arena, {.maxDepth = kMaxDepth});
  if (!value.ok()) return malformed();
  if (text[0] == 'v') return valueElement(*value);
  if (text[0] != 'k' || !value->isMap() || value->empty()) return malformed();
  auto members = value->members();
  return keyElement({members.begin(), members.end()});
}

// Reads FieldsV1 as servers write it: on one line, of ASCII, no escapes but \", each element once. Anything else is for who
// knows all of JSON.
class PlainReader {
 public:
  explicit PlainReader(std::string_view text) : text_(text) {}
  bool readWhole(FieldSet& set) { return read(set, 0) && at_ == text_.size(); }

 private:
  bool read(FieldSet& set, int depth) {
    if (depth > kMaxDepth || !take('{')) return false;
    if (take('}')) return true;
    do {
      std::string element;
      if (!readString(element) || !take(':') || !readMember(std::move(element), set, depth)) return false;
    } while (take(','));
    size_t count = set.children.size();
    set.settle();
    return set.children.size() == count && take('}');
  }

  bool readMember(std::string element, FieldSet& set, int depth) {
    if (element == ".") {
      set.member = true;
      return take('{') && take('}');
    }
    if (!element.starts_with("f:")) {
      auto canonical = canonicalElement(element);
      if (!canonical.ok()) return false;
      element = std::move(*canonical);
    }
    if (set.children.empty()) set.children.reserve(4);
    FieldSet& child = set.append(std::move(element));
    if (!read(child, depth + 1)) return false;
    if (child.children.empty()) child.member = true;  // {} is the path itself
    return true;
  }

  bool readString(std::string& out) {
    if (!take('"')) return false;
    for (size_t start = at_; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c < ' ' || c == 0x7f) return false;  // beyond ASCII too: chars are signed
      if (c == '"') {
        out.append(text_, start, at_++ - start);
        return true;
      }
      if (c != '\\') continue;
      out.append(text_, start, at_++ - start);
      if (at_ == text_.size() || text_[at_] != '"') return false;
      start = at_;
    }
    return false;
  }

  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

Status parseInto(FieldSet& set, const Value& fields, int depth) {
  if (!fields.isMap()) return badRequest("fieldsV1 must be a map");
  if (depth > kMaxDepth) return badRequest("fieldsV1 is nested too deeply");
  for (const Member& member : fields.members()) {
    if (member.key == ".") {
      set.member = true;
      continue;
    }
    FieldSet& child = set.append(TRY(canonicalElement(member.key)));
    TRY(parseInto(child, member.value, depth + 1));
    if (child.children.empty()) child.member = true;  // {} is the path itself
  }
  set.settle();
  return okStatus();
}

void writeFieldsV1(const FieldSet& set, std::string& out) {
  char before = '{';
  if (set.member && !set.children.empty()) {
    out += "{\".\":{}";
    before = ',';
  }
  for (const auto& [element, child] : set.children) {
    out += before;
    codec::writeJsonString(out, element);
    out += ':';
    writeFieldsV1(child, out);
    before = ',';
  }
  out += before == '{' ? "{}" : "}";
}

bool childLess(const FieldSet::Child& a, const FieldSet::Child& b) { return pathElementLess(a.element, b.element); }

}  // namespace

bool pathElementLess(std::string_view a, std::string_view b) {
  int rankA = rankOf(a), rankB = rankOf(b);
  if (rankA != rankB) return rankA < rankB;
  if (!isListElement(a)) return a < b;
  size_t at = size_t(std::ranges::mismatch(a, b).in1 - a.begin());
  std::string_view numberA = numberAround(a, at), numberB = numberAround(b, at);
  if (!numberA.empty() && !numberB.empty() && numberA.size() != numberB.size()) return numberA.size() < numberB.size();
  return a < b;
}

const FieldSet* FieldSet::child(std::string_view element) const {
  auto at = std::ranges::lower_bound(children, element, pathElementLess, &Child::element);
  return at == children.end() || at->element != element ? nullptr : &at->set;
}

FieldSet& FieldSet::at(std::string_view element) {
  auto at = std::ranges::lower_bound(children, element, pathElementLess, &Child::element);
  if (at == children.end() || at->element != element) at = children.insert(at, Child{std::string(element), {}});
  return at->set;
}

FieldSet& FieldSet::append(std::string element) { return children.emplace_back(Child{std::move(element), {}}).set; }

void FieldSet::settle() {
  if (!std::ranges::is_sorted(children, childLess)) std::ranges::sort(children, childLess);
  auto same = [](const Child& a, const Child& b) { return a.element == b.element; };
  auto last = std::ranges::adjacent_find(children, same);
  if (last == children.end()) return;
  for (auto next = std::next(last); next != children.end(); ++next) {
    if (same(*last, *next)) last->set.add(std::move(next->set));
    else if (++last != next) *last = std::move(*next);
  }
  children.erase(std::next(last), children.end());
}

void FieldSet::add(FieldSet other) {
  member |= other.member;
  if (other.children.empty()) return;
  if (children.empty()) {
    children = std::move(other.children);
    return;
  }
  std::vector<Child> both;
  both.reserve(children.size() + other.children.size());
  auto theirs = other.children.begin();
  for (Child& ours : children) {
    while (theirs != other.children.end() && childLess(*theirs, ours)) both.push_back(std::move(*theirs++));
    if (theirs != other.children.end() && theirs->element == ours.element) ours.set.add(std::move((theirs++)->set));
    both.push_back(std::move(ours));
  }
  std::move(theirs, other.children.end(), std::back_inserter(both));
  children = std::move(both);
}

void FieldSet::subtract(const FieldSet& other) {
  member = member && !other.member;
  if (other.children.empty()) return;
  std::erase_if(children, [&](Child& ours) {
    if (const FieldSet* theirs = other.child(ours.element)) ours.set.subtract(*theirs);
    return ours.set.empty();
  });
}

void FieldSet::subtractRecursively(const FieldSet& other) {
  if (other.member) {
    *this = {};
    return;
  }
  if (other.children.empty()) return;
  std::erase_if(children, [&](Child& ours) {
    if (const FieldSet* theirs = other.child(ours.element)) ours.set.subtractRecursively(*theirs);
    return ours.set.empty();
  });
}

FieldSet FieldSet::intersectionWith(const FieldSet& other) const {
  FieldSet out;
  out.member = member && other.member;
  if (other.children.empty()) return out;
  for (const auto& [element, ours] : children) {
    const FieldSet* theirs = other.child(element);
    if (!theirs) continue;
    FieldSet both = ours.intersectionWith(*theirs);
    if (!both.empty()) out.append(element) = std::move(both);
  }
  return out;
}

bool FieldSet::covers(const FieldSet& other) const {
  if (other.member && !member) return false;
  return std::ranges::all_of(other.children, [this](const Child& theirs) {
    const FieldSet* ours = child(theirs.element);
    return ours && ours->covers(theirs.set);
  });
}

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> out;
  collectPaths(*this, "", out);
  return out;
}

Result<FieldSet> FieldSet::fromFieldsV1(const Value& fields) {
  FieldSet set;
  if (fields.isNull()) return set;
  if (fields.isRaw()) {
    if (PlainReader(fields.asRaw()).readWhole(set)) return set;
    set = {};
  }
  Arena arena;
  Value tree = fields;
  if (fields.isRaw()) tree = TRY(codec::parseJson(fields.asRaw(), arena, {.copyStrings = false}));
  TRY(parseInto(set, tree, 0));
  return set;
}

Value FieldSet::toFieldsV1(Arena& arena) const {
  std::string json;
  json.reserve(1024);  // those of most objects
  writeFieldsV1(*this, json);
  return Value::raw(arena.copy(json));
}

std::string fieldElement(std::string_view name) { return concat("f:", name); }
std::string valueElement(const Value& value) { return concat("v:", codec::toJsonSorted(value)); }

std::string keyElement(std::vector<Member> keys) {
  std::ranges::sort(keys, {}, &Member::key);
  std::string out = "k:";
  char before = '{';
  for (const Member& member : keys) {
    out += std::exchange(before, ',');
    codec::writeJsonString(out, member.key);
    out += ':';
    if (member.value.isString()) codec::writeJsonString(out, member.value.asString());
    else out += codec::toJsonSorted(member.value);
  }
  return out += keys.empty() ? "{}" : "}";
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
