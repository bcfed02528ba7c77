// The audit of a server: decides by the policy, gathers in each Exchange's Record, and tells the sinks at each stage.
// Without a policy there is no auditor and no Record: nothing is spent.
#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/audit/audit_options.h"
#include "apiserver/audit/event_queue.h"
#include "apiserver/audit/policy.h"
#include "apiserver/exchange.h"

namespace skiff::apiserver::audit {

class Auditor {
 public:
  // Null when the options name no policy.
  static Result<std::unique_ptr<Auditor>> create(const AuditOptions& options, const Clock& clock);

  // Its caller is known. False: a sink that must have the event does not, and the request is to be refused.
  [[nodiscard]] bool received(Exchange& exchange);
  // Does received() wait for another machine?
  bool waits() const { return waits_; }
  void unauthenticated(Exchange& exchange);  // its caller is not; the answer is 401
  void started(const Exchange& exchange, int status);   // the head of a long answer is sent
  void complete(const Exchange& exchange, int status);
  static void writeMetrics(const Auditor* auditor, std::string& out);  // null: nothing is audited
  void stop();

 private:
  Auditor(Policy policy, const Clock& clock) : policy_(std::move(policy)), clock_(clock) {}
  bool begin(Exchange& exchange);
  bool tell(const Exchange& exchange, Stage stage, int status);
  void annotate(const Exchange& exchange) const;

  const Policy policy_;
  const Clock& clock_;
  struct Output {
    std::unique_ptr<EventQueue> queue;
    bool legacy = false;         // lines instead of JSON
    bool strict = false;         // without its RequestReceived a request is refused
    size_t maxEventBytes = 0;    // 0: any number
  };
  bool tellOne(Output& output, const Exchange& exchange, Stage stage, int status, WallTime now, const std::string& event);
  std::vector<Output> outputs_;
  bool waits_ = false;
  std::atomic<uint64_t> events_ = 0, rejected_ = 0;
  std::array<std::atomic<uint64_t>, 4> levels_{};
};

}  // namespace skiff::apiserver::audit
