#include "apiserver/strict_decoding.h"

#include <doctest/doctest.h>

using namespace skiff::apiserver;

TEST_CASE("problems stand in the order of the body") {
  auto problems = strictProblems(R"({"spec":{"a":1,"x":1,"a":2,"list":[{"y":1}],"x.z":{"q":1}},"last":1})", {"spec.a"},
                                 {"unknown field \"last\"", "unknown field \"spec.x.z.q\"", "unknown field \"spec.list[0].y\"",
                                  "unknown field \"spec.x\""});
  CHECK(problems == std::vector<std::string>{"unknown field \"spec.x\"", "duplicate field \"spec.a\"",
                                             "unknown field \"spec.list[0].y\"", "unknown field \"spec.x.z.q\"",
                                             "unknown field \"last\""});
}

TEST_CASE("one sort of problems keeps its order") {
  CHECK(strictProblems("{}", {}, {"unknown field \"b\"", "unknown field \"a\""}) ==
        std::vector<std::string>{"unknown field \"b\"", "unknown field \"a\""});
  CHECK(strictProblems(R"({"a":1,"a":2})", {"a"}, {}) == std::vector<std::string>{"duplicate field \"a\""});
}
