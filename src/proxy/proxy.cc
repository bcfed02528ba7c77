#include "proxy/proxy.h"

#include <fstream>

#include "base/log.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "client/informer.h"
#include "client/workqueue.h"
#include "proxy/ruleset.h"

namespace skiff::proxy {
namespace {

using api::core::v1::Service;
using api::discovery::v1::EndpointSlice;

constexpr milliseconds kSyncTimeout{60000}, kNftTimeout{30000};
constexpr milliseconds kGather{10};  // changes that come together share a transaction
const std::string kAll = "all";

Status runNft(const std::string& script) {
  auto result = TRY(runProcess({"nft", "-f", "-"}, script, kNftTimeout));
  if (result.exitCode == 0) return okStatus();
  return internalError(concat("nft: ", trim(std::string_view(result.errors).substr(0, 2000))));
}

void setSysctl(const std::string& name, std::string_view value) {
  std::ofstream file("/proc/sys/" + replaceAll(name, ".", "/"));
  if (!(file << value)) log::warn("Kernel setting was not written", {{"name", name}});
}

class Proxy final : public client::Role {
 public:
  explicit Proxy(ProxyOptions options)
      : options_(std::move(options)),
        client_(std::make_shared<client::Client>(options_.transport, "kube-proxy")),
        informers_(client::InformerFactory::create(client_)),
        services_(informers_->of<Service>()),
        slices_(informers_->of<EndpointSlice>()),
        loop_("proxy", 1, [this](const std::string&) { return sync(); },
              {.first = milliseconds(100), .most = milliseconds(10000)}) {}
  ~Proxy() override { stop(); }

  Status start() override {
    setSysctl("net.ipv4.ip_forward", "1");
    setSysctl("net.bridge.bridge-nf-call-iptables", "1");  // replies between pods of one bridge meet the NAT again
    services_.addHandler([this](const auto&) { loop_.queue().addAfter(kAll, kGather); });
    slices_.addHandler([this](const auto&) { loop_.queue().addAfter(kAll, kGather); });
    informers_->start();
    if (!informers_->waitForSync(kSyncTimeout)) return Error(Reason::Timeout, "proxy: caches did not sync");
    TRY(sync());
    loop_.start();
    return okStatus();
  }

  void stop() override {
    informers_->stop();
    loop_.stop();
  }

 private:
  // The rules stay when the proxy ends: running pods keep their services while it restarts.
  Result<client::Requeue> sync() {
    auto wanted = rulesetOf(rulesOf(services_.list(), slices_.list(), options_.nodeName), options_.clusterCidr);
    auto script = applied_ ? deltaScript(options_.tableName, *applied_, wanted)
                           : rebuildScript(options_.tableName, wanted);
    if (script.empty()) return client::Requeue{};
    auto status = runNft(script);
    if (!status.ok()) {
      applied_.reset();  // somebody else changed the table: make it anew
      return std::move(status).error();
    }
    applied_ = std::move(wanted);
    return client::Requeue{};
  }

  ProxyOptions options_;
  std::shared_ptr<client::Client> client_;
  std::unique_ptr<client::InformerFactory> informers_;
  client::Informer<Service> services_;
  client::Informer<EndpointSlice> slices_;
  std::optional<Ruleset> applied_;  // start(), then the loop's one worker
  client::ReconcileLoop loop_;
};

}  // namespace

Status removeRules(const std::string& tableName) {
  return runNft(concat("add table ip ", tableName, "\ndelete table ip ", tableName, "\n"));
}

std::unique_ptr<client::Role> createProxy(ProxyOptions options) { return std::make_unique<Proxy>(std::move(options)); }

}  // namespace skiff::proxy
