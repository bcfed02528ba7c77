#include "apiserver/fresh_requests.h"

#include <condition_variable>

#include "apiserver/status.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

// Reads from memory: more threads than cores would not make them faster.
constexpr size_t kReaders = 8;
constexpr size_t kMaxQueuedReads = 20000;

bool isRead(std::string_view verb) { return verb == "get" || verb == "list" || verb == "watch"; }

}  // namespace

FreshRequests::FreshRequests(store::Store& store) : store_(store) {
  if (store.shared()) readers_ = rt::Executor::create({.name = "reader", .maxThreads = kReaders, .maxQueue = kMaxQueuedReads});
}

void FreshRequests::stop() {
  {
    std::lock_guard lock(gate_->mutex);
    gate_->stopped = true;
  }
  if (readers_) readers_->stop();
}

// A version that the client names says how new the state must be; without one it means now.
bool FreshRequests::mustWait(const Exchange& exchange) const {
  if (!store_.shared()) return false;
  if (!isRead(exchange.info.verb)) return true;
  auto version = parseUint(exchange.query.get("resourceVersion"));
  if (!version) return true;
  return exchange.info.verb == "list" && *version > static_cast<uint64_t>(store_.revision());
}

void FreshRequests::whenFresh(const ExchangePtr& exchange, Then then, UniqueFunction<void()> serve) {
  if (exchange->inProcess()) return waitHere(exchange, std::move(serve));
  rt::Executor* readers = then == Then::Work ? readers_.get() : nullptr;
  auto task = std::make_shared<UniqueFunction<void()>>(std::move(serve));
  store_.whenFresh([gate = gate_, exchange, readers, task](Status fresh) {
    std::lock_guard lock(gate->mutex);
    if (gate->stopped) return;
    if (!fresh.ok()) return exchange->fail(fresh.error());
    if (!readers) return (*task)();
    if (!readers->submit([task] { (*task)(); }))
      exchange->fail(tooManyRequests("Too many requests, please try again later.", 1));
  });
}

void FreshRequests::probe(UniqueFunction<void(bool)> tell) {
  bool ask = store_.shared();
  if (ask) {
    std::lock_guard lock(gate_->mutex);
    ask = !gate_->stopped;
  }
  if (!ask) return tell(true);
  auto task = std::make_shared<UniqueFunction<void(bool)>>(std::move(tell));
  store_.whenFresh([gate = gate_, task](Status fresh) {
    std::lock_guard lock(gate->mutex);
    if (!gate->stopped) (*task)(fresh.ok());
  });
}

void FreshRequests::waitHere(const ExchangePtr& exchange, UniqueFunction<void()> serve) {
  struct Proof {
    std::mutex mutex;  // guards the result
    std::condition_variable changed;
    std::optional<Status> result;
  };
  auto proof = std::make_shared<Proof>();
  store_.whenFresh([proof](Status fresh) {
    {
      std::lock_guard lock(proof->mutex);
      proof->result = std::move(fresh);
    }
    proof->changed.notify_all();
  });
  std::unique_lock lock(proof->mutex);
  proof->changed.wait(lock, [&] { return proof->result.has_value(); });
  if (!proof->result->ok()) return exchange->fail(proof->result->error());
  lock.unlock();
  serve();
}

}  // namespace skiff::apiserver
