// Reflector + indexed cache + handlers, one per resource, shared by all who use the factory. The cache holds the API
// server's own objects (in one process: the very same ones).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "api/selectors.h"
#include "base/clock.h"
#include "client/client.h"

namespace skiff::client {

// Called on the informer's own thread, one at a time, in order: keep short, put a key in a work queue.
struct ObjectHandler {
  std::function<void(const api::ObjectPtr&)> onAdd;
  std::function<void(const api::ObjectPtr& before, const api::ObjectPtr& now)> onUpdate;
  std::function<void(const api::ObjectPtr&)> onDelete;  // the last known state
};
using IndexFunction = std::function<std::vector<std::string>(const api::Object&)>;

class ObjectInformer {
 public:
  virtual ~ObjectInformer() = default;
  virtual void addHandler(ObjectHandler handler) = 0;  // existing objects are announced to it as adds
  virtual void addIndex(std::string name, IndexFunction function) = 0;  // before start
  virtual bool synced() const = 0;  // the first list is in the cache and announced
  virtual api::ObjectPtr get(std::string_view key) const = 0;  // "ns/name" or "name"; null when absent
  virtual std::vector<api::ObjectPtr> list(std::string_view ns = {}) const = 0;
  virtual std::vector<api::ObjectPtr> byIndex(std::string_view index, std::string_view value) const = 0;
  virtual size_t size() const = 0;
};

// Typed view of an informer: lister and handlers of T.
template <class T>
class Informer {
 public:
  using Ptr = std::shared_ptr<const T>;
  explicit Informer(ObjectInformer& informer) : informer_(&informer) {}
  struct Handler {
    std::function<void(const Ptr&)> onAdd;
    std::function<void(const Ptr& before, const Ptr& now)> onUpdate;
    std::function<void(const Ptr&)> onDelete;
  };
  void addHandler(Handler h) {
    informer_->addHandler({
        .onAdd = [f = h.onAdd](const api::ObjectPtr& o) { if (f) if (auto p = view(o)) f(p); },
        .onUpdate = [f = h.onUpdate](const api::ObjectPtr& a, const api::ObjectPtr& b) {
          if (!f) return;
          auto before = view(a), now = view(b);
          if (before && now) f(before, now);
        },
        .onDelete = [f = h.onDelete](const api::ObjectPtr& o) { if (f) if (auto p = view(o)) f(p); },
    });
  }
  // The same function for all three.
  void addHandler(std::function<void(const Ptr&)> any) {
    addHandler(Handler{any, [any](const Ptr&, const Ptr& now) { any(now); }, any});
  }
  void addIndex(std::string name, std::function<std::vector<std::string>(const T&)> function) {
    informer_->addIndex(std::move(name), [function](const api::Object& o) {
      auto made = o.as<T>();
      return made.ok() ? function(**made) : std::vector<std::string>{};
    });
  }
  bool synced() const { return informer_->synced(); }
  Ptr get(std::string_view ns, std::string_view name) const {
    return view(informer_->get(ns.empty() ? std::string(name) : std::string(ns) + "/" + std::string(name)));
  }
  Ptr getByKey(std::string_view key) const { return view(informer_->get(key)); }
  std::vector<Ptr> list(std::string_view ns = {}) const { return views(informer_->list(ns)); }
  std::vector<Ptr> list(std::string_view ns, const api::LabelSelector& selector) const {
    auto objects = informer_->list(ns);
    std::erase_if(objects, [&](const auto& o) { return !selector.matches(o->labels()); });
    return views(objects);
  }
  std::vector<Ptr> byIndex(std::string_view index, std::string_view value) const {
    return views(informer_->byIndex(index, value));
  }
  ObjectInformer& objects() const { return *informer_; }

 private:
  static Ptr view(const api::ObjectPtr& object) {
    if (!object) return nullptr;
    auto made = object->as<T>();
    return made.ok() ? *made : nullptr;
  }
  static std::vector<Ptr> views(const std::vector<api::ObjectPtr>& objects) {
    std::vector<Ptr> out;
    out.reserve(objects.size());
    for (const auto& object : objects)
      if (auto p = view(object)) out.push_back(std::move(p));
    return out;
  }
  ObjectInformer* informer_;
};

// Makes each informer once. Ask for all, add handlers and indexes, then start.
class InformerFactory {
 public:
  struct Options {
    std::string ns;             // only this namespace
    std::string fieldSelector;  // "spec.nodeName=a" for a kubelet's pods
  };
  static std::unique_ptr<InformerFactory> create(std::shared_ptr<Client> client);
  virtual ~InformerFactory() = default;  // as stop
  template <class T>
  Informer<T> of(const Options& options = {}) {
    return Informer<T>(ofResource(resourceOf<T>(), options));
  }
  virtual ObjectInformer& ofResource(const Resource& resource, const Options& options = {}) = 0;
  virtual void start() = 0;                                   // starts those not yet started; may be called again
  virtual bool waitForSync(std::chrono::milliseconds timeout) = 0;  // all of them
  virtual void stop() = 0;
};

}  // namespace skiff::client
