#include "api/patch.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Member;
using codec::Value;

namespace {

// Go's %v of a float64: shortest digits, an exponent of two digits below -4 and from 21 on.
std::string goDouble(double number) {
  char text[32];
  auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::scientific).ptr;
  std::string scientific(text, end);
  int exponent = std::atoi(scientific.c_str() + scientific.find('e') + 1);
  return exponent < -4 || exponent >= 21 ? scientific : codec::formatJsonDouble(number);
}

void appendGoText(std::string& out, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Null:
      out += "<nil>";
      return;
    case Value::Kind::Bool:
      out += value.asBool() ? "true" : "false";
      return;
    case Value::Kind::Int:
      out += std::to_string(value.asInt());
      return;
    case Value::Kind::Double:
      out += goDouble(value.asDouble());
      return;
    case Value::Kind::String:
      out += value.asString();
      return;
    case Value::Kind::Raw:
      out += value.asRaw();
      return;
    case Value::Kind::List:
      out += '[';
      for (size_t i = 0; i < value.size(); ++i) {
        if (i > 0) out += ' ';
        appendGoText(out, value.at(i));
      }
      out += ']';
      return;
    case Value::Kind::Map: {
      std::vector<const Member*> sorted;
      for (const Member& member : value.members()) sorted.push_back(&member);
      std::ranges::sort(sorted, {}, &Member::key);
      out += "map[";
      for (size_t i = 0; i < sorted.size(); ++i) {
        if (i > 0) out += ' ';
        out += sorted[i]->key;
        out += ':';
        appendGoText(out, sorted[i]->value);
      }
      out += ']';
    }
  }
}

}  // namespace

std::string goText(const Value& value) {
  std::string out;
  appendGoText(out, value);
  return out;
}

Status checkPatchDepth(const Value& value) {
  struct Level {
    const Value* value;
    int depth;
  };
  std::vector<Level> todo{{&value, 1}};
  while (!todo.empty()) {
    auto [node, depth] = todo.back();
    todo.pop_back();
    if (depth > kMaxPatchDepth) return badRequest(concat("object is nested deeper than ", kMaxPatchDepth, " levels"));
    for (const Value& item : node->items())
      if (!item.empty()) todo.push_back({&item, depth + 1});
    for (const Member& member : node->members())
      if (!member.value.empty()) todo.push_back({&member.value, depth + 1});
  }
  return okStatus();
}

}  // namespace skiff::api
