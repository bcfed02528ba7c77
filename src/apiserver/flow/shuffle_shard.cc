#include "apiserver/flow/shuffle_shard.h"

#include <algorithm>

namespace skiff::apiserver::flow {

Hand dealHand(uint64_t hash, int queues, int handSize) {
  Hand hand;
  handSize = std::min({handSize, queues, Hand::kMax});
  std::array<uint32_t, Hand::kMax> sorted{};
  for (int i = 0; i < handSize; ++i) {
    // One of the queues that are left, counted without the dealt ones: each dealt one at or below moves it up.
    auto left = uint64_t(queues - i);
    auto card = uint32_t(hash % left);
    hash /= left;
    int at = 0;
    for (; at < i && sorted[size_t(at)] <= card; ++at) ++card;
    std::copy_backward(sorted.begin() + at, sorted.begin() + i, sorted.begin() + i + 1);
    sorted[size_t(at)] = card;
    hand.queue[size_t(i)] = card;
  }
  hand.size = handSize;
  return hand;
}

}  // namespace skiff::apiserver::flow
