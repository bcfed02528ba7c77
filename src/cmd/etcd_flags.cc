#include "cmd/etcd_flags.h"

#include "base/strings.h"
#include "cmd/duration_flag.h"
#include "cmd/files.h"

namespace skiff::cmd {

void EtcdFlags::add(Flags& flags) {
  flags.text("etcd-servers", &servers, "members of an etcd cluster (scheme://ip:port), comma separated; default: the embedded store")
      .text("etcd-cafile", &cafile, "CA of etcd's certificates")
      .text("etcd-certfile", &certfile, "certificate shown to etcd")
      .text("etcd-keyfile", &keyfile, "its key")
      .text("etcd-prefix", &prefix, "what all keys in etcd begin with");
  addDuration(flags, "etcd-compaction-interval", &compactionInterval,
              "how long older states can be read and watched from; 0: as long as memory allows");
}

Result<store::EtcdOptions> EtcdFlags::options() const {
  store::EtcdOptions options;
  for (std::string_view server : splitNonEmpty(servers, ',')) options.servers.emplace_back(trim(server));
  options.prefix = prefix;
  options.compactionInterval = compactionInterval;
  if (!cafile.empty()) options.caPem = TRY(readFile(cafile));
  if (!certfile.empty()) options.certPem = TRY(readFile(certfile));
  if (!keyfile.empty()) options.keyPem = TRY(readFile(keyfile));
  return options;
}

}  // namespace skiff::cmd
