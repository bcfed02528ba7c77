#include "client/informer.h"

#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "base/log.h"
#include "base/strings.h"
#include "rt/executor.h"
#include "rt/stop.h"

namespace skiff::client {
namespace {

constexpr milliseconds kFirstBackoff{200}, kMostBackoff{30000};
// A watch that stays silent this long is asked again: bookmarks come once a minute.
constexpr milliseconds kWatchSilence{600000};

std::string keyOf(const api::Object& object) { return object.key(); }

// The indexed cache. Readers share a lock; only the reflector's thread writes.
class Cache {
 public:
  void addIndex(std::string name, IndexFunction function) {
    std::unique_lock lock(mutex_);
    indexes_[std::move(name)] = {std::move(function), {}};
  }
  api::ObjectPtr get(std::string_view key) const {
    std::shared_lock lock(mutex_);
    auto it = objects_.find(key);
    return it == objects_.end() ? nullptr : it->second;
  }
  // Sets or (null) removes; gives what was there.
  api::ObjectPtr put(const std::string& key, api::ObjectPtr object) {
    std::unique_lock lock(mutex_);
    auto it = objects_.find(key);
    api::ObjectPtr before = it == objects_.end() ? nullptr : it->second;
    for (auto& [name, index] : indexes_) {
      if (before) index.remove(key, *before);
      if (object) index.add(key, *object);
    }
    if (!object) {
      if (before) objects_.erase(it);
    } else if (before) {
      it->second = std::move(object);
    } else {
      objects_.emplace(key, std::move(object));
    }
    return before;
  }
  std::vector<api::ObjectPtr> list(std::string_view ns) const {
    std::shared_lock lock(mutex_);
    std::vector<api::ObjectPtr> out;
    if (ns.empty()) {
      out.reserve(objects_.size());
      for (const auto& [key, object] : objects_) out.push_back(object);
      return out;
    }
    std::string prefix = concat(ns, "/");
    for (auto it = objects_.lower_bound(prefix); it != objects_.end() && it->first.starts_with(prefix); ++it)
      out.push_back(it->second);
    return out;
  }
  std::vector<api::ObjectPtr> byIndex(std::string_view name, std::string_view value) const {
    std::shared_lock lock(mutex_);
    std::vector<api::ObjectPtr> out;
    auto index = indexes_.find(name);
    if (index == indexes_.end()) return out;
    auto keys = index->second.keys.find(std::string(value));
    if (keys == index->second.keys.end()) return out;
    for (const auto& key : keys->second)
      if (auto it = objects_.find(key); it != objects_.end()) out.push_back(it->second);
    return out;
  }
  size_t size() const {
    std::shared_lock lock(mutex_);
    return objects_.size();
  }

 private:
  struct Index {
    IndexFunction function;
    std::unordered_map<std::string, std::set<std::string>> keys;
    void add(const std::string& key, const api::Object& object) {
      for (auto& value : function(object)) keys[value].insert(key);
    }
    void remove(const std::string& key, const api::Object& object) {
      for (auto& value : function(object)) {
        auto it = keys.find(value);
        if (it == keys.end()) continue;
        it->second.erase(key);
        if (it->second.empty()) keys.erase(it);
      }
    }
  };
  mutable std::shared_mutex mutex_;  // guards all below
  std::map<std::string, api::ObjectPtr, std::less<>> objects_;
  std::map<std::string, Index, std::less<>> indexes_;
};

class Reflector final : public ObjectInformer {
 public:
  Reflector(std::shared_ptr<Client> client, Resource resource, ListOptions options)
      : client_(std::move(client)), resource_(std::move(resource)), options_(std::move(options)) {}
  ~Reflector() override { stop(); }

  void addHandler(ObjectHandler handler) override {
    std::lock_guard lock(handlersMutex_);
    for (const auto& object : cache_.list({}))
      if (handler.onAdd) handler.onAdd(object);
    handlers_.push_back(std::move(handler));
  }
  void addIndex(std::string name, IndexFunction function) override {
    MUST(!thread_.joinable());
    cache_.addIndex(std::move(name), std::move(function));
  }
  bool synced() const override { return synced_.load(std::memory_order_acquire); }
  api::ObjectPtr get(std::string_view key) const override { return cache_.get(key); }
  std::vector<api::ObjectPtr> list(std::string_view ns) const override { return cache_.list(ns); }
  std::vector<api::ObjectPtr> byIndex(std::string_view index, std::string_view value) const override {
    return cache_.byIndex(index, value);
  }
  size_t size() const override { return cache_.size(); }

  void start(std::function<void()> onSynced) {
    if (thread_.joinable()) return;
    onSynced_ = std::move(onSynced);
    thread_ = rt::Thread(("inf-" + resource_.plural).substr(0, 15), [this] { run(); });
  }
  void stop() {
    stop_.raise();
    {
      std::lock_guard lock(streamMutex_);
      if (stream_) stream_->cancel();
    }
    thread_.join();
  }

 private:
  void run() {
    milliseconds backoff = kFirstBackoff;
    while (!stop_.raised()) {
      auto status = listAndWatch();
      if (stop_.raised()) return;
      if (status.ok() || status.failedWith(Reason::Expired) || status.failedWith(Reason::Gone)) {
        backoff = kFirstBackoff;
        continue;
      }
      log::debug("Watch ended", {{"resource", resource_.plural}, {"err", status.error().message()}});
      stop_.waitFor(backoff);
      backoff = std::min(backoff * 2, kMostBackoff);
    }
  }

