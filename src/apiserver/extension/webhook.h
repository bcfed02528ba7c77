// One webhook of a configuration: what it wants to see, and one call of it.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/extension/expressions.h"
#include "apiserver/extension/request_match.h"
#include "apiserver/extension/webhook_client.h"
#include "apiserver/extension/webhook_metrics.h"
#include "apiserver/request.h"

namespace skiff::apiserver::extension {

struct Webhook {
  std::string configuration, name;
  RequestMatch match;
  std::vector<MatchCondition> conditions;
  codec::DocumentPtr document;  // keeps `client` alive
  const codec::Value* client = nullptr;
  std::chrono::seconds timeout{10};
  bool failsOpen = false;       // failurePolicy Ignore
  bool reinvoked = false;       // reinvocationPolicy IfNeeded
  bool sideEffects = false;     // it must not see dry runs
  std::string reviewVersion;    // "v1" or "v1beta1"
  std::string problem;          // the configuration cannot be used

  std::string key() const { return configuration + "/" + name; }
};
using Webhooks = std::vector<Webhook>;

// All webhooks of all configurations of a kind, in the order in which they are called.
Webhooks loadWebhooks(const ClusterReader& cluster, std::string_view resource);

// The decisions of one webhook call. The patch is null unless it mutates.
struct WebhookAnswer {
  std::shared_ptr<codec::Document> document;  // that `patch` lies in
  codec::Value patch;
};

class WebhookCaller {
 public:
  // `metrics`: null when nobody counts.
  WebhookCaller(ClusterReader& cluster, Authorizer& authorizer, WebhookType type, WebhookMetrics* metrics)
      : cluster_(cluster), authorizer_(authorizer), client_(cluster), type_(type), metrics_(metrics) {}

  // What became of asking: Skipped (not matched, or it failed open), or the answer of a webhook that allowed the request.
  // An error refuses the request.
  struct Outcome {
    bool called = false;
    MatchedResource matched;
    WebhookAnswer answer;
  };
  Result<Outcome> call(const Webhook& webhook, const AdmissionRequest& request);

 private:
  Result<std::optional<MatchedResource>> wanted(const Webhook& webhook, const AdmissionRequest& request);
  // `httpStatus`: of the webhook's answer, if there was one.
  Result<WebhookAnswer> ask(const Webhook& webhook, const AdmissionRequest& request, const MatchedResource& matched, int& httpStatus);
  Result<WebhookAnswer> read(const Webhook& webhook, const AdmissionRequest& request,
                             std::shared_ptr<codec::Document> document, std::string_view uid) const;

  ClusterReader& cluster_;
  Authorizer& authorizer_;
  WebhookClient client_;
  const WebhookType type_;
  WebhookMetrics* const metrics_;
};

}  // namespace skiff::apiserver::extension
