// /debug/pprof/ and /debug/flags/: what the process is busy with, in the forms of Go's net/http/pprof.
// Only what we truly know: there is no heap, block or mutex profile.
#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "apiserver/exchange.h"
#include "base/clock.h"
#include "rt/executor.h"

namespace skiff::apiserver {

class Profiling {
 public:
  Profiling(bool enabled, const Clock& clock);
  // False when it is another path. Profiles are made on a thread of their own, one at a time.
  bool serve(const ExchangePtr& exchange);
  void stop();

 private:
  void serveProfile(const ExchangePtr& exchange, const std::string& name);
  void cpu(Exchange& exchange);
  void threads(Exchange& exchange);
  const bool enabled_;
  const Clock& clock_;
  std::atomic<bool> stopping_ = false;
  std::unique_ptr<rt::Executor> worker_;
};

}  // namespace skiff::apiserver
