// One request's place in a priority level: waiting in a queue, then in its seats. A member of the request's Exchange.
#pragma once
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/unique_function.h"

namespace skiff::apiserver {
class Exchange;
}

namespace skiff::apiserver::flow {

struct FlowSchema;

// How costly a request is thought to be.
struct Work {
  int seats = 1;
  double seconds = 0.003;  // as upstream guesses; what it really took is charged to its flow afterwards
};

enum class Outcome { Seated, TimedOut, Cancelled };

class Seat {
 public:
  Seat() = default;
  ~Seat();
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  // Gives the seats back and lets others in. Does nothing when there are none; from any thread.
  void release(SteadyTime now);
  // Null until the request has been classified.
  const FlowSchema* schema() const { return schema_.get(); }
  SteadyTime arrived() const { return arrived_; }
  // How long the request has waited; known when it is seated.
  std::chrono::nanoseconds waited() const { return started_ > arrived_ ? started_ - arrived_ : std::chrono::nanoseconds(0); }

 private:
  friend class PriorityLevel;
  enum class State : uint8_t { None, Waiting, Seated, Gone };
  static constexpr uint32_t kNoQueue = UINT32_MAX;
  std::shared_ptr<const FlowSchema> schema_;  // set once, before anyone else can see the seat
  const Exchange* exchange_ = nullptr;
  SteadyTime arrived_{};
  // Guarded by the level's lock.
  State state_ = State::None;
  Work work_;
  uint32_t queue_ = kNoQueue;
  SteadyTime deadline_{}, started_{};
  Seat *previous_ = nullptr, *next_ = nullptr;  // in its queue, or among those seated
  UniqueFunction<void(Outcome)> resume_;        // of a waiting one; holds the Exchange alive
};

}  // namespace skiff::apiserver::flow