  // Lists, then watches until the watch cannot be resumed.
  Status listAndWatch() {
    auto list = TRY(client_->listObjects(resource_, options_));
    replace(list);
    std::string version = list.resourceVersion;
    if (!synced_.exchange(true, std::memory_order_acq_rel) && onSynced_) onSynced_();
    while (!stop_.raised()) TRY(watchFrom(version));
    return okStatus();
  }

  // Ends ok when the server closed the stream: watch again from `version`.
  Status watchFrom(std::string& version) {
    auto options = options_;
    options.resourceVersion = version;
    std::shared_ptr<WatchStream> stream = TRY(client_->watchObjects(resource_, options));
    {
      std::lock_guard lock(streamMutex_);
      stream_ = stream;
    }
    if (stop_.raised()) return okStatus();
    for (;;) {
      auto event = TRY(stream->next(kWatchSilence));
      if (!event) return okStatus();
      if (event->type == api::WatchEvent::Type::Error) return errorFromStatus(event->object->root(), 0);
      apply(*event);
      version = std::string(event->object->resourceVersion());
    }
  }

  void apply(const api::WatchEvent& event) {
    if (event.type == api::WatchEvent::Type::Bookmark) return;
    std::string key = keyOf(*event.object);
    std::lock_guard lock(handlersMutex_);
    if (event.type == api::WatchEvent::Type::Deleted) {
      cache_.put(key, nullptr);
      for (auto& handler : handlers_)
        if (handler.onDelete) handler.onDelete(event.object);
      return;
    }
    announce(cache_.put(key, event.object), event.object);
  }

  void announce(const api::ObjectPtr& before, const api::ObjectPtr& now) {
    // An object deleted and made again between two lists is another one.
    bool replaced = before && before->uid() != now->uid();
    for (auto& handler : handlers_) {
      if (replaced && handler.onDelete) handler.onDelete(before);
      if (before && !replaced) {
        if (handler.onUpdate) handler.onUpdate(before, now);
      } else if (handler.onAdd) {
        handler.onAdd(now);
      }
    }
  }

  void replace(const api::ObjectList& list) {
    std::lock_guard lock(handlersMutex_);
    std::set<std::string> listed;
    for (const auto& object : list.items) {
      auto key = keyOf(*object);
      auto before = cache_.put(key, object);
      listed.insert(std::move(key));
      if (!before || before->resourceVersion() != object->resourceVersion()) announce(before, object);
    }
    for (const auto& object : cache_.list({})) {
      auto key = keyOf(*object);
      if (listed.contains(key)) continue;
      cache_.put(key, nullptr);
      for (auto& handler : handlers_)
        if (handler.onDelete) handler.onDelete(object);
    }
  }

  std::shared_ptr<Client> client_;
  const Resource resource_;
  const ListOptions options_;
  Cache cache_;
  std::mutex handlersMutex_;  // guards handlers_ and keeps announcements in the cache's order
  std::vector<ObjectHandler> handlers_;
  std::atomic<bool> synced_{false};
  std::function<void()> onSynced_;
  rt::StopSignal stop_;
  std::mutex streamMutex_;  // guards stream_
  std::shared_ptr<WatchStream> stream_;
  rt::Thread thread_;
};

class Factory final : public InformerFactory {
 public:
  explicit Factory(std::shared_ptr<Client> client) : client_(std::move(client)) {}
  ~Factory() override { stop(); }

  ObjectInformer& ofResource(const Resource& resource, const Options& options) override {
    std::lock_guard lock(mutex_);
    auto& made = informers_[concat(resource.path(options.ns), "?", options.fieldSelector)];
    if (!made)
      made = std::make_unique<Reflector>(client_, resource,
                                         ListOptions{.ns = options.ns, .fieldSelector = options.fieldSelector});
    return *made;
  }
  void start() override {
    std::lock_guard lock(mutex_);
    for (auto& [key, informer] : informers_)
      informer->start([this] {
        std::lock_guard inner(syncMutex_);
        syncedOne_.notify_all();
      });
  }
  bool waitForSync(std::chrono::milliseconds timeout) override {
    std::vector<Reflector*> all;
    {
      std::lock_guard lock(mutex_);
      for (auto& [key, informer] : informers_) all.push_back(informer.get());
    }
    std::unique_lock lock(syncMutex_);
    return syncedOne_.wait_for(lock, timeout, [&] {
      return std::all_of(all.begin(), all.end(), [](auto* informer) { return informer->synced(); });
    });
  }
  void stop() override {
    std::lock_guard lock(mutex_);
    for (auto& [key, informer] : informers_) informer->stop();
  }

 private:
  std::shared_ptr<Client> client_;
  std::mutex mutex_;  // guards informers_
  std::map<std::string, std::unique_ptr<Reflector>> informers_;
  std::mutex syncMutex_;
  std::condition_variable syncedOne_;
};

}  // namespace

std::unique_ptr<InformerFactory> InformerFactory::create(std::shared_ptr<Client> client) {
  return std::make_unique<Factory>(std::move(client));
}

}  // namespace skiff::client
