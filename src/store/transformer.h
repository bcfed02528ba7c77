// Values as they are kept outside of this process, on a disk or in an etcd: encryption at rest. In memory they are plain.
#pragma once
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "base/strings.h"

namespace skiff::store {

// Thread safe. A value is bound to its key: it cannot be opened under another.
class Transformer {
 public:
  virtual ~Transformer() = default;
  // What is written for the key. Refused when the means for it cannot be had: then nothing is written at all.
  virtual Result<std::string> seal(std::string_view key, std::string_view value) = 0;
  // The value of what was written, by whatever was configured then.
  virtual Result<std::string> open(std::string_view key, std::string_view stored) = 0;
  // The part of what is stored that tells how it was sealed; "": it is plain.
  virtual std::string sealOf(std::string_view stored) const = 0;
  // Whether seal() would do it otherwise now than with this seal: by another provider, or with another key.
  virtual bool isStale(std::string_view key, std::string_view seal) = 0;
};

// By which seal the keys are stored, as far as they are not plain: about 150 bytes for each.
class SealNotes {
 public:
  void note(std::string_view key, std::string seal) {
    std::lock_guard lock(mutex_);
    if (seal.empty()) {
      if (auto found = seals_.find(key); found != seals_.end()) seals_.erase(found);
    } else {
      seals_[std::string(key)] = std::move(seal);
    }
  }
  std::string find(std::string_view key) const {
    std::lock_guard lock(mutex_);
    auto found = seals_.find(key);
    return found == seals_.end() ? std::string() : found->second;
  }

 private:
  mutable std::mutex mutex_;  // guards seals_
  std::unordered_map<std::string, std::string, StringHash, std::equal_to<>> seals_;
};

}  // namespace skiff::store
