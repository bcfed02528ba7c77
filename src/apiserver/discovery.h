// What is served, told to clients: /api, /apis, and the lists below them, legacy and aggregated.
// https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
#pragma once
#include <mutex>
#include <string>

#include "apiserver/exchange.h"
#include "apiserver/resource_map.h"

namespace skiff::apiserver {

class Discovery {
 public:
  Discovery(const Resources& resources, std::string serverAddress)
      : resources_(resources), serverAddress_(std::move(serverAddress)) {}
  // True when the path is one of discovery's; it is answered then.
  bool serve(Exchange& exchange);
  std::vector<std::string> paths() const;  // of groups and versions, for "/"

 private:
  void apiVersions(Exchange& exchange);
  void groupList(Exchange& exchange);
  void group(Exchange& exchange, const ServedGroup& group);
  void resourceList(Exchange& exchange, const ServedVersion& version);
  bool aggregated(Exchange& exchange, bool core);
  codec::Value aggregatedValue(bool core, codec::Arena& arena);

  const Resources& resources_;
  std::string serverAddress_;
  struct Cached {
    ResourceMapPtr map;
    SharedBytes body;
    std::string etag;
  };
  std::mutex mutex_;  // guards cached_
  Cached cached_[2][2];  // [core][protobuf]
};

}  // namespace skiff::apiserver
