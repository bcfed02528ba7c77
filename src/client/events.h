// Records events.k8s.io-style events on objects as upstream's recorder does: core/v1 Events, repeated ones counted up,
// written by a thread of its own from a bounded queue (a full queue drops).
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "api/object.h"
#include "client/client.h"
#include "gen/core_v1.h"

namespace skiff::client {

class EventRecorder {
 public:
  static std::unique_ptr<EventRecorder> create(std::shared_ptr<Client> client, std::string component,
                                               std::string host = {});
  virtual ~EventRecorder() = default;
  virtual void record(const api::core::v1::ObjectReference& about, std::string_view type,  // Normal | Warning
                      std::string_view reason, std::string message) = 0;
  template <class T>
  void record(const T& object, std::string_view type, std::string_view reason, std::string message) {
    record(referenceTo(object), type, reason, std::move(message));
  }
  template <class T>
  static api::core::v1::ObjectReference referenceTo(const T& object) {
    api::core::v1::ObjectReference ref;
    ref.apiVersion = api::apiVersionOf(T::kGroup, T::kVersion);
    ref.kind = std::string(T::kKind);
    ref.name = object.metadata.name;
    ref.namespace_ = object.metadata.namespace_;
    ref.uid = object.metadata.uid;
    ref.resourceVersion = object.metadata.resourceVersion;
    return ref;
  }
};

}  // namespace skiff::client
