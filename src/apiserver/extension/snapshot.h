// Something made from all objects of some resources, made anew when one of them has been written.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apiserver/request.h"

namespace skiff::apiserver::extension {

template <class T>
class Snapshot {
 public:
  // Resources of admissionregistration.k8s.io.
  Snapshot(const ClusterReader& cluster, std::vector<std::string> resources)
      : cluster_(cluster), resources_(std::move(resources)), versions_(resources_.size(), -1) {}

  template <class Make>
  std::shared_ptr<const T> get(Make make) {
    std::lock_guard lock(mutex_);
    bool fresh = current_ != nullptr;
    for (size_t i = 0; i < resources_.size(); ++i) {
      int64_t version = cluster_.version("admissionregistration.k8s.io", resources_[i]);
      if (version != versions_[i]) fresh = false;
      versions_[i] = version;  // read before the objects: a write in between makes the next call look again
    }
    if (!fresh) current_ = std::make_shared<const T>(make(cluster_));
    return current_;
  }

 private:
  const ClusterReader& cluster_;
  const std::vector<std::string> resources_;
  std::mutex mutex_;  // guards what follows
  std::vector<int64_t> versions_;
  std::shared_ptr<const T> current_;
};

}  // namespace skiff::apiserver::extension
