// Where other servers write to the same store, a request must not be answered from a state that is older than what any
// of them has told a client before. It waits here until the state in memory is proven to be new enough.
#pragma once
#include <memory>
#include <mutex>

#include "apiserver/exchange.h"
#include "rt/executor.h"
#include "store/store.h"

namespace skiff::apiserver {

class FreshRequests {
 public:
  explicit FreshRequests(store::Store& store);
  ~FreshRequests() { stop(); }
  void stop();

  // False where the client is content with what is here, and where nobody else writes.
  bool mustWait(const Exchange& exchange) const;
  enum class Then {
    Work,    // `serve` takes time: it runs on a worker of this object's
    HandOn,  // it only hands the request on
  };
  // Callers in the process wait in their own thread, others nowhere. Without proof the exchange gets the error.
  void whenFresh(const ExchangePtr& exchange, Then then, UniqueFunction<void()> serve);
  // Whether there is such a proof just now; `tell` must not take time.
  void probe(UniqueFunction<void(bool)> tell);

 private:
  // Outlives this object: the store may call back late.
  struct Gate {
    std::mutex mutex;  // guards the below; held while a request goes through
    bool stopped = false;
  };
  void waitHere(const ExchangePtr& exchange, UniqueFunction<void()> serve);

  store::Store& store_;
  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::unique_ptr<rt::Executor> readers_;
};

}  // namespace skiff::apiserver
