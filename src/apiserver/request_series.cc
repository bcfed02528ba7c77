#include "apiserver/request_series.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::apiserver {
namespace {
size_t hashOf(const SeriesKey& key) {
  size_t hash = size_t(key.dryRun) * 2 + size_t(key.component);
  for (std::string_view part : {key.group, key.version, key.resource, key.subresource, key.verb, key.scope})
    hash = (hash ^ StringHash{}(part)) * 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 32;
}
}  // namespace

Series::Series(const SeriesKey& key)
    : group_(key.group), version_(key.version), resource_(key.resource), subresource_(key.subresource), verb_(key.verb),
      scope_(key.scope), component_(key.component), dryRun_(key.dryRun) {}

bool Series::is(const SeriesKey& key) const {
  return resource_ == key.resource && verb_ == key.verb && subresource_ == key.subresource && group_ == key.group &&
         version_ == key.version && scope_ == key.scope && component_ == key.component && dryRun_ == key.dryRun;
}

void Series::answered(int status) {
  for (Code& code : codes_) {
    int known = code.status.load(std::memory_order_relaxed);
    if (known == 0 && code.status.compare_exchange_strong(known, status)) known = status;
    if (known != status && &code != &codes_.back()) continue;
    code.count.fetch_add(1, std::memory_order_relaxed);
    return;
  }
}

std::string Series::plainLabels() const {
  return concat("component=\"", component_ ? "apiserver" : "", "\",group=\"", group_, "\",resource=\"", resource_, "\",scope=\"", scope_,
                "\",", metricLabel("subresource", subresource_), ",verb=\"", verb_, "\",version=\"", version_, "\"");
}

std::string Series::labelsWithDryRun() const {
  std::string plain = plainLabels();
  size_t at = plain.find("group=");
  return plain.insert(at, concat("dry_run=\"", dryRun_ ? "All" : "", "\","));
}

std::string Series::labels(std::string_view code) const { return concat("code=\"", code, "\",", labelsWithDryRun()); }

std::string Series::resourceLabels() const {
  return concat("group=\"", group_, "\",resource=\"", resource_, "\",version=\"", version_, "\"");
}

std::string Series::storageLabels() const { return concat(metricLabel("group", group_), ",", metricLabel("resource", resource_)); }

std::string Series::commitLabels() const {
  return concat("group=\"", group_, "\",operation=\"", verb_, "\",resource=\"", resource_, "\"");
}

std::string Series::deprecationLabels(std::string_view removedIn) const {
  return concat("group=\"", group_, "\",removed_release=\"", removedIn, "\",resource=\"", resource_, "\",",
                metricLabel("subresource", subresource_), ",version=\"", version_, "\"");
}

SeriesTable::SeriesTable() : slots_(new std::atomic<Series*>[kSlots]()) {}

Series& SeriesTable::of(const SeriesKey& key) {
  size_t hash = hashOf(key);
  for (size_t at = hash;; ++at) {
    Series* series = slots_[at % kSlots].load(std::memory_order_acquire);
    if (!series) return insert(key, hash);
    if (series->is(key)) return *series;
  }
}

Series& SeriesTable::insert(const SeriesKey& key, size_t hash) {
  std::lock_guard lock(mutex_);
  // Full: everything else is counted as one. That series was made first, so it is found.
  bool full = series_.size() >= kMaxSeries;
  SeriesKey kept = full ? SeriesKey{.verb = "other"} : key;
  if (full) hash = hashOf(kept);
  for (size_t at = hash;; ++at) {
    Series* series = slots_[at % kSlots].load(std::memory_order_acquire);
    if (series && series->is(kept)) return *series;
    if (series) continue;
    series_.push_back(std::make_unique<Series>(kept));
    slots_[at % kSlots].store(series_.back().get(), std::memory_order_release);
    return *series_.back();
  }
}

std::vector<const Series*> SeriesTable::all() const {
  std::vector<std::pair<std::string, const Series*>> sorted;
  {
    std::lock_guard lock(mutex_);
    for (const auto& series : series_) sorted.emplace_back(series->labelsWithDryRun(), series.get());
  }
  std::ranges::sort(sorted);
  std::vector<const Series*> out;
  for (const auto& [labels, series] : sorted) out.push_back(series);
  return out;
}

}  // namespace skiff::apiserver
