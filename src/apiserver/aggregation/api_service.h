// An APIService as the aggregator works with it: which group version it stands for, and which service serves it.
// https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/
#pragma once
#include <string>
#include <string_view>

#include "codec/value.h"

namespace skiff::apiserver {

struct ApiService {
  std::string name;  // "v1.metrics.k8s.io"
  std::string group, version;
  int64_t groupPriority = 0, versionPriority = 0;
  // Of an aggregated server; empty: this server's own.
  std::string serviceNamespace, serviceName;
  int64_t port = 443;
  bool insecureSkipTlsVerify = false;
  std::string caBundle;  // base64, as the object has it
  bool available = false;

  bool remote() const { return !serviceName.empty(); }
  // The same server, asked in the same way.
  bool sameTarget(const ApiService& other) const;
};

ApiService parseApiService(const codec::Value& object);

inline constexpr std::string_view kApiRegistrationGroup = "apiregistration.k8s.io";
inline constexpr std::string_view kApiServices = "apiservices";

}  // namespace skiff::apiserver
