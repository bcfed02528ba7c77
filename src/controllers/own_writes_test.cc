#include "controllers/own_writes.h"

#include <doctest/doctest.h>

using skiff::controllers::OwnWrites;

TEST_CASE("a cache older than the controller's own write is not acted on") {
  OwnWrites writes;
  CHECK(writes.seen("ns/j", "7"));  // nothing written yet
  writes.wrote("ns/j", "10");
  CHECK_FALSE(writes.seen("ns/j", "9"));  // 9 < 10 as numbers
  CHECK(writes.seen("ns/other", "1"));
  CHECK(writes.seen("ns/j", "11"));
  CHECK(writes.seen("ns/j", "9"));  // caught up once: never asked again
  writes.wrote("ns/j", "20");
  writes.forget("ns/j");
  CHECK(writes.seen("ns/j", "1"));
}
