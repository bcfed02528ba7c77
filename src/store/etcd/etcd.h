// A store that lies in an etcd v3 cluster, which other API servers may write as well.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/store.h"
#include "store/transformer.h"

namespace skiff::store {

struct EtcdOptions {
  std::vector<std::string> servers;  // "https://10.0.0.1:2379"
  std::string caPem;                 // empty: the system's roots
  std::string certPem, keyPem;       // shown to etcd; may be empty
  std::string prefix = "/registry";
  std::chrono::milliseconds compactionInterval{300'000};  // 0: this server does not compact
  std::chrono::milliseconds startTimeout{60'000};         // for etcd to be there
  std::function<bool()> startAbandoned;                   // asked meanwhile: nobody wants it any more; may be empty
  // Of the past in memory, as of the embedded engine.
  size_t maxWindowEvents = 200000;
  size_t maxWindowBytes = 256 << 20;
  std::shared_ptr<Transformer> transformer;  // of values on their way to etcd and back; null: none
  const Clock* clock = &Clock::real();
};

// Everything under the prefix is in memory when it returns.
Result<std::unique_ptr<Store>> openEtcdStore(EtcdOptions options);

}  // namespace skiff::store
