// Typed calls: client.get<core::v1::Pod>("ns", "name"). Thread safe; every call blocks (workers only).
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "client/transport.h"
#include "gen/meta_v1.h"

namespace skiff::client {

// A resource by its REST coordinates.
struct Resource {
  std::string group, version, plural;
  bool namespaced = true;
  std::string path(std::string_view ns, std::string_view name = {}, std::string_view subresource = {}) const;
};
template <class T>
Resource resourceOf() {
  return {std::string(T::kGroup), std::string(T::kVersion), std::string(T::kResource), T::kNamespaced};
}

struct ListOptions {
  std::string ns;  // "": all
  std::string labelSelector, fieldSelector;
  std::string resourceVersion, resourceVersionMatch, continueToken;
  int64_t limit = 0;
};
struct DeleteOptions {
  std::optional<int64_t> gracePeriodSeconds;
  std::string propagationPolicy;  // Orphan, Background, Foreground
  std::string uid, resourceVersion;  // preconditions
};
enum class PatchType { Json, Merge, StrategicMerge, Apply };
struct PatchOptions {
  std::string subresource;
  std::string fieldManager;
  bool force = false;
};

class Client {
 public:
  Client(std::shared_ptr<Transport> transport, std::string fieldManager)
      : transport_(std::move(transport)), fieldManager_(std::move(fieldManager)) {}

  template <class T>
  Result<T> get(std::string_view ns, std::string_view name) const {
    return typed<T>(getObject(resourceOf<T>(), ns, name));
  }
  template <class T>
  Result<std::vector<T>> list(const ListOptions& options = {}) const {
    auto items = listObjects(resourceOf<T>(), options);
    if (!items.ok()) return std::move(items).error();
    std::vector<T> out;
    for (const auto& item : items->items) {
      auto made = item->template as<T>();
      if (!made.ok()) return std::move(made).error();
      out.push_back(**made);
    }
    return out;
  }
  template <class T>
  Result<T> create(const T& object, std::string_view subresource = {}) const {
    return typed<T>(createObject(resourceOf<T>(), object.metadata.namespace_, api::Object::fromTyped(object),
                                 object.metadata.name, subresource));
  }
  template <class T>
  Result<T> update(const T& object, std::string_view subresource = {}) const {
    return typed<T>(updateObject(resourceOf<T>(), api::Object::fromTyped(object), subresource));
  }
  template <class T>
  Result<T> updateStatus(const T& object) const {
    return update(object, "status");
  }
  template <class T>
  Result<T> patch(std::string_view ns, std::string_view name, PatchType type, std::string body,
                  const PatchOptions& options = {}) const {
    return typed<T>(patchObject(resourceOf<T>(), ns, name, type, std::move(body), options));
  }
  template <class T>
  Status remove(std::string_view ns, std::string_view name, const DeleteOptions& options = {}) const {
    return removeObject(resourceOf<T>(), ns, name, options);
  }

  // The same by coordinates, for any kind.
  Result<api::ObjectPtr> getObject(const Resource&, std::string_view ns, std::string_view name) const;
  Result<api::ObjectList> listObjects(const Resource&, const ListOptions& options) const;
  Result<api::ObjectPtr> createObject(const Resource&, std::string_view ns, api::ObjectPtr object,
                                      std::string_view name = {}, std::string_view subresource = {}) const;
  Result<api::ObjectPtr> updateObject(const Resource&, api::ObjectPtr object, std::string_view subresource = {}) const;
  Result<api::ObjectPtr> patchObject(const Resource&, std::string_view ns, std::string_view name, PatchType,
                                     std::string body, const PatchOptions&) const;
  Status removeObject(const Resource&, std::string_view ns, std::string_view name, const DeleteOptions&) const;
  Status removeCollection(const Resource&, std::string_view ns, const ListOptions&, const DeleteOptions& = {}) const;
  Result<std::unique_ptr<WatchStream>> watchObjects(const Resource&, const ListOptions&, bool bookmarks = true) const;

  Transport& transport() const { return *transport_; }
  std::shared_ptr<Transport> sharedTransport() const { return transport_; }
  const std::string& fieldManager() const { return fieldManager_; }

 private:
  template <class T>
  static Result<T> typed(Result<api::ObjectPtr> object) {
    if (!object.ok()) return std::move(object).error();
    if (*object == nullptr) return T{};
    auto made = (*object)->template as<T>();
    if (!made.ok()) return std::move(made).error();
    return **made;
  }
  std::shared_ptr<Transport> transport_;
  std::string fieldManager_;
};

// update() that reads again and repeats on Conflict, at most 5 times. `edit` returns false to leave it as it is.
template <class T, class Edit>
Result<T> updateWithRetry(const Client& client, std::string_view ns, std::string_view name, Edit edit,
                          std::string_view subresource = {}) {
  for (int attempt = 0;; ++attempt) {
    T object = TRY(client.get<T>(ns, name));
    if (!edit(object)) return object;
    auto updated = client.update(object, subresource);
    if (updated.ok() || !updated.failedWith(Reason::Conflict) || attempt == 4) return updated;
  }
}

}  // namespace skiff::client
