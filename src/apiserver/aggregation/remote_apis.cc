#include "apiserver/aggregation/remote_apis.h"

#include <algorithm>

namespace skiff::apiserver {
namespace {

auto byName(std::vector<RemoteVersion>& versions, std::string_view name) {
  return std::ranges::find(versions, name, [](const RemoteVersion& version) { return std::string_view(version.service.name); });
}

}  // namespace

const RemoteVersion* RemoteApis::find(std::string_view group, std::string_view version) const {
  for (const RemoteVersion& known : versions)
    if (known.service.group == group && known.service.version == version) return &known;
  return nullptr;
}

RemoteApisPtr RemoteApiTable::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

template <class Edit>
void RemoteApiTable::change(Edit edit) {
  std::lock_guard lock(mutex_);
  auto next = std::make_shared<RemoteApis>(*current_);
  if (edit(next->versions)) current_ = std::move(next);
}

void RemoteApiTable::put(const ApiService& service) {
  if (!service.remote()) return remove(service.name);
  change([&](std::vector<RemoteVersion>& versions) {
    auto found = byName(versions, service.name);
    if (found == versions.end()) {
      versions.push_back({service, nullptr});
      std::ranges::sort(versions, {}, [](const RemoteVersion& version) { return version.service.name; });
      return true;
    }
    if (!found->service.sameTarget(service)) found->documents = nullptr;
    found->service = service;
    return true;
  });
}

void RemoteApiTable::remove(std::string_view name) {
  change([&](std::vector<RemoteVersion>& versions) {
    return std::erase_if(versions, [&](const RemoteVersion& version) { return version.service.name == name; }) > 0;
  });
}

void RemoteApiTable::setAvailable(const ApiService& service, bool available) {
  change([&](std::vector<RemoteVersion>& versions) {
    auto found = byName(versions, service.name);
    if (found == versions.end() || !found->service.sameTarget(service) || found->service.available == available) return false;
    found->service.available = available;
    return true;
  });
}

void RemoteApiTable::documents(const ApiService& service, std::shared_ptr<const RemoteDocuments> documents) {
  change([&](std::vector<RemoteVersion>& versions) {
    auto found = byName(versions, service.name);
    if (found == versions.end() || !found->service.sameTarget(service)) return false;
    // The same words again are no change: discovery and OpenAPI keep what they have made of them.
    if (found->documents && found->documents->sameAs(*documents)) return false;
    found->documents = std::move(documents);
    return true;
  });
}

}  // namespace skiff::apiserver
