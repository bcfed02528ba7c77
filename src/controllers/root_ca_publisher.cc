// Publishes the cluster's CA certificate as the config map kube-root-ca.crt in each namespace.
#include "controllers/registry.h"
#include "gen/core_v1.h"

namespace skiff::controllers {
namespace {

using api::core::v1::ConfigMap;
using api::core::v1::Namespace;

constexpr std::string_view kConfigMapName = "kube-root-ca.crt";
constexpr std::string_view kDescriptionKey = "kubernetes.io/description";
constexpr std::string_view kDescription =
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters.";

class RootCaPublisher final : public Controller {
 public:
  explicit RootCaPublisher(Context& context)
      : Controller(context, "root-ca-publisher", 2),
        namespaces_(context.informers.of<Namespace>()),
        configMaps_(context.informers.of<ConfigMap>()) {
    enqueueOwnKeys(namespaces_);
    auto onChange = [this](const std::shared_ptr<const ConfigMap>& map) {
      if (map->metadata.name == kConfigMapName) queue().add(map->metadata.namespace_);
    };
    configMaps_.addHandler({.onUpdate = [onChange](const auto&, const auto& now) { onChange(now); }, .onDelete = onChange});
  }

  Result<client::Requeue> reconcile(const std::string& key) override {
    auto ns = namespaces_.getByKey(key);
    if (ctx_.options.rootCaPem.empty() || !ns || ns->metadata.deletionTimestamp) return done();
    ConfigMap wanted;
    wanted.metadata.name = std::string(kConfigMapName);
    wanted.metadata.namespace_ = key;
    wanted.metadata.annotations = {{std::string(kDescriptionKey), std::string(kDescription)}};
    wanted.data = {{"ca.crt", ctx_.options.rootCaPem}};
    auto existing = configMaps_.get(key, kConfigMapName);
    if (!existing) {
      auto created = ctx_.client->create(wanted);
      if (created.ok() || created.failedWith(Reason::AlreadyExists) || isNamespaceTerminating(created.error()))
        return done();
      return std::move(created).error();
    }
    auto annotation = existing->metadata.annotations.find(std::string(kDescriptionKey));
    bool described = annotation != existing->metadata.annotations.end() && !annotation->second.empty();
    if (existing->data == wanted.data && described) return done();
    ConfigMap repaired = *existing;
    repaired.data = wanted.data;
    repaired.metadata.annotations[std::string(kDescriptionKey)] = std::string(kDescription);
    auto updated = ctx_.client->update(repaired);
    if (!updated.ok() && !updated.failedWith(Reason::NotFound)) return std::move(updated).error();
    return done();
  }

 private:
  client::Informer<Namespace> namespaces_;
  client::Informer<ConfigMap> configMaps_;
};

}  // namespace

std::unique_ptr<Controller> createRootCaPublisher(Context& context) { return std::make_unique<RootCaPublisher>(context); }

}  // namespace skiff::controllers
