#include "apiserver/flow/priority_level.h"

#include <algorithm>

namespace skiff::apiserver::flow {
namespace {
double secondsBetween(SteadyTime from, SteadyTime to) { return std::chrono::duration<double>(to - from).count(); }
}  // namespace

Seat::~Seat() {
  // A request that was dropped without an answer: what it really cost is unknown, so the time it began stands for the end.
  if (schema_) schema_->level->leave(*this, started_);
}

void Seat::release(SteadyTime now) {
  if (schema_) schema_->level->leave(*this, now);
}

PriorityLevel::PriorityLevel(LevelConfig config, Runner runner) : name_(config.name), runner_(std::move(runner)) { configure(config); }

PriorityLevel::~PriorityLevel() = default;

void PriorityLevel::configure(const LevelConfig& config) {
  std::lock_guard lock(mutex_);
  exempt_ = config.exempt;
  queueLengthLimit_ = config.queueLengthLimit;
  auto wanted = size_t(config.exempt ? 0 : config.queues);
  if (queues_.size() == wanted) return;
  // Who waits is dealt to the new queues by the number of the old one; what runs is no longer any queue's.
  std::vector<Queue> old = std::exchange(queues_, std::vector<Queue>(std::max<size_t>(wanted, waiting_ > 0 ? 1 : 0)));
  for (Seat* seat = seated_.front(); seat; seat = Seats::after(*seat)) seat->queue_ = Seat::kNoQueue;
  for (size_t i = 0; i < old.size(); ++i)
    while (Seat* seat = old[i].waiting.front()) {
      old[i].waiting.remove(*seat);
      seat->queue_ = uint32_t(i % queues_.size());
      Queue& queue = queues_[seat->queue_];
      queue.waiting.pushBack(*seat);
      ++queue.length;
      queue.waitingSeats += seat->work_.seats;
      queue.next = now_;
    }
}

void PriorityLevel::setLimit(int seats, SteadyTime now) {
  ReadyList ready;
  {
    std::lock_guard lock(mutex_);
    limit_ = seats;
    dispatch(now, ready);
  }
  run(std::move(ready));
}

// A request wider than the level enters when it is alone; a queued one only into a level that has a seat at all.
bool PriorityLevel::fits(int seats) const {
  if (exempt_) return true;
  return seats_ + seats <= limit_ || (seats_ == 0 && (queues_.empty() || limit_ > 0));
}

uint32_t PriorityLevel::choose(const Hand& hand) const {
  uint32_t best = Seat::kNoQueue;
  int least = 0;
  for (uint32_t card : hand.queues()) {
    if (card >= queues_.size()) continue;  // dealt before the queues became fewer
    int load = queues_[card].seats + queues_[card].waitingSeats;
    if (best == Seat::kNoQueue || load < least) best = card, least = load;
  }
  return best == Seat::kNoQueue && !queues_.empty() ? 0 : best;
}

void PriorityLevel::fill(Seat& seat, const Flow& flow, const Exchange* exchange, Work work, SteadyTime now) {
  if (!seat.schema_) seat.schema_ = flow.schema();
  seat.exchange_ = exchange;
  seat.arrived_ = now;
  seat.work_ = work;
}

void PriorityLevel::begin(Seat& seat, SteadyTime now) {
  seat.state_ = Seat::State::Seated;
  seat.started_ = now;
  seated_.pushBack(seat);
  seats_ += seat.work_.seats;
  ++executing_;
  ++dispatched_;
  if (seat.queue_ != Seat::kNoQueue) {
    Queue& queue = queues_[seat.queue_];
    ++queue.executing;
    queue.seats += seat.work_.seats;
    now_ = std::max(now_, queue.next);
    queue.next += seat.work_.seats * seat.work_.seconds;
  }
  FlowStats& stats = *seat.schema_->stats;
  ++stats.dispatched;
  ++stats.executing;
  stats.executingSeats += seat.work_.seats;
  stats.seats.add(kSeatBuckets, seat.work_.seats);
}

bool PriorityLevel::enter(Seat& seat, const Flow& flow, const Exchange* exchange, Work work, SteadyTime now) {
  std::lock_guard lock(mutex_);
  observe(now);
  if (!exempt_ && (waiting_ > 0 || !fits(work.seats))) {
    demand_.peak(seats_ + waitingSeats_ + work.seats);
    return false;
  }
  fill(seat, flow, exchange, work, now);
  seat.queue_ = choose(flow.hand());
  if (seat.queue_ != Seat::kNoQueue) queues_[seat.queue_].next = std::max(queues_[seat.queue_].next, now_);
  begin(seat, now);
  observe(now);
  return true;
}

bool PriorityLevel::park(Seat& seat, const Flow& flow, const Exchange* exchange, Work work, SteadyTime now, SteadyTime deadline,
                         Resume resume) {
  ReadyList ready;
  {
    std::lock_guard lock(mutex_);
    FlowStats& stats = *flow.schema()->stats;
    fill(seat, flow, exchange, work, now);
    uint32_t index = choose(flow.hand());
    bool alone = waiting_ == 0 && fits(work.seats);  // seats became free since it was turned away
    if (!alone && (stopped_ || index == Seat::kNoQueue || queues_[index].length >= queueLengthLimit_)) {
      ++rejected_;
      ++(index == Seat::kNoQueue ? stats.noSeat : stats.queueFull);
      seat.state_ = Seat::State::Gone;
      return false;
    }
    seat.queue_ = index;
    seat.deadline_ = deadline;
    seat.resume_ = std::move(resume);
    if (index == Seat::kNoQueue) {
      begin(seat, now);
      ready.push_back({std::move(seat.resume_), Outcome::Seated});
    } else {
      Queue& queue = queues_[index];
      // An idle queue has saved nothing up: it starts where the others are.
      if (queue.length == 0) queue.next = std::max(queue.next, now_);
      queue.waiting.pushBack(seat);
      seat.state_ = Seat::State::Waiting;
      ++queue.length;
      queue.waitingSeats += work.seats;
      ++waiting_;
      waitingSeats_ += work.seats;
      ++stats.waiting;
      stats.waitingSeats += work.seats;
      stats.queueLength.add(kLengthBuckets, queue.length);
    }
    dispatch(now, ready);
    observe(now);
  }
  run(std::move(ready));
  return true;
}

// Of a waiting one: its place in the queue is given up.
void PriorityLevel::unqueue(Seat& seat) {
  Queue& queue = queues_[seat.queue_];
  queue.waiting.remove(seat);
  --queue.length;
  queue.waitingSeats -= seat.work_.seats;
  --waiting_;
  waitingSeats_ -= seat.work_.seats;
  --seat.schema_->stats->waiting;
  seat.schema_->stats->waitingSeats -= seat.work_.seats;
}

void PriorityLevel::dispatch(SteadyTime now, ReadyList& ready) {
  while (waiting_ > 0) {
    Queue* next = nullptr;
    for (Queue& queue : queues_)
      if (queue.length > 0 && (!next || queue.next < next->next)) next = &queue;
    Seat& seat = *next->waiting.front();
    if (!fits(seat.work_.seats)) return;
    unqueue(seat);
    begin(seat, now);
    seat.schema_->stats->waited.add(kWaitBuckets, secondsBetween(seat.arrived_, now));
    ready.push_back({std::move(seat.resume_), Outcome::Seated});
  }
}

void PriorityLevel::leave(Seat& seat, SteadyTime now) {
  ReadyList ready;
  {
    std::lock_guard lock(mutex_);
    if (seat.state_ != Seat::State::Seated) return;
    seat.state_ = Seat::State::Gone;
    seated_.remove(seat);
    seats_ -= seat.work_.seats;
    --executing_;
    double took = secondsBetween(seat.started_, std::max(now, seat.started_));
    if (seat.queue_ != Seat::kNoQueue) {
      Queue& queue = queues_[seat.queue_];
      --queue.executing;
      queue.seats -= seat.work_.seats;
      queue.next += seat.work_.seats * (took - seat.work_.seconds);
    }
    FlowStats& stats = *seat.schema_->stats;
    --stats.executing;
    stats.executingSeats -= seat.work_.seats;
    stats.executed.add(kWaitBuckets, took);
    dispatch(now, ready);
    observe(now);
  }
  if (!ready.empty()) run(std::move(ready));
}

void PriorityLevel::giveUp(Seat& seat, Outcome outcome, SteadyTime now, ReadyList& ready) {
  FlowStats& stats = *seat.schema_->stats;
  unqueue(seat);
  seat.state_ = Seat::State::Gone;
  stats.rejectedWaits.add(kWaitBuckets, secondsBetween(seat.arrived_, std::max(now, seat.arrived_)));
  ++(outcome == Outcome::TimedOut ? timedOut_ : cancelled_);
  ++(outcome == Outcome::TimedOut ? stats.timedOut : stats.cancelled);
  ready.push_back({std::move(seat.resume_), outcome});
}

bool PriorityLevel::sweep(SteadyTime now, const std::function<bool(const Exchange&)>& gone) {
  ReadyList ready;
  bool some = false;
  {
    std::lock_guard lock(mutex_);
    for (Queue& queue : queues_)
      for (Seat* seat = queue.waiting.front(); seat;) {
        Seat* next = Seats::after(*seat);
        if (now >= seat->deadline_) giveUp(*seat, Outcome::TimedOut, now, ready);
        else if (seat->exchange_ && gone(*seat->exchange_)) giveUp(*seat, Outcome::Cancelled, now, ready);
        seat = next;
      }
    dispatch(now, ready);
    observe(now);
    some = waiting_ > 0;
  }
  run(std::move(ready));
  return some;
}

void PriorityLevel::stop() {
  ReadyList ready;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    for (Queue& queue : queues_)
      while (Seat* seat = queue.waiting.front()) giveUp(*seat, Outcome::Cancelled, seat->arrived_, ready);
  }
  run(std::move(ready));
}

