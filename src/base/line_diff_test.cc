#include "base/line_diff.h"

#include <doctest/doctest.h>

#include "base/strings.h"

using namespace skiff;

namespace {
std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> out;
  for (std::string_view line : split(text, ' ')) out.emplace_back(line);
  return out;
}
std::string diff(std::string_view before, std::string_view after, size_t context = 3) {
  return unifiedDiff(lines(before), lines(after), context);
}
}  // namespace

TEST_CASE("equal texts have no difference") { CHECK(diff("a b c", "a b c").empty()); }

TEST_CASE("a change stands between lines of context") {
  CHECK(diff("a b c d e f g h i", "a b c d X f g h i") == "@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+X\n f\n g\n h\n");
  CHECK(diff("a b", "a X", 0) == "@@ -2 +2 @@\n-b\n+X\n");
}

TEST_CASE("lines that only one side has") {
  CHECK(diff("a b c", "a c", 1) == "@@ -1,3 +1,2 @@\n a\n-b\n c\n");
  CHECK(diff("a c", "a b c", 0) == "@@ -1,0 +2 @@\n+b\n");
  CHECK(unifiedDiff({}, {"a"}) == "@@ -0,0 +1 @@\n+a\n");
}

TEST_CASE("changes far from each other have hunks of their own, near ones share one") {
  CHECK(diff("1 a b c d e f g 2", "x a b c d e f g y", 2) ==
        "@@ -1,3 +1,3 @@\n-1\n+x\n a\n b\n@@ -7,3 +7,3 @@\n f\n g\n-2\n+y\n");
  CHECK(diff("1 a b 2", "x a b y", 1) == "@@ -1,4 +1,4 @@\n-1\n+x\n a\n b\n-2\n+y\n");
}

TEST_CASE("long texts have one change between their equal ends") {
  std::vector<std::string> before(6000, "same"), after = before;
  before[10] = "a", before[5000] = "b", after[10] = "c", after[5000] = "d";
  std::string all = unifiedDiff(before, after);
  CHECK(all.starts_with("@@ -8,4997 +8,4997 @@\n same\n same\n same\n-a\n-same\n"));
  CHECK(all.ends_with("+same\n+d\n same\n same\n same\n"));
  CHECK(unifiedDiff(before, before).empty());
}

TEST_CASE("the longest common run comes first") {
  CHECK(diff("p q r a b", "a b p q r", 5) == "@@ -1,5 +1,5 @@\n+a\n+b\n p\n q\n r\n-a\n-b\n");
}
