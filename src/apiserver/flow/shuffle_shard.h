// Shuffle sharding: a flow's hash deals it a hand of distinct queues out of all. Two flows seldom share all of theirs, so that
// a heavy one leaves the others at least one queue that it does not fill.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#queuing
#pragma once
#include <array>
#include <cstdint>
#include <span>

namespace skiff::apiserver::flow {

struct Hand {
  // Validation bounds queues^handSize by 2^60, which no larger hand of more than two queues fits.
  static constexpr int kMax = 60;
  std::array<uint32_t, kMax> queue{};
  int size = 0;
  std::span<const uint32_t> queues() const { return {queue.data(), size_t(size)}; }
};

Hand dealHand(uint64_t hash, int queues, int handSize);

}  // namespace skiff::apiserver::flow
