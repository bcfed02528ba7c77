// Asks the upstream resolvers: plain blocking exchanges with deadlines, for worker threads.
#pragma once
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "dns/answer_cache.h"
#include "dns/message.h"
#include "rt/stop.h"

namespace skiff::dns {

struct UpstreamAddress {
  std::string host;  // an IP address
  uint16_t port = 53;
};
// "10.0.0.1", "10.0.0.1:53", "::1", "[::1]:53"
std::optional<UpstreamAddress> parseUpstream(std::string_view text);
std::vector<std::string> nameserversOf(std::string_view resolvConf);

class Resolver {
 public:
  virtual ~Resolver() = default;
  virtual std::optional<Message> cached(const Message& query) = 0;  // at once
  virtual Result<Message> resolve(const Message& query) = 0;        // blocks for a bounded time
};

class Forwarder final : public Resolver {
 public:
  struct Timing {
    milliseconds attempt{2000};  // for one server; as resolvers do, less than the 5 s a client waits
    milliseconds total{4500};
  };
  Forwarder(std::vector<UpstreamAddress> upstreams, const Clock& clock, Rng& rng)
      : Forwarder(std::move(upstreams), clock, rng, Timing{}) {}
  Forwarder(std::vector<UpstreamAddress> upstreams, const Clock& clock, Rng& rng, Timing timing)
      : upstreams_(std::move(upstreams)), clock_(clock), rng_(rng), timing_(timing), cache_(clock) {}

  std::optional<Message> cached(const Message& query) override { return cache_.get(AnswerCache::keyOf(query)); }
  // The answer of the first server that gives one; SERVFAIL and REFUSED count only when nobody has better.
  Result<Message> resolve(const Message& query) override;
  void stop() { stop_.raise(); }  // resolve() fails at once, a running one at the end of its attempt

 private:
  Result<Message> ask(const UpstreamAddress& upstream, const Message& query, SteadyTime deadline);
  Result<Message> exchange(const UpstreamAddress& upstream, const Message& query, int socketType, SteadyTime deadline);

  const std::vector<UpstreamAddress> upstreams_;
  const Clock& clock_;
  Rng& rng_;
  const Timing timing_;
  AnswerCache cache_;
  rt::StopSignal stop_;
  std::mutex mutex_;       // guards preferred_
  size_t preferred_ = 0;   // the server that answered last is asked first
};

}  // namespace skiff::dns
