// A cluster of a few objects for tests.
#pragma once
#include <map>

#include "apiserver/request.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {

class FakeCluster : public ClusterReader {
 public:
  void add(std::string_view group, std::string_view resource, std::string_view json) {
    auto document = codec::parseJsonDocument(json);
    MUST(document.ok());
    const codec::Value& metadata = (*document)->root["metadata"];
    objects_[key(group, resource)][concat(metadata["namespace"].asString(), "/",
                                          metadata["name"].asString())] = *document;
    ++version_;
  }
  void remove(std::string_view group, std::string_view resource, std::string_view nsAndName) {
    objects_[key(group, resource)].erase(std::string(nsAndName));
    ++version_;
  }

  codec::DocumentPtr get(std::string_view group, std::string_view resource, std::string_view ns,
                         std::string_view name) const override {
    auto kind = objects_.find(key(group, resource));
    if (kind == objects_.end()) return nullptr;
    auto found = kind->second.find(concat(ns, "/", name));
    return found == kind->second.end() ? nullptr : found->second;
  }
  std::vector<codec::DocumentPtr> list(std::string_view group, std::string_view resource,
                                       std::string_view ns) const override {
    std::vector<codec::DocumentPtr> out;
    auto kind = objects_.find(key(group, resource));
    if (kind == objects_.end()) return out;
    for (const auto& [name, object] : kind->second) {
      if (ns.empty() || name.starts_with(concat(ns, "/"))) out.push_back(object);
    }
    return out;
  }
  int64_t version(std::string_view, std::string_view) const override { return version_; }
  Status update(std::string_view group, std::string_view resource, std::string_view,
                codec::DocumentPtr object) override {
    const codec::Value& metadata = object->root["metadata"];
    objects_[key(group, resource)][concat(metadata["namespace"].asString(), "/",
                                          metadata["name"].asString())] = object;
    ++version_;
    return okStatus();
  }

 private:
  static std::string key(std::string_view group, std::string_view resource) {
    return concat(group, "/", resource);
  }
  std::map<std::string, std::map<std::string, codec::DocumentPtr>> objects_;
  int64_t version_ = 1;
};

}  // namespace skiff::apiserver
