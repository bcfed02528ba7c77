// The difference of two texts line by line, as unified diffs show it (POSIX diff -u, without the file names).
#pragma once
#include <string>
#include <vector>

namespace skiff {

// Matching blocks are found as Ratcliff and Obershelp do it, by the longest common run first; that is what Python's and
// Go's difflib do, so the hunks are the same as theirs. `context` lines of what is equal stand around each change. Empty
// when nothing differs. Texts of more than 5000 lines are not searched: all between their equal ends is one change. Lines
// come without their newline.
std::string unifiedDiff(const std::vector<std::string>& before, const std::vector<std::string>& after, size_t context = 3);

}  // namespace skiff
