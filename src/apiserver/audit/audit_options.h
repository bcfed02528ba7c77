// Named as upstream's --audit-* flags, with its defaults.
#pragma once
#include <chrono>
#include <string>

namespace skiff::apiserver::audit {

struct BatchOptions {
  int bufferSize = 10000;  // events that wait; what comes beyond is dropped and counted
  int maxSize = 1;         // events written at a time
  std::chrono::milliseconds maxWait{0};
  bool throttle = false;
  double throttleQps = 0;
  int throttleBurst = 0;
};

// What --audit-webhook-config-file, a kubeconfig, names.
struct WebhookTarget {
  std::string url;  // "": no webhook
  std::string caPem, certPem, keyPem, token, serverName;
  bool insecure = false;
};

struct AuditOptions {
  std::string policyFile;  // "": nothing is audited
  std::string logPath;     // "-": standard output; "": no log
  std::string logFormat = "json";
  std::string logMode = "blocking";
  int logMaxAge = 366, logMaxBackups = 100, logMaxSizeMb = 100;
  bool logCompress = false;
  BatchOptions logBatch;
  WebhookTarget webhook;
  std::string webhookMode = "batch";
  std::chrono::milliseconds webhookInitialBackoff{10000};
  BatchOptions webhookBatch{.bufferSize = 10000, .maxSize = 400, .maxWait = std::chrono::milliseconds(30000), .throttle = true,
                            .throttleQps = 10, .throttleBurst = 15};
};

}  // namespace skiff::apiserver::audit
