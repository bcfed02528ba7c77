#include "base/line_diff.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "base/strings.h"

namespace skiff {
namespace {

// Lines before[a, a + size) equal after[b, b + size).
struct Block {
  size_t a = 0, b = 0, size = 0;
};

// before[a, aEnd) became after[b, bEnd).
struct Edit {
  bool equal = false;
  size_t a = 0, aEnd = 0, b = 0, bEnd = 0;
};

class Matcher {
 public:
  Matcher(const std::vector<std::string>& before, const std::vector<std::string>& after) : before_(before), after_(after) {
    for (size_t i = 0; i < after.size(); ++i) positions_[after[i]].push_back(i);
    // In long texts a line that stands for more than 1 % of them starts no match: it would cost much and tell little.
    constexpr size_t kLong = 200;
    if (after.size() < kLong) return;
    std::erase_if(positions_, [&](const auto& entry) { return entry.second.size() > after.size() / 100 + 1; });
  }

  std::vector<Edit> edits() const {
    std::vector<Edit> out;
    size_t a = 0, b = 0;
    for (const Block& block : blocks()) {
      if (a < block.a || b < block.b) out.push_back({false, a, block.a, b, block.b});
      a = block.a + block.size, b = block.b + block.size;
      if (block.size > 0) out.push_back({true, block.a, a, block.b, b});
    }
    return out;
  }

 private:
  // Of all longest common runs within the two ranges, the one that starts first.
  Block longest(size_t aLow, size_t aHigh, size_t bLow, size_t bHigh) const {
    Block best{aLow, bLow, 0};
    std::unordered_map<size_t, size_t> runs;  // length of the run that ends at this line of `after`
    for (size_t i = aLow; i < aHigh; ++i) {
      std::unordered_map<size_t, size_t> next;
      if (auto found = positions_.find(before_[i]); found != positions_.end()) {
        for (size_t j : found->second) {
          if (j < bLow) continue;
          if (j >= bHigh) break;
          auto previous = j > 0 ? runs.find(j - 1) : runs.end();
          size_t length = (previous == runs.end() ? 0 : previous->second) + 1;
          next[j] = length;
          if (length > best.size) best = {i + 1 - length, j + 1 - length, length};
        }
      }
      runs.swap(next);
    }
    while (best.a > aLow && best.b > bLow && before_[best.a - 1] == after_[best.b - 1]) --best.a, --best.b, ++best.size;
    while (best.a + best.size < aHigh && best.b + best.size < bHigh &&
           before_[best.a + best.size] == after_[best.b + best.size])
      ++best.size;
    return best;
  }

  // In order, neighbours joined, and an empty one at the end.
  std::vector<Block> blocks() const {
    struct Range {
      size_t aLow, aHigh, bLow, bHigh;
    };
    std::vector<Range> open{{0, before_.size(), 0, after_.size()}};
    std::vector<Block> found;
    while (!open.empty()) {
      Range range = open.back();
      open.pop_back();
      Block block = longest(range.aLow, range.aHigh, range.bLow, range.bHigh);
      if (block.size == 0) continue;
      found.push_back(block);
      if (range.aLow < block.a && range.bLow < block.b) open.push_back({range.aLow, block.a, range.bLow, block.b});
      size_t a = block.a + block.size, b = block.b + block.size;
      if (a < range.aHigh && b < range.bHigh) open.push_back({a, range.aHigh, b, range.bHigh});
    }
    std::ranges::sort(found, {}, [](const Block& block) { return std::pair(block.a, block.b); });
    std::vector<Block> joined;
    for (const Block& block : found) {
      bool adjacent = !joined.empty() && joined.back().a + joined.back().size == block.a &&
                      joined.back().b + joined.back().size == block.b;
      if (adjacent) joined.back().size += block.size;
      else joined.push_back(block);
    }
    joined.push_back({before_.size(), after_.size(), 0});
    return joined;
  }

  const std::vector<std::string>& before_;
  const std::vector<std::string>& after_;
  std::unordered_map<std::string_view, std::vector<size_t>> positions_;  // of each line in `after`
};

// One change between what is equal at both ends: for texts so long that a search would take seconds.
std::vector<Edit> roughEdits(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  size_t shorter = std::min(before.size(), after.size()), head = 0, tail = 0;
  while (head < shorter && before[head] == after[head]) ++head;
  while (tail < shorter - head && before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) ++tail;
  size_t aEnd = before.size() - tail, bEnd = after.size() - tail;
  std::vector<Edit> out;
  if (head > 0) out.push_back({true, 0, head, 0, head});
  if (head < aEnd || head < bEnd) out.push_back({false, head, aEnd, head, bEnd});
  if (tail > 0) out.push_back({true, aEnd, before.size(), bEnd, after.size()});
  return out;
}

// Changes that are near each other share a hunk.
std::vector<std::vector<Edit>> hunksOf(std::vector<Edit> edits, size_t context) {
  std::vector<std::vector<Edit>> hunks;
  if (edits.empty()) return hunks;
  auto keepEnd = [&](Edit& edit) {
    edit.a = std::max(edit.a, edit.aEnd - std::min(edit.aEnd, context));
    edit.b = std::max(edit.b, edit.bEnd - std::min(edit.bEnd, context));
  };
  auto keepStart = [&](Edit& edit) {
    edit.aEnd = std::min(edit.aEnd, edit.a + context);
    edit.bEnd = std::min(edit.bEnd, edit.b + context);
  };
  if (edits.front().equal) keepEnd(edits.front());
  if (edits.back().equal) keepStart(edits.back());
  std::vector<Edit> hunk;
  for (Edit edit : edits) {
    if (edit.equal && edit.aEnd - edit.a > 2 * context) {
      Edit head = edit;
      keepStart(head);
      hunk.push_back(head);
      hunks.push_back(std::exchange(hunk, {}));
      keepEnd(edit);
    }
    hunk.push_back(edit);
  }
  if (!hunk.empty() && !(hunk.size() == 1 && hunk.front().equal)) hunks.push_back(std::move(hunk));
  return hunks;
}

// "3,7"; a range of one line has no length, an empty one is named after the line before it.
std::string rangeText(size_t start, size_t end) {
  size_t length = end - start, first = length == 0 ? start : start + 1;
  return length == 1 ? std::to_string(first) : concat(first, ",", length);
}

// The search may take the square of the lines; a pod of fifty containers has some 2000.
constexpr size_t kMaxSearched = 5000;

}  // namespace

std::string unifiedDiff(const std::vector<std::string>& before, const std::vector<std::string>& after, size_t context) {
  std::string out;
  auto lines = [&](char mark, const std::vector<std::string>& text, size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) out += concat(std::string_view(&mark, 1), text[i], "\n");
  };
  bool tooLong = std::max(before.size(), after.size()) > kMaxSearched;
  auto edits = tooLong ? roughEdits(before, after) : Matcher(before, after).edits();
  for (const std::vector<Edit>& hunk : hunksOf(std::move(edits), context)) {
    const Edit &first = hunk.front(), &last = hunk.back();
    out += concat("@@ -", rangeText(first.a, last.aEnd), " +", rangeText(first.b, last.bEnd), " @@\n");
    for (const Edit& edit : hunk) {
      if (edit.equal) {
        lines(' ', before, edit.a, edit.aEnd);
        continue;
      }
      lines('-', before, edit.a, edit.aEnd);
      lines('+', after, edit.b, edit.bEnd);
    }
  }
  return out;
}

}  // namespace skiff
