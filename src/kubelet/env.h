// A container's environment: values, references, service links, and $(VAR) expansion.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "gen/core_v1.h"
#include "kubelet/cri_messages.h"
#include "kubelet/pod_util.h"

namespace skiff::kubelet {

// Where the objects that a pod refers to come from.
class ObjectSource {
 public:
  virtual ~ObjectSource() = default;
  virtual Result<api::core::v1::ConfigMap> configMap(std::string_view ns, std::string_view name) = 0;
  virtual Result<api::core::v1::Secret> secret(std::string_view ns, std::string_view name) = 0;
  virtual std::vector<std::shared_ptr<const api::core::v1::Service>> services(std::string_view ns) = 0;
};

using Lookup = std::function<std::optional<std::string>(std::string_view name)>;
// "$(A)" becomes A's value or stays as it is when there is none; "$$" becomes "$". `missing` collects unknown names.
std::string expandVariables(std::string_view text, const Lookup& lookup, std::vector<std::string>* missing = nullptr);

// The pod as a container sees it: the addresses may be newer than the API's status.
struct PodFacts {
  const Pod* pod;
  std::vector<std::string> podIPs, hostIPs;
  std::string nodeName;
  std::map<std::string, api::Quantity> nodeAllocatable;  // limits of a container that has none
};

// "metadata.labels['a']", "status.podIP", ...; whole maps ("metadata.labels") as lines of key="escaped value".
Result<std::string> fieldValue(const PodFacts& facts, std::string_view path);
Result<std::string> resourceFieldValue(const PodFacts& facts, const api::core::v1::ResourceFieldSelector& selector,
                                       std::string_view defaultContainer);
// FOO_SERVICE_HOST and its kin for services with a cluster IP.
std::map<std::string, std::string> serviceEnvironment(
    const std::vector<std::shared_ptr<const api::core::v1::Service>>& services);
// In the order upstream gives them: envFrom, env, then service links that nothing overrides. Later ones win.
Result<std::vector<cri::KeyValue>> makeEnvironment(const PodFacts& facts, const Container& container,
                                                   ObjectSource& objects);

}  // namespace skiff::kubelet
