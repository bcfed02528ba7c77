#include "apiserver/warm_objects.h"

#include <doctest/doctest.h>

#include <atomic>

using namespace skiff;
using namespace skiff::apiserver;

namespace {

class Thing final : public Coolable {
 public:
  bool coolUnlessUsed() const override {
    if (used-- > 0) return true;
    cooled.signal(true);
    return false;
  }
  mutable std::atomic<int> used = 0;
  mutable rt::Parker<bool> cooled;
};

}  // namespace

TEST_CASE("what is not used cools, what is used stays warm for another round") {
  WarmObjects warm(std::chrono::milliseconds(1));
  auto cold = std::make_shared<Thing>(), hot = std::make_shared<Thing>();
  hot->used = 3;
  warm.add(hot);
  warm.add(cold);
  CHECK(cold->cooled.wait());
  CHECK(hot->cooled.wait());
  CHECK(hot->used == -1);
}

TEST_CASE("the thread sleeps when all is cold, and wakes for the next") {
  WarmObjects warm(std::chrono::milliseconds(1));
  for (int round = 0; round < 3; ++round) {
    auto thing = std::make_shared<Thing>();
    warm.add(thing);
    CHECK(thing->cooled.wait());
  }
}

TEST_CASE("objects that are gone are forgotten") {
  WarmObjects warm(std::chrono::milliseconds(1));
  warm.add(std::make_shared<Thing>());
  auto last = std::make_shared<Thing>();
  warm.add(last);
  CHECK(last->cooled.wait());
}