void PriorityLevel::run(ReadyList ready) {
  for (Ready& one : ready)
    runner_([resume = std::move(one.resume), outcome = one.outcome]() mutable { resume(outcome); });
}

SeatDemand::Period PriorityLevel::finishPeriod(SteadyTime now) {
  std::lock_guard lock(mutex_);
  return demand_.finish(now);
}

bool PriorityLevel::wants(int nominal) const {
  std::lock_guard lock(mutex_);
  return !exempt_ && (waiting_ > 0 || seats_ > nominal);
}

void PriorityLevel::read(const std::function<void()>& reader) const {
  std::lock_guard lock(mutex_);
  reader();
}

PriorityLevel::Report PriorityLevel::report(const std::function<void(const Exchange&, const FlowSchema&, SeatReport&)>& describe) const {
  std::lock_guard lock(mutex_);
  Report out;
  out.waiting = waiting_;
  out.executing = executing_;
  out.seats = seats_;
  out.limit = limit_;
  out.dispatched = dispatched_;
  out.rejected = rejected_;
  out.timedOut = timedOut_;
  out.cancelled = cancelled_;
  out.virtualTime = now_;
  out.exempt = exempt_;
  out.stopped = stopped_;
  auto add = [&](const Seat& seat, int index) {
    SeatReport one;
    one.schema = seat.schema_->config.name;
    one.queue = seat.queue_ == Seat::kNoQueue ? -1 : int(seat.queue_);
    one.index = index;
    one.arrived = seat.arrived_;
    one.started = seat.started_;
    one.seated = seat.state_ == Seat::State::Seated;
    one.seats = seat.work_.seats;
    if (seat.exchange_) describe(*seat.exchange_, *seat.schema_, one);
    out.requests.push_back(std::move(one));
  };
  for (size_t i = 0; i < queues_.size(); ++i) {
    const Queue& queue = queues_[i];
    double work = 0;
    int at = 0;
    for (const Seat* seat = queue.waiting.front(); seat; seat = Seats::after(*seat)) {
      work += seat->work_.seats * seat->work_.seconds;
      if (describe) add(*seat, at++);
    }
    out.activeQueues += queue.length > 0 || queue.executing > 0;
    out.queues.push_back({i, queue.length, queue.executing, queue.seats, queue.waitingSeats, queue.next, work});
  }
  if (describe)
    for (const Seat* seat = seated_.front(); seat; seat = Seats::after(*seat)) add(*seat, -1);
  return out;
}

}  // namespace skiff::apiserver::flow
