// `skiff store verify|snapshot|restore`: the store's offline tools.
#include <cstdio>

#include "base/flags.h"
#include "base/strings.h"
#include "cmd/commands.h"
#include "store/engine.h"

namespace skiff::cmd {
namespace {

int report(const Status& status) { return status.ok() ? 0 : fail(status.error().message()); }

int verify(const std::string& directory) {
  auto found = store::verifyStore(directory);
  if (!found.ok()) return fail(found.error().message());
  for (const auto& fault : found->faults) std::printf("fault: %s\n", fault.c_str());
  std::printf("%llu keys, %llu bytes, revision %lld, %zu faults\n", static_cast<unsigned long long>(found->keys),
              static_cast<unsigned long long>(found->bytes), static_cast<long long>(found->revision),
              found->faults.size());
  return found->faults.empty() ? 0 : 1;
}

}  // namespace

int runStore(const Args& args) {
  std::string dataDir = "/var/lib/skiff";
  Flags flags;
  flags.text("data-dir", &dataDir, "the cluster's data directory");
  auto rest = flags.parse(args);
  if (!rest.ok()) return fail(rest.error().message());
  std::string directory = dataDir + "/store";
  if (rest->size() == 1 && rest->at(0) == "verify") return verify(directory);
  if (rest->size() == 2 && rest->at(0) == "snapshot") return report(store::snapshotStore(directory, rest->at(1)));
  if (rest->size() == 2 && rest->at(0) == "restore") return report(store::restoreStore(rest->at(1), directory));
  return fail("usage: skiff store verify | snapshot FILE | restore FILE  [--data-dir DIR]");
}

}  // namespace skiff::cmd
