// Where audit events go.
#pragma once
#include <memory>
#include <span>
#include <string>

#include "apiserver/audit/audit_options.h"
#include "base/clock.h"
#include "base/result.h"

namespace skiff::apiserver::audit {

class Sink {
 public:
  virtual ~Sink() = default;
  virtual std::string_view name() const = 0;  // as a label: "log", "webhook"
  // Whole events, one line each, without newlines. One call at a time.
  virtual Status write(std::span<const std::string> events) = 0;
};

// A file that is rotated by size; old ones are removed by number and age, and compressed if asked.
Result<std::unique_ptr<Sink>> logSink(const AuditOptions& options, const Clock& clock);
// An HTTP server that is sent audit.k8s.io/v1 EventLists.
Result<std::unique_ptr<Sink>> webhookSink(const AuditOptions& options);

}  // namespace skiff::apiserver::audit
