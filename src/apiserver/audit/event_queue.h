// Events on their way to a sink. In batch mode they wait in a bounded queue that one thread empties: a sink that is stuck costs
// events (counted as dropped), never the time of requests. In blocking mode they are written by the request's own thread.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apiserver/audit/sink.h"
#include "rt/executor.h"

namespace skiff::apiserver::audit {

class EventQueue {
 public:
  enum class Mode { Batch, Blocking };
  // `maxBatchBytes`: 0 is any number.
  EventQueue(std::unique_ptr<Sink> sink, Mode mode, BatchOptions options, std::chrono::milliseconds firstBackoff, int64_t maxBatchBytes = 0);
  ~EventQueue() { stop(); }
  // Whether the event is written, or will be as far as is known now.
  bool add(std::string event);
  // Written when it returns, in either mode, with one try; false: it is not.
  bool addNow(const std::string& event);
  void drop() { failed_.fetch_add(1); }
  void stop();  // writes what waits, for at most a few seconds
  std::string_view name() const { return sink_->name(); }
  uint64_t failed() const { return failed_.load(); }  // dropped, or refused by the sink

 private:
  void run();
  std::vector<std::string> takeBatch();
  void writeBatch(const std::vector<std::string>& batch);
  bool pause(std::chrono::milliseconds time);
  void throttle();

  const std::unique_ptr<Sink> sink_;
  const Mode mode_;
  const BatchOptions options_;
  const std::chrono::milliseconds firstBackoff_;
  const size_t maxBatchBytes_;
  std::atomic<uint64_t> failed_ = 0;
  std::mutex sinkMutex_;  // one write at a time
  std::mutex mutex_;      // guards what follows
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  bool stopped_ = false;
  double tokens_ = 0;  // of the throttle; the thread's own
  std::chrono::steady_clock::time_point filled_{};
  rt::Thread thread_;
};

}  // namespace skiff::apiserver::audit
