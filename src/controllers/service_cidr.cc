// ServiceCIDRs: marks them ready, and keeps a deleted one while addresses of it are in use.
#include <arpa/inet.h>

#include "base/strings.h"
#include "controllers/pod_util.h"
#include "controllers/registry.h"
#include "controllers/service_cidr.h"

namespace skiff::controllers {

bool cidrContains(std::string_view cidr, std::string_view address) {
  auto parts = cut(cidr, "/");
  if (!parts) return false;
  auto bits = parseInt(parts->second);
  int family = address.find(':') == std::string_view::npos ? AF_INET : AF_INET6;
  unsigned char base[16] = {}, ip[16] = {};
  if (!bits || *bits < 0 || inet_pton(family, std::string(parts->first).c_str(), base) != 1 ||
      inet_pton(family, std::string(address).c_str(), ip) != 1)
    return false;
  for (int64_t i = 0; i < *bits && i < (family == AF_INET ? 32 : 128); ++i) {
    int shift = 7 - int(i % 8);
    if (((base[i / 8] ^ ip[i / 8]) >> shift) & 1) return false;
  }
  return true;
}

namespace {

using api::networking::v1::IPAddress;
using client::Requeue;

constexpr std::string_view kFinalizer = "networking.k8s.io/service-cidr-finalizer";

class ServiceCidrController final : public Controller {
 public:
  explicit ServiceCidrController(Context& context)
      : Controller(context, "service-cidr", 1),
        cidrs_(context.informers.of<ServiceCIDR>()),
        addresses_(context.informers.of<IPAddress>()) {
    cidrs_.addHandler([this](const auto&) { lookAtAll(); });
    addresses_.addHandler({.onDelete = [this](const auto&) { lookAtAll(); }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto known = cidrs_.getByKey(key);
    if (!known) return done();
    ServiceCIDR cidr = *known;
    auto& finalizers = cidr.metadata.finalizers;
    bool guarded = std::find(finalizers.begin(), finalizers.end(), kFinalizer) != finalizers.end();
    if (cidr.metadata.deletionTimestamp) {
      if (!guarded) return done();
      if (inUse(cidr))
        return setReady(cidr, "False", "Terminating",
                        "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new "
                        "ServiceCIDR");
      std::erase(finalizers, kFinalizer);
      auto written = ctx_.client->update(cidr);
      if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
      return done();
    }
    if (!guarded) {
      finalizers.emplace_back(kFinalizer);
      cidr = TRY(ctx_.client->update(cidr));
    }
    if (conditionIs(cidr.status.conditions, "Ready", "True")) return done();
    return setReady(cidr, "True", "", "Kubernetes Service CIDR is ready");
  }

 private:
  void lookAtAll() {
    for (const auto& cidr : cidrs_.list()) queue().add(cidr->metadata.name);
  }

  // An address that another ServiceCIDR covers too does not hold this one.
  bool inUse(const ServiceCIDR& cidr) const {
    auto covers = [](const ServiceCIDR& range, const std::string& ip) {
      return std::any_of(range.spec.cidrs.begin(), range.spec.cidrs.end(),
                         [&](const std::string& block) { return cidrContains(block, ip); });
    };
    for (const auto& address : addresses_.list()) {
      if (!covers(cidr, address->metadata.name)) continue;
      bool elsewhere = false;
      for (const auto& other : cidrs_.list())
        elsewhere |= other->metadata.uid != cidr.metadata.uid && !other->metadata.deletionTimestamp &&
                     covers(*other, address->metadata.name);
      if (!elsewhere) return true;
    }
    return false;
  }

  Result<Requeue> setReady(ServiceCIDR& cidr, std::string_view value, std::string_view reason, std::string_view message) {
    if (!setCondition(cidr.status.conditions, "Ready", value, reason, message, ctx_.clock.now())) return done();
    auto written = ctx_.client->updateStatus(cidr);
    if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    return done();
  }

  client::Informer<ServiceCIDR> cidrs_;
  client::Informer<IPAddress> addresses_;
};

}  // namespace

std::unique_ptr<Controller> createServiceCidrController(Context& context) {
  return std::make_unique<ServiceCidrController>(context);
}

}  // namespace skiff::controllers
