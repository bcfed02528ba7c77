// The ordered map of the key space: key -> the versions of its record that can still be read. Sorted arrays of at
// most kLeafEntries, in an array: a scan of 10,000 keys walks 80 blocks of memory instead of 10,000 tree nodes.
// Not synchronised.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace skiff::store {

// All readable versions of one key.
class KeyHistory {
 public:
  explicit KeyHistory(RecordPtr first) : newest_(std::move(first)) {}

  std::string_view key() const { return newest_->key(); }
  bool live() const { return deletedAt_ == 0; }
  // The newest version; of a deleted key the last one.
  const RecordPtr& newest() const { return newest_; }
  // The version at a revision, null where the key did not exist.
  const RecordPtr* at(Revision revision) const;

  void put(RecordPtr record);       // a newer version, also after a deletion
  void remove(Revision revision);   // deletes the key at that revision
  // Forgets what no revision above `upTo` can see. True when nothing is left to keep.
  bool prune(Revision upTo);

 private:
  struct Past {
    RecordPtr record;
    Revision until;  // the first revision that no longer sees it
  };
  RecordPtr newest_;
  Revision deletedAt_ = 0;                    // 0: live
  std::unique_ptr<std::vector<Past>> past_;   // oldest first; null for most keys
};

class KeyIndex {
 public:
  static constexpr size_t kLeafEntries = 128;

  KeyHistory* find(std::string_view key);
  const KeyHistory* find(std::string_view key) const;
  void put(RecordPtr record);
  void remove(std::string_view key, Revision revision);  // the key must be live
  void prune(std::string_view key, Revision upTo);

  // Calls visit(const KeyHistory&) for keys in [from, to) in order (to "": to the end) until it returns false.
  template <class Visit>
  void scan(std::string_view from, std::string_view to, Visit visit) const {
    for (Place place = lowerBound(from); place.leaf < leaves_.size(); place = {place.leaf + 1, 0}) {
      const std::vector<KeyHistory>& entries = leaves_[place.leaf].entries;
      for (size_t i = place.entry; i < entries.size(); ++i) {
        if (!to.empty() && entries[i].key() >= to) return;
        if (!visit(entries[i])) return;
      }
    }
  }
  size_t countLive(std::string_view from, std::string_view to) const;
  size_t live() const { return live_; }

 private:
  struct Leaf {
    std::vector<KeyHistory> entries;  // never empty
    size_t live = 0;
  };
  struct Place {
    size_t leaf;
    size_t entry;
  };
  // The first entry whose key is not less; a place past the end of the last leaf when there is none.
  Place lowerBound(std::string_view key) const;
  bool holds(Place place, std::string_view key) const;
  void insert(RecordPtr record, Place place);
  void erase(Place place);

  std::vector<Leaf> leaves_;
  size_t live_ = 0;
};

}  // namespace skiff::store
