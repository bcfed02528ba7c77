// Which group versions aggregated servers serve, and what they tell of them: an immutable snapshot for discovery, OpenAPI and
// the proxy.
#pragma once
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "apiserver/aggregation/api_service.h"
#include "apiserver/aggregation/remote_documents.h"

namespace skiff::apiserver {

struct RemoteVersion {
  ApiService service;
  std::shared_ptr<const RemoteDocuments> documents;  // null: never read
};

struct RemoteApis {
  std::vector<RemoteVersion> versions;  // by name of the APIService
  const RemoteVersion* find(std::string_view group, std::string_view version) const;
};
using RemoteApisPtr = std::shared_ptr<const RemoteApis>;

// The current snapshot. Thread safe.
class RemoteApiTable {
 public:
  RemoteApiTable() : current_(std::make_shared<const RemoteApis>()) {}
  RemoteApisPtr current() const;
  // An APIService as it is now; local ones are forgotten. Documents stay as long as the server is the same.
  void put(const ApiService& service);
  void remove(std::string_view name);
  // What a check has found, if the APIService is still the same.
  void setAvailable(const ApiService& service, bool available);
  void documents(const ApiService& service, std::shared_ptr<const RemoteDocuments> documents);

 private:
  template <class Edit>
  void change(Edit edit);
  mutable std::mutex mutex_;  // guards current_
  RemoteApisPtr current_;
};

}  // namespace skiff::apiserver
