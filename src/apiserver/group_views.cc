#include "apiserver/group_views.h"

#include <algorithm>

#include "apiserver/crd.h"

namespace skiff::apiserver {
namespace {

GroupView& groupFor(std::vector<GroupView>& groups, const ApiService& service) {
  auto found = std::ranges::find(groups, service.group, &GroupView::name);
  if (found != groups.end()) return *found;
  auto behind = std::ranges::find_if(groups, [&](const GroupView& other) {
    if (other.name.empty() || other.priority != service.groupPriority)
      return !other.name.empty() && other.priority < service.groupPriority;
    return other.name > service.group;
  });
  return *groups.insert(behind, {service.group, service.groupPriority, {}});
}

void addRemote(GroupView& group, const RemoteVersion& remote) {
  const ApiService& service = remote.service;
  std::erase_if(group.versions, [&](const GroupVersionView& other) { return other.version == service.version; });
  auto behind = std::ranges::find_if(group.versions, [&](const GroupVersionView& other) {
    if (other.priority != service.versionPriority) return other.priority < service.versionPriority;
    return compareVersions(service.version, other.version) > 0;
  });
  group.versions.insert(behind, {service.group, service.version, service.versionPriority, nullptr, &remote});
}

}  // namespace

std::vector<GroupView> groupViews(const ResourceMap& map, const RemoteApis& remote) {
  std::vector<GroupView> out;
  for (const ServedGroup& group : map.groups()) {
    GroupView& view = out.emplace_back(GroupView{group.name, group.priority, {}});
    for (const ServedVersion& version : group.versions)
      view.versions.push_back({version.group, version.version, version.versionPriority, &version, nullptr});
  }
  for (const RemoteVersion& version : remote.versions) addRemote(groupFor(out, version.service), version);
  return out;
}

}  // namespace skiff::apiserver
