#include "apiserver/strict_decoding.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Member;
using codec::Value;

struct Problem {
  size_t offset = 0;
  std::string text;
};

// The path in `unknown field "spec.a[0].b"`.
std::string_view pathOf(std::string_view problem) {
  size_t open = problem.find('"');
  if (open == std::string_view::npos || !problem.ends_with('"')) return {};
  return problem.substr(open + 1, problem.size() - open - 2);
}

// Where the key at the end of `path` stands in `text`, which the tree's keys point into. Keys may hold dots themselves: every
// key that begins the path is tried.
std::optional<size_t> offsetOf(const Value& value, std::string_view path, std::string_view text) {
  if (path.starts_with('[')) {
    size_t close = path.find(']');
    auto index = close == std::string_view::npos ? std::nullopt : parseUint(path.substr(1, close - 1));
    if (!index || *index >= value.size()) return std::nullopt;
    return offsetOf(value.at(size_t(*index)), path.substr(close + 1), text);
  }
  if (path.starts_with('.')) path.remove_prefix(1);
  for (const Member& member : value.members()) {
    if (!path.starts_with(member.key)) continue;
    std::string_view rest = path.substr(member.key.size());
    if (rest.empty()) {
      bool inside = member.key.data() >= text.data() && member.key.data() < text.data() + text.size();
      return inside ? std::optional(size_t(member.key.data() - text.data())) : std::nullopt;
    }
    if (!rest.starts_with('.') && !rest.starts_with('[')) continue;
    if (auto found = offsetOf(member.value, rest, text)) return found;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> strictProblems(std::string_view json, std::vector<std::string> duplicates,
                                        std::vector<std::string> unknown) {
  std::vector<Problem> problems;
  codec::Arena arena;
  Value tree;
  std::vector<size_t> offsets(duplicates.size());
  if (!duplicates.empty() && !unknown.empty()) {
    // Only now, as it is rare: the same text again, with its keys left where they stand.
    duplicates.clear();
    offsets.clear();
    codec::JsonOptions options;
    options.copyStrings = false;
    options.duplicates = &duplicates;
    options.duplicateOffsets = &offsets;
    if (auto parsed = codec::parseJson(json, arena, options); parsed.ok()) tree = *parsed;
  }
  for (size_t i = 0; i < duplicates.size(); ++i)
    problems.push_back({offsets[i], concat("duplicate field ", quoted(duplicates[i]))});
  for (std::string& text : unknown) {
    size_t offset = offsetOf(tree, pathOf(text), json).value_or(0);
    problems.push_back({offset, std::move(text)});
  }
  std::ranges::stable_sort(problems, {}, &Problem::offset);
  std::vector<std::string> out;
  for (Problem& problem : problems) out.push_back(std::move(problem.text));
  return out;
}

}  // namespace skiff::apiserver
