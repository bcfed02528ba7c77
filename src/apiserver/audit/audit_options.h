// Named as upstream's --audit-* flags, with its defaults.
#pragma once
#include <chrono>
#include <cstdint>
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

// Events above the size lose the objects they carry; what is too large even so is dropped.
struct TruncateOptions {
  bool enabled = false;
  int64_t maxBatchBytes = 10 * 1024 * 1024, maxEventBytes = 100 * 1024;
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
  TruncateOptions logTruncate;
  WebhookTarget webhook;
  std::string webhookMode = "batch";
  std::chrono::milliseconds webhookInitialBackoff{10000};
  BatchOptions webhookBatch{.bufferSize = 10000, .maxSize = 400, .maxWait = std::chrono::milliseconds(30000), .throttle = true,
                            .throttleQps = 10, .throttleBurst = 15};
  TruncateOptions webhookTruncate;
};

}  // namespace skiff::apiserver::audit
