// Sees to it that each active namespace has the service account `default`.
#include "controllers/registry.h"
#include "gen/core_v1.h"

namespace skiff::controllers {
namespace {

using api::core::v1::Namespace;
using api::core::v1::ServiceAccount;

class ServiceAccountController final : public Controller {
 public:
  explicit ServiceAccountController(Context& context)
      : Controller(context, "serviceaccount", 2),
        namespaces_(context.informers.of<Namespace>()),
        accounts_(context.informers.of<ServiceAccount>()) {
    enqueueOwnKeys(namespaces_);
    accounts_.addHandler({.onDelete = [this](const auto& account) { queue().add(account->metadata.namespace_); }});
  }

  Result<client::Requeue> reconcile(const std::string& key) override {
    auto ns = namespaces_.getByKey(key);
    if (!ns || ns->status.phase == "Terminating" || ns->metadata.deletionTimestamp) return done();
    if (accounts_.get(key, "default")) return done();
    ServiceAccount account;
    account.metadata.name = "default";
    account.metadata.namespace_ = key;
    auto created = ctx_.client->create(account);
    if (created.ok() || created.failedWith(Reason::AlreadyExists) || isNamespaceTerminating(created.error()))
      return done();
    return std::move(created).error();
  }

 private:
  client::Informer<Namespace> namespaces_;
  client::Informer<ServiceAccount> accounts_;
};

}  // namespace

std::unique_ptr<Controller> createServiceAccountController(Context& context) {
  return std::make_unique<ServiceAccountController>(context);
}

}  // namespace skiff::controllers
