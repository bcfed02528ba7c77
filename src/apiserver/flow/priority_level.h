// One PriorityLevelConfiguration at work: a number of seats, and fair queues for who finds none free.
//
// Queues are served by start-time fair queueing in seat-seconds of virtual time: of the queues that wait, the one whose next
// request would start first by its own clock is served. A queue's clock moves by what it dispatches (guessed at first, set right
// when the request has finished), so that flows get the same share of seat-seconds however many or costly their requests are.
//
//   enter ---- seat free, nobody waits ----> Seated --release--> Gone
//     \-- park --> Waiting --seat freed--> Seated
//                    \-- deadline, client gone, stop --> Gone (told by the outcome)
//
// Threads: any; one lock per level, held for well under a microsecond when nobody waits.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apiserver/flow/borrowing.h"
#include "apiserver/flow/classifier.h"
#include "apiserver/flow/seat.h"
#include "apiserver/flow/seat_list.h"

namespace skiff::apiserver::flow {

class PriorityLevel {
 public:
  using Resume = UniqueFunction<void(Outcome)>;
  // Runs what a waiting request goes on with, on some other thread.
  using Runner = std::function<void(UniqueFunction<void()>)>;

  PriorityLevel(LevelConfig config, Runner runner);
  ~PriorityLevel();
  const std::string& name() const { return name_; }

  void configure(const LevelConfig& config);
  void setLimit(int seats, SteadyTime now);

  // Takes the seats if they are free and nobody waits.
  bool enter(Seat& seat, const Flow& flow, const Exchange* exchange, Work work, SteadyTime now);
  // Of a request that may not enter: waits until `deadline`. False: its queue is full, or there are no queues.
  bool park(Seat& seat, const Flow& flow, const Exchange* exchange, Work work, SteadyTime now, SteadyTime deadline, Resume resume);
  void leave(Seat& seat, SteadyTime now);

  // Ends the waiting of those whose deadline has passed, and of whom `gone` says so. True if some wait on.
  bool sweep(SteadyTime now, const std::function<bool(const Exchange&)>& gone);
  void stop();  // ends all waiting, and lets nobody wait any more
  SeatDemand::Period finishPeriod(SteadyTime now);
  bool wants(int nominal) const;  // is the demand more than its own seats?

  struct QueueReport {
    size_t index;
    int waiting, executing, seats, waitingSeats;
    double next, waitingWork;
  };
  struct SeatReport {
    std::string schema, distinguisher;
    int queue = -1, index = -1;  // -1: in none
    SteadyTime arrived, started;
    bool seated = false;
    int seats = 1;
    std::vector<std::string> details;
  };
  struct Report {
    int activeQueues = 0, waiting = 0, executing = 0, seats = 0, limit = 0;
    uint64_t dispatched = 0, rejected = 0, timedOut = 0, cancelled = 0;
    double virtualTime = 0;
    bool exempt = false, stopped = false;
    std::vector<QueueReport> queues;
    std::vector<SeatReport> requests;
  };
  // `describe` fills in the details of a request, under the lock.
  Report report(const std::function<void(const Exchange&, const FlowSchema&, SeatReport&)>& describe = {}) const;
  // Runs under the lock, which guards the stats of all flows of this level.
  void read(const std::function<void()>& reader) const;

 private:
  using Seats = IntrusiveList<Seat, &Seat::previous_, &Seat::next_>;
  struct Queue {
    Seats waiting;
    int length = 0, waitingSeats = 0, executing = 0, seats = 0;
    double next = 0;  // virtual time at which its next request starts
  };
  struct Ready {
    Resume resume;
    Outcome outcome;
  };
  using ReadyList = std::vector<Ready>;

  bool fits(int seats) const;
  uint32_t choose(const Hand& hand) const;
  void fill(Seat& seat, const Flow& flow, const Exchange* exchange, Work work, SteadyTime now);
  void begin(Seat& seat, SteadyTime now);
  void unqueue(Seat& seat);
  void dispatch(SteadyTime now, ReadyList& ready);
  void giveUp(Seat& seat, Outcome outcome, SteadyTime now, ReadyList& ready);
  void observe(SteadyTime now) { demand_.change(now, seats_ + waitingSeats_); }
  void run(ReadyList ready);

  const std::string name_;
  const Runner runner_;
  mutable std::mutex mutex_;  // guards everything below, and the stats of this level's flows
  bool exempt_ = false, stopped_ = false;
  int limit_ = 0, queueLengthLimit_ = 0;
  std::vector<Queue> queues_;
  Seats seated_;
  int seats_ = 0, executing_ = 0, waiting_ = 0, waitingSeats_ = 0;
  double now_ = 0;  // virtual time: the start of the request that was dispatched last
  uint64_t dispatched_ = 0, rejected_ = 0, timedOut_ = 0, cancelled_ = 0;
  SeatDemand demand_;
};

}  // namespace skiff::apiserver::flow
