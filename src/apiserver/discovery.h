// What is served, told to clients: /api, /apis, and the lists below them, legacy and aggregated.
// https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
#pragma once
#include <mutex>
#include <string>

#include "apiserver/aggregation/remote_apis.h"
#include "apiserver/exchange.h"
#include "apiserver/resource_map.h"

namespace skiff::apiserver {

class Discovery {
 public:
  Discovery(const Resources& resources, const RemoteApiTable& remote, std::string serverAddress)
      : resources_(resources), remote_(remote), serverAddress_(std::move(serverAddress)) {}
  // True when the path is one of discovery's; it is answered then.
  bool serve(Exchange& exchange);
  std::vector<std::string> paths() const;  // of groups and versions, for "/"

 private:
  void apiVersions(Exchange& exchange);
  void groupList(Exchange& exchange);
  void group(Exchange& exchange, std::string_view name);
  void resourceList(Exchange& exchange, const ServedVersion& version);
  bool aggregated(Exchange& exchange, bool core);

  const Resources& resources_;
  const RemoteApiTable& remote_;
  std::string serverAddress_;
  struct Cached {
    ResourceMapPtr map;
    RemoteApisPtr remote;
    SharedBytes body;
    std::string etag;
  };
  std::mutex mutex_;  // guards cached_
  Cached cached_[2][2];  // [core][protobuf]
};

}  // namespace skiff::apiserver
