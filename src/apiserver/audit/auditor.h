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

  void received(Exchange& exchange);         // its caller is known
  void unauthenticated(Exchange& exchange);  // its caller is not; the answer is 401
  void started(const Exchange& exchange, int status);   // the head of a long answer is sent
  void complete(const Exchange& exchange, int status);
  void writeMetrics(std::string& out) const;
  void stop();

 private:
  Auditor(Policy policy, const Clock& clock) : policy_(std::move(policy)), clock_(clock) {}
  bool begin(Exchange& exchange);
  void tell(const Exchange& exchange, Stage stage, int status);
  void annotate(const Exchange& exchange) const;

  const Policy policy_;
  const Clock& clock_;
  std::vector<std::unique_ptr<EventQueue>> sinks_;
  bool legacyLog_ = false;  // of the first sink
  std::atomic<uint64_t> events_ = 0;
  std::array<std::atomic<uint64_t>, 4> levels_{};
};

}  // namespace skiff::apiserver::audit
