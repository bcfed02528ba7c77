// Which objects of a resource have a value at a field, so that a list which selects one value need not look at all.
// It is made by the first who asks and follows the store's events from then on: whoever asks next catches up first, so
// that an index which nobody uses costs nothing but its memory. Thread safe.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "apiserver/resource_map.h"
#include "base/result.h"
#include "store/store.h"

namespace skiff::apiserver {

class FieldIndex {
 public:
  // Of the resource's selectable field "spec.nodeName".
  explicit FieldIndex(std::string_view field) : field_(field) {}
  std::string_view field() const { return field_; }

  struct Found {
    store::Revision revision = 0;
    std::vector<std::string> keys;  // in order
  };
  // The keys with the prefix whose objects had the value at a revision that holds every write known to be done.
  Result<Found> find(store::Store& store, const ServedResource& resource, std::string_view prefix, std::string_view value);

 private:
  using Keys = std::set<std::string_view>;
  Status build(store::Store& store, const ServedResource& resource);
  // False: the events are gone, the index must be built anew.
  Result<bool> catchUp(const ServedResource& resource);
  Status put(const store::RecordPtr& record, const ServedResource& resource);
  void erase(std::string_view key);
  void clear();

  const std::string field_;
  std::mutex mutex_;  // guards all below
  std::unique_ptr<store::Watcher> watcher_;  // null: nothing is known
  store::Revision revision_ = 0;
  std::unordered_map<std::string, const std::string*> values_;  // of a key: the entry's name in keys_
  std::map<std::string, Keys, std::less<>> keys_;               // of a value: names of entries in values_
};

// The index that serves lists of a built-in resource; null for most.
std::shared_ptr<FieldIndex> fieldIndexOf(const api::ResourceInfo& resource);

}  // namespace skiff::apiserver
