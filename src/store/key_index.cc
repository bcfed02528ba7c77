#include "store/key_index.h"

#include <algorithm>

namespace skiff::store {

const RecordPtr* KeyHistory::at(Revision revision) const {
  if (revision >= newest_->modRevision()) return deletedAt_ == 0 || revision < deletedAt_ ? &newest_ : nullptr;
  if (!past_) return nullptr;
  auto version = std::upper_bound(past_->begin(), past_->end(), revision,
                                  [](Revision r, const Past& past) { return r < past.until; });
  if (version == past_->end() || version->record->modRevision() > revision) return nullptr;
  return &version->record;
}

void KeyHistory::put(RecordPtr record) {
  if (!past_) past_ = std::make_unique<std::vector<Past>>();
  past_->push_back({std::move(newest_), deletedAt_ != 0 ? deletedAt_ : record->modRevision()});
  newest_ = std::move(record);
  deletedAt_ = 0;
}

void KeyHistory::remove(Revision revision) {
  DMUST(live());
  deletedAt_ = revision;
}

bool KeyHistory::prune(Revision upTo) {
  // A version that ends at `until` is last seen by until - 1.
  if (past_) {
    auto keep = std::find_if(past_->begin(), past_->end(), [&](const Past& past) { return past.until > upTo + 1; });
    past_->erase(past_->begin(), keep);
    if (past_->empty()) past_.reset();
  }
  return deletedAt_ != 0 && deletedAt_ <= upTo + 1;
}

KeyIndex::Place KeyIndex::lowerBound(std::string_view key) const {
  auto leaf = std::partition_point(leaves_.begin(), leaves_.end(),
                                   [&](const Leaf& l) { return l.entries.back().key() < key; });
  if (leaf == leaves_.end()) return {leaves_.size(), 0};
  auto entry = std::partition_point(leaf->entries.begin(), leaf->entries.end(),
                                    [&](const KeyHistory& h) { return h.key() < key; });
  return {static_cast<size_t>(leaf - leaves_.begin()), static_cast<size_t>(entry - leaf->entries.begin())};
}

bool KeyIndex::holds(Place place, std::string_view key) const {
  return place.leaf < leaves_.size() && leaves_[place.leaf].entries[place.entry].key() == key;
}

const KeyHistory* KeyIndex::find(std::string_view key) const {
  Place place = lowerBound(key);
  return holds(place, key) ? &leaves_[place.leaf].entries[place.entry] : nullptr;
}

KeyHistory* KeyIndex::find(std::string_view key) {
  return const_cast<KeyHistory*>(static_cast<const KeyIndex&>(*this).find(key));
}

void KeyIndex::put(RecordPtr record) {
  Place place = lowerBound(record->key());
  if (!holds(place, record->key())) return insert(std::move(record), place);
  Leaf& leaf = leaves_[place.leaf];
  KeyHistory& history = leaf.entries[place.entry];
  if (!history.live()) {
    ++leaf.live;
    ++live_;
  }
  history.put(std::move(record));
}

void KeyIndex::insert(RecordPtr record, Place place) {
  if (place.leaf == leaves_.size()) {
    // Past the end: the last leaf grows until it is full, so that keys in order fill leaves whole.
    if (leaves_.empty() || leaves_.back().entries.size() >= kLeafEntries) leaves_.emplace_back();
    place = {leaves_.size() - 1, leaves_.back().entries.size()};
  } else if (leaves_[place.leaf].entries.size() >= kLeafEntries) {
    Leaf upper;
    std::vector<KeyHistory>& lower = leaves_[place.leaf].entries;
    auto middle = lower.begin() + static_cast<ptrdiff_t>(lower.size() / 2);
    upper.entries.assign(std::make_move_iterator(middle), std::make_move_iterator(lower.end()));
    lower.erase(middle, lower.end());
    upper.live = static_cast<size_t>(std::count_if(upper.entries.begin(), upper.entries.end(),
                                                   [](const KeyHistory& h) { return h.live(); }));
    leaves_[place.leaf].live -= upper.live;
    size_t lowerSize = lower.size();
    leaves_.insert(leaves_.begin() + static_cast<ptrdiff_t>(place.leaf) + 1, std::move(upper));
    if (place.entry > lowerSize) place = {place.leaf + 1, place.entry - lowerSize};
  }
  Leaf& leaf = leaves_[place.leaf];
  leaf.entries.emplace(leaf.entries.begin() + static_cast<ptrdiff_t>(place.entry), std::move(record));
  ++leaf.live;
  ++live_;
}

void KeyIndex::remove(std::string_view key, Revision revision) {
  Place place = lowerBound(key);
  MUST(holds(place, key));
  leaves_[place.leaf].entries[place.entry].remove(revision);
  --leaves_[place.leaf].live;
  --live_;
}

void KeyIndex::prune(std::string_view key, Revision upTo) {
  Place place = lowerBound(key);
  if (holds(place, key) && leaves_[place.leaf].entries[place.entry].prune(upTo)) erase(place);
}

void KeyIndex::erase(Place place) {
  std::vector<KeyHistory>& entries = leaves_[place.leaf].entries;
  entries.erase(entries.begin() + static_cast<ptrdiff_t>(place.entry));
  if (entries.empty()) leaves_.erase(leaves_.begin() + static_cast<ptrdiff_t>(place.leaf));
}

size_t KeyIndex::countLive(std::string_view from, std::string_view to) const {
  size_t count = 0;
  for (Place place = lowerBound(from); place.leaf < leaves_.size(); place = {place.leaf + 1, 0}) {
    const Leaf& leaf = leaves_[place.leaf];
    if (place.entry == 0 && (to.empty() || leaf.entries.back().key() < to)) {
      count += leaf.live;
      continue;
    }
    for (size_t i = place.entry; i < leaf.entries.size(); ++i) {
      if (!to.empty() && leaf.entries[i].key() >= to) return count;
      count += leaf.entries[i].live();
    }
  }
  return count;
}

}  // namespace skiff::store
