// Skiff's keys begin with "/registry/"; in etcd they lie under --etcd-prefix.
#pragma once
#include <string>
#include <string_view>

#include "base/strings.h"

namespace skiff::store::etcd {

class KeyPrefix {
 public:
  static constexpr std::string_view kOwn = "/registry/";

  // "/registry", "registry/" and the like.
  explicit KeyPrefix(std::string_view prefix) {
    while (prefix.starts_with('/')) prefix.remove_prefix(1);
    while (prefix.ends_with('/')) prefix.remove_suffix(1);
    outside_ = prefix.empty() ? "/" : concat('/', prefix, '/');
  }
  const std::string& outside() const { return outside_; }
  std::string toEtcd(std::string_view key) const { return concat(outside_, key.substr(kOwn.size())); }
  std::string fromEtcd(std::string_view key) const { return concat(kOwn, key.substr(outside_.size())); }

 private:
  std::string outside_;
};

}  // namespace skiff::store::etcd
