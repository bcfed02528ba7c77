#include "apiserver/aggregation/api_service.h"

#include <tuple>

namespace skiff::apiserver {

bool ApiService::sameTarget(const ApiService& other) const {
  auto key = [](const ApiService& service) {
    return std::tie(service.group, service.version, service.serviceNamespace, service.serviceName, service.port,
                    service.insecureSkipTlsVerify, service.caBundle);
  };
  return key(*this) == key(other);
}

ApiService parseApiService(const codec::Value& object) {
  const codec::Value& spec = object["spec"];
  ApiService out;
  out.name = object["metadata"]["name"].str();
  out.group = spec["group"].str();
  out.version = spec["version"].str();
  out.groupPriority = spec["groupPriorityMinimum"].asInt();
  out.versionPriority = spec["versionPriority"].asInt();
  out.serviceNamespace = spec["service"]["namespace"].str();
  out.serviceName = spec["service"]["name"].str();
  out.port = spec["service"]["port"].asInt(443);
  out.insecureSkipTlsVerify = spec["insecureSkipTLSVerify"].asBool();
  out.caBundle = spec["caBundle"].str();
  for (const codec::Value& condition : object["status"]["conditions"].items())
    if (condition["type"].asString() == "Available") out.available = condition["status"].asString() == "True";
  return out;
}

}  // namespace skiff::apiserver
