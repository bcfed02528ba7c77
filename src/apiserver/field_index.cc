#include "apiserver/field_index.h"

#include "apiserver/list_options.h"
#include "apiserver/object_codec.h"

namespace skiff::apiserver {
namespace {

constexpr size_t kBatch = 1024;

// What kubelets and drains ask for, in clusters with many objects.
struct Indexed {
  std::string_view group, plural, field;
};
constexpr Indexed kIndexed[] = {{"", "pods", "spec.nodeName"}};

}  // namespace

std::shared_ptr<FieldIndex> fieldIndexOf(const api::ResourceInfo& resource) {
  for (const Indexed& indexed : kIndexed)
    if (indexed.group == resource.group && indexed.plural == resource.plural)
      return std::make_shared<FieldIndex>(indexed.field);
  return nullptr;
}

Result<FieldIndex::Found> FieldIndex::find(store::Store& store, const ServedResource& resource, std::string_view prefix,
                                           std::string_view value) {
  std::lock_guard lock(mutex_);
  if (!watcher_ || !TRY(catchUp(resource))) TRY(build(store, resource));
  Found found{.revision = revision_, .keys = {}};
  auto keys = keys_.find(value);
  if (keys == keys_.end()) return found;
  for (auto at = keys->second.lower_bound(prefix); at != keys->second.end() && at->starts_with(prefix); ++at)
    found.keys.emplace_back(*at);
  return found;
}

Status FieldIndex::build(store::Store& store, const ServedResource& resource) {
  clear();
  store::RangeResult all = TRY(store.range({.from = resource.prefix, .to = store::prefixEnd(resource.prefix)}));
  for (const store::RecordPtr& record : all.records) TRY(put(record, resource));
  watcher_ = TRY(store.watch(resource.prefix, all.revision));
  revision_ = all.revision;
  return okStatus();
}

Result<bool> FieldIndex::catchUp(const ServedResource& resource) {
  for (bool more = true; more;) {
    store::Watcher::Batch batch = watcher_->take(kBatch);
    if (batch.compacted) return false;
    std::map<std::string_view, const store::Event*> last;  // the others are history
    for (const store::EventPtr& event : batch.events) last[event->record->key()] = event.get();
    for (const auto& [key, event] : last) {
      if (event->type == store::Event::Type::Delete) {
        erase(key);
      } else if (Status read = put(event->record, resource); !read.ok()) {
        clear();
        return std::move(read).error();
      }
    }
    revision_ = batch.upTo;
    more = batch.more;
  }
  return true;
}

Status FieldIndex::put(const store::RecordPtr& record, const ServedResource& resource) {
  api::ObjectPtr object = TRY(servedObject(record, resource));
  std::string value = selectableText(object->peek()->root, field_);
  auto [entry, added] = values_.try_emplace(record->key(), nullptr);
  if (!added && *entry->second == value) return okStatus();
  std::string_view key = entry->first;
  if (!added) {
    erase(key);
    entry = values_.try_emplace(record->key(), nullptr).first;
    key = entry->first;
  }
  auto keys = keys_.try_emplace(std::move(value)).first;
  keys->second.insert(key);
  entry->second = &keys->first;
  return okStatus();
}

void FieldIndex::erase(std::string_view key) {
  auto entry = values_.find(std::string(key));
  if (entry == values_.end()) return;
  auto keys = keys_.find(*entry->second);
  keys->second.erase(entry->first);
  if (keys->second.empty()) keys_.erase(keys);
  values_.erase(entry);
}

void FieldIndex::clear() {
  watcher_ = nullptr;
  keys_.clear();
  values_.clear();
}

}  // namespace skiff::apiserver
