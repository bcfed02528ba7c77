// Groups and their versions as discovery lists them: this server's own and those of aggregated servers, best first.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "apiserver/aggregation/remote_apis.h"
#include "apiserver/resource_map.h"

namespace skiff::apiserver {

// All views are into the map and the snapshot they were made from.
struct GroupVersionView {
  std::string_view group, version;
  int64_t priority = 0;
  const ServedVersion* local = nullptr;   // exactly one of
  const RemoteVersion* remote = nullptr;  // the two
};
struct GroupView {
  std::string_view name;
  int64_t priority = 0;
  std::vector<GroupVersionView> versions;
};

// Core first. Where both serve a version, the aggregated server has it.
std::vector<GroupView> groupViews(const ResourceMap& map, const RemoteApis& remote);

}  // namespace skiff::apiserver
