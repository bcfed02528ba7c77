// --etcd-servers and its kin, as upstream names them.
#pragma once
#include <string>

#include "base/flags.h"
#include "store/etcd/etcd.h"

namespace skiff::cmd {

struct EtcdFlags {
  std::string servers, cafile, certfile, keyfile, prefix = "/registry", compactionInterval = "5m0s";
  void add(Flags& flags);
  // Without servers: the embedded store.
  Result<store::EtcdOptions> options() const;
};

}  // namespace skiff::cmd
