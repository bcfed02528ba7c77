#include "apiserver/cluster_reader.h"

#include "apiserver/status.h"

namespace skiff::apiserver {

void StoreReader::written(const ServedResource& resource) {
  if (store_.shared()) return;  // changed() has been told by the store
  std::lock_guard lock(mutex_);
  if (auto found = versions_.find(resource.prefix); found != versions_.end()) ++found->second;
}

void StoreReader::changed(std::string_view key) {
  std::lock_guard lock(mutex_);
  auto next = versions_.upper_bound(key);  // of prefixes none is within another
  if (next == versions_.begin()) return;
  if (auto& [prefix, version] = *std::prev(next); key.starts_with(prefix)) ++version;
}

codec::DocumentPtr StoreReader::get(std::string_view group, std::string_view resource, std::string_view ns,
                                    std::string_view name) const {
  ServedPtr served = resources_.current()->findAny(group, resource);
  if (!served || !served->stored()) return nullptr;
  store::RecordPtr record = store_.get(served->keyOf(ns, name));
  if (!record) return nullptr;
  auto object = storedObject(record, *served);
  return object.ok() ? (*object)->document() : nullptr;
}

std::vector<codec::DocumentPtr> StoreReader::list(std::string_view group, std::string_view resource,
                                                  std::string_view ns) const {
  std::vector<codec::DocumentPtr> out;
  ServedPtr served = resources_.current()->findAny(group, resource);
  if (!served || !served->stored()) return out;
  store::RangeOptions range;
  range.from = served->prefixOf(ns);
  range.to = store::prefixEnd(range.from);
  auto result = store_.range(range);
  if (!result.ok()) return out;
  out.reserve(result->records.size());
  for (const store::RecordPtr& record : result->records)
    if (auto object = storedObject(record, *served); object.ok()) out.push_back((*object)->document());
  return out;
}

int64_t StoreReader::version(std::string_view group, std::string_view resource) const {
  ServedPtr served = resources_.current()->findAny(group, resource);
  if (!served) return 0;
  std::lock_guard lock(mutex_);
  // Never 0: caches start there.
  return versions_.emplace(served->prefix, 1).first->second;
}

Status StoreReader::update(std::string_view group, std::string_view resource, std::string_view subresource,
                           codec::DocumentPtr object) {
  ServedPtr served = resources_.current()->findAny(group, resource);
  if (!served || !registry_) return notFound(group, resource, "");
  std::vector<std::string> warnings;
  WriteCall call;
  call.user = &serverUser();
  call.resource = served;
  const codec::Value& metadata = object->root["metadata"];
  call.ns = metadata["namespace"].str();
  call.name = metadata["name"].str();
  call.subresource = std::string(subresource);
  call.tracked = false;
  call.admit = false;
  call.warnings = &warnings;
  auto written = registry_->update(call, {}, [&](const codec::Value*, codec::Arena& arena) -> Result<codec::Value> {
    return object->root.clone(arena);
  });
  if (!written.ok()) return std::move(written).error();
  return okStatus();
}

}  // namespace skiff::apiserver
