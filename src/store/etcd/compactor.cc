#include "store/etcd/compactor.h"

#include "base/log.h"
#include "base/strings.h"

namespace skiff::store::etcd {
namespace {

constexpr std::string_view kKey = "compact_rev_key";  // upstream's: beside the prefix, not under it
constexpr milliseconds kTimeout{10'000};

}  // namespace

Compactor::Compactor(Api& api, milliseconds interval, std::function<void(int64_t)> compacted)
    : api_(api), interval_(interval), compacted_(std::move(compacted)) {
  if (interval_.count() > 0) thread_ = rt::Thread("etcd-compactor", [this] { run(); });
}

void Compactor::stop() {
  stop_.raise();
  if (thread_.joinable()) thread_.join();
}

void Compactor::run() {
  while (!stop_.waitFor(interval_))
    if (Status done = round(); !done.ok()) log::warn("Cannot compact etcd", {{"err", done.error().message()}});
}

Status Compactor::round() {
  std::string value = std::to_string(revision_);
  TxnRequest claim{.key = std::string(kKey),
                   .expect = TxnRequest::Expect::Version,
                   .expected = version_,
                   .value = value};
  Effect effect;
  TxnResponse answer = TRY(api_.txn(claim, kTimeout, effect));
  int64_t due = std::exchange(revision_, answer.revision);
  if (!answer.succeeded) {
    // Another server was first: it compacts.
    version_ = answer.current.empty() ? 0 : answer.current.front().version;
    if (!answer.current.empty())
      if (auto revision = parseInt(answer.current.front().value); revision && *revision > 0) compacted_(*revision);
    return okStatus();
  }
  ++version_;
  if (due == 0) return okStatus();
  Status done = api_.compact(due, kTimeout);
  // What is older than asked for has been compacted already.
  if (!done.ok() && !done.failedWith(Reason::Expired)) return done;
  compacted_(due);
  return okStatus();
}

}  // namespace skiff::store::etcd
