#include "apiserver/foreign_writes.h"

#include <algorithm>

#include "apiserver/cluster_reader.h"
#include "base/log.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

// What the listeners of the registry look at.
constexpr struct {
  std::string_view group, plural;
} kFollowed[] = {
    {"apiextensions.k8s.io", "customresourcedefinitions"},
    {"apiregistration.k8s.io", "apiservices"},
    {"flowcontrol.apiserver.k8s.io", "flowschemas"},
    {"flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"},
    {"", "services"},
    {"discovery.k8s.io", "endpointslices"},
};

}  // namespace

ForeignWrites::ForeignWrites(store::Store& store, const Resources& resources, StoreReader& reader, Listener listener)
    : store_(store), resources_(resources), reader_(reader), listener_(std::move(listener)) {
  for (const auto& one : kFollowed) followed_.push_back({one.group, one.plural, storagePrefix(one.group, one.plural)});
  if (!store.shared()) {
    stopped_ = true;
    return;
  }
  thread_ = rt::Thread("foreign-writes", [this] { run(); });
  store.onChanges([this](std::span<const store::EventPtr> events) { note(events); });
}

void ForeignWrites::stop() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
  }
  store_.onChanges(nullptr);
  changed_.notify_all();
  thread_.join();
}

const ForeignWrites::Followed* ForeignWrites::builtinOf(std::string_view key) const {
  auto found = std::ranges::find_if(followed_, [&](const Followed& one) { return key.starts_with(one.prefix); });
  return found == followed_.end() ? nullptr : &*found;
}

// "/registry/GROUP/PLURAL/...": a group of custom resources has a dot in its name, a built-in plural has none.
ServedPtr ForeignWrites::customOf(std::string_view key) const {
  auto parts = split(key, '/');
  if (parts.size() < 5 || parts[2].find('.') == std::string_view::npos) return nullptr;
  return resources_.current()->findAny(parts[2], parts[3]);
}

// Of custom resources only their end matters: a definition waits for it.
bool ForeignWrites::isFollowed(const store::Event& event) const {
  return builtinOf(event.record->key()) || (event.type == store::Event::Type::Delete && customOf(event.record->key()));
}

void ForeignWrites::note(std::span<const store::EventPtr> events) {
  bool any = false;
  for (const store::EventPtr& event : events) {
    reader_.changed(event->record->key());
    if (!isFollowed(*event)) continue;
    std::lock_guard lock(mutex_);
    noted_[event->record->key()] = event->record;
    any = true;
  }
  if (any) changed_.notify_all();
}

void ForeignWrites::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopped_ || !noted_.empty(); });
    if (stopped_) return;
    auto noted = std::exchange(noted_, {});
    lock.unlock();
    for (const auto& [key, last] : noted) tell(key, last);
    lock.lock();
  }
}

void ForeignWrites::tell(const std::string& key, const store::RecordPtr& last) {
  const Followed* builtin = builtinOf(key);
  ServedPtr resource = builtin ? resources_.current()->findAny(builtin->group, builtin->plural) : customOf(key);
  if (!resource || !resource->stored()) return;
  store::RecordPtr now = store_.get(key);
  auto object = storedObject(now ? now : last, *resource);
  if (!object.ok()) {
    log::warn("Another server has written what cannot be read", {{"key", key}, {"err", object.error().message()}});
    return;
  }
  listener_(*resource, *object, now == nullptr);
}

}  // namespace skiff::apiserver
