// An API object at a revision: immutable, shared by every reader. It is made from a value tree or
// from stored bytes, and makes its other forms (the tree, JSON, protobuf, the typed struct) on first
// use, once for all who share it.
#pragma once
#include <any>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema.h"
#include "api/typed.h"
#include "base/bytes.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

class Object;
using ObjectPtr = std::shared_ptr<const Object>;

// What an object's tree can be made of again.
class ObjectSource {
 public:
  virtual ~ObjectSource() = default;
  virtual codec::DocumentPtr decode() const = 0;  // it has been decoded before: cannot fail
};

class Object {
 public:
  // The tree has apiVersion, kind and metadata (with its resourceVersion). `type` is null for kinds
  // without tables.
  static ObjectPtr fromDocument(codec::DocumentPtr document, const TypeInfo* type);
  static Result<ObjectPtr> fromJson(std::string_view json,
                                    const TypeInfo* type);  // trusted: from a server
  template <class T>
  static ObjectPtr fromTyped(const T& value) {
    auto document = std::make_shared<codec::Document>();
    document->root = toValue(value, document->arena);
    return fromDocument(std::move(document), T::binding().type);
  }

  // Its tree is made when somebody asks for it.
  static ObjectPtr fromSource(std::shared_ptr<const ObjectSource> source, const TypeInfo* type);

  // The same object as bytes only: the forms that have been made, and what its tree is made of when somebody asks.
  ObjectPtr cooled(std::shared_ptr<const ObjectSource> source) const;
  bool warm() const { return decoded_.load(std::memory_order_acquire); }  // there is a tree
  bool hasBytes() const;  // JSON or protobuf of it or of its metadata has been made

  const codec::Value& root() const { return document()->root; }
  const codec::DocumentPtr& document() const {
    if (!warm()) decode();
    return document_;
  }
  // The tree for one use: a cold object stays cold.
  codec::DocumentPtr peek() const;
  const TypeInfo* type() const { return type_; }

  std::string_view apiVersion() const { return root()["apiVersion"].asString(); }
  std::string_view kind() const { return root()["kind"].asString(); }
  const codec::Value& metadata() const { return document(), *metadata_; }
  std::string_view name() const { return metadata()["name"].asString(); }
  std::string_view ns() const { return metadata()["namespace"].asString(); }
  std::string_view uid() const { return metadata()["uid"].asString(); }
  std::string_view resourceVersion() const { return metadata()["resourceVersion"].asString(); }
  const codec::Value& labels() const { return document(), *labels_; }
  std::string key() const;  // "namespace/name", or "name" when it has no namespace

  SharedBytes json() const;  // no trailing newline
  SharedBytes jsonOfItem() const;  // what follows `{"kind":...,"apiVersion":...,`: items of a list have no such head
  SharedBytes metadataJson() const;  // a piece of json() if that has been made; it is not made for this
  Result<SharedBytes> metadataProtobuf() const;  // the metadata as field 1 of a message
  Result<SharedBytes> protobuf()
      const;  // with the k8s\0 envelope; an error for kinds without wire numbers

  // The typed struct. Aborts if T is another kind than the object's (a programmer error); a tree
  // that does not fit T gives an error.
  template <class T>
  Result<std::shared_ptr<const T>> as() const {
    auto made = typed(T::binding());
    if (!made.ok()) return std::move(made).error();
    return std::static_pointer_cast<const T>(std::move(made).value());
  }

  Object(codec::DocumentPtr document, const TypeInfo* type);

 private:
  // The JSON and where in it are what its readers cut out.
  struct Json {
    SharedBytes text;
    uint32_t itemFrom = 0, metadataFrom = 0, metadataSize = 0;
  };
  struct Bytes {
    Json json;
    SharedBytes protobuf, metadataJson, metadataProtobuf;
  };
  Object(std::shared_ptr<const ObjectSource> source, const TypeInfo* type, Bytes bytes);
  void decode() const;
  void take(codec::DocumentPtr document) const;
  const Json& madeJson() const;  // under mutex_
  Result<std::shared_ptr<const void>> typed(const TypeBinding& binding) const;

  const TypeInfo* type_;
  mutable std::mutex decoding_;  // guards the five below until decoded_ is set; then they are constant
  mutable std::atomic<bool> decoded_ = false;
  mutable std::shared_ptr<const ObjectSource> source_;
  mutable codec::DocumentPtr document_;
  mutable const codec::Value* metadata_ = nullptr;  // found once: selectors look at every object of a list
  mutable const codec::Value* labels_ = nullptr;

  mutable std::mutex mutex_;  // guards the forms below, each made once
  mutable Bytes bytes_;
  mutable std::shared_ptr<const void> typed_;
};

// The kinds that a client or server knows: built-in tables, and custom resources added at run time.
struct ObjectList {
  std::string resourceVersion;
  std::string continueToken;
  std::optional<int64_t> remainingItemCount;
  std::vector<ObjectPtr> items;
};

struct WatchEvent {
  enum class Type { Added, Modified, Deleted, Bookmark, Error };
  Type type = Type::Added;
  ObjectPtr object;  // for Error a Status
};
std::string_view watchEventName(WatchEvent::Type type);  // "ADDED"

}  // namespace skiff::api
