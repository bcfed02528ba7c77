// --etcd-servers and its kin, as upstream names them.
#pragma once
#include <chrono>
#include <string>

#include "base/flags.h"
#include "store/etcd/etcd.h"

namespace skiff::cmd {

struct EtcdFlags {
  std::string servers, cafile, certfile, keyfile, prefix = "/registry";
  std::chrono::milliseconds compactionInterval = std::chrono::minutes(5);
  void add(Flags& flags);
  // Without servers: the embedded store.
  Result<store::EtcdOptions> options() const;
};

}  // namespace skiff::cmd
