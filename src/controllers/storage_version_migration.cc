// StorageVersionMigrations: every object of a resource is written once as it is, which stores it in the version, and under the
// encryption key, of today. https://kubernetes.io/docs/tasks/manage-kubernetes-objects/storage-version-migration/
#include "base/log.h"
#include "base/strings.h"
#include "controllers/pod_util.h"
#include "controllers/registry.h"
#include "controllers/resource_catalog.h"
#include "gen/storagemigration_v1.h"

namespace skiff::controllers {
namespace {

using api::storagemigration::v1::StorageVersionMigration;
using client::Requeue;

constexpr int64_t kPageSize = 500;

class StorageVersionMigrator final : public Controller {
 public:
  // One worker: a migration is a storm of writes, and one at a time is enough.
  explicit StorageVersionMigrator(Context& context)
      : Controller(context, "storage-version-migrator", 1),
        migrations_(context.informers.of<StorageVersionMigration>()),
        crds_(context.informers.of<CustomResourceDefinition>()) {
    enqueueOwnKeys(migrations_);
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto migration = migrations_.getByKey(key);
    if (!migration || migration->metadata.deletionTimestamp || conditionIs(migration->status.conditions, "Succeeded", "True") ||
        conditionIs(migration->status.conditions, "Failed", "True"))
      return done();
    auto resource = resourceOf(migration->spec.resource.group, migration->spec.resource.resource);
    if (!resource) {
      TRY(tell(key, "Failed", "StorageVersionMigrationFailed", "resource not found", ""));
      return done();
    }
    auto first = TRY(ctx_.client->listObjects(*resource, {.limit = 1}));
    TRY(tell(key, "Running", "StorageVersionMigrationInProgress", "", first.resourceVersion));
    if (auto migrated = migrate(*resource); !migrated.ok()) {
      if (!isFinal(migrated.error())) return std::move(migrated).error();
      TRY(tell(key, "Failed", "StorageVersionMigrationFailed", migrated.error().message(), ""));
      return done();
    }
    TRY(tell(key, "Succeeded", "StorageVersionMigrationSucceeded", "", ""));
    return done();
  }

 private:
  std::optional<client::Resource> resourceOf(std::string_view group, std::string_view plural) const {
    for (client::Resource& resource : builtinResources({"list", "patch"}))
      if (resource.group == group && resource.plural == plural) return std::move(resource);
    for (const auto& crd : crds_.list())
      if (crd->spec.group == group && crd->spec.names.plural == plural) return servedResource(*crd);
    return std::nullopt;
  }

  Status migrate(const client::Resource& resource) {
    client::ListOptions options{.limit = kPageSize};
    do {
      auto page = TRY(ctx_.client->listObjects(resource, options));
      for (const api::ObjectPtr& object : page.items) TRY(rewrite(resource, *object));
      options.continueToken = page.continueToken;
    } while (!options.continueToken.empty());
    return okStatus();
  }

  // Who wrote in between, or deleted the object, has done the work.
  Status rewrite(const client::Resource& resource, const api::Object& object) {
    std::string body = concat(R"({"metadata":{"uid":)", quoted(object.metadata()["uid"].asString()), R"(,"resourceVersion":)",
                              quoted(object.resourceVersion()), "}}");
    auto patched = ctx_.client->patchObject(resource, object.ns(), object.name(), client::PatchType::Merge, std::move(body), {});
    if (patched.ok() || patched.failedWith(Reason::NotFound) || patched.failedWith(Reason::Conflict)) return okStatus();
    return std::move(patched).error();
  }

  // Trying again would not help: an object that is not valid any more, say.
  static bool isFinal(const Error& error) { return error.is(Reason::Invalid) || error.is(Reason::Forbidden) || error.is(Reason::MethodNotAllowed); }

  Status tell(const std::string& name, std::string_view type, std::string_view reason, std::string_view message, std::string_view version) {
    auto told = client::updateWithRetry<StorageVersionMigration>(*ctx_.client, "", name, [&](StorageVersionMigration& migration) {
      auto& conditions = migration.status.conditions;
      if (conditionIs(conditions, type, "True")) return false;
      if (type != "Running" && conditionIs(conditions, "Running", "True"))
        setCondition(conditions, "Running", "False", reason, message, ctx_.clock.now());
      setCondition(conditions, type, "True", reason, message, ctx_.clock.now());
      if (!version.empty()) migration.status.resourceVersion = std::string(version);
      return true;
    }, "status");
    if (!told.ok() && !told.failedWith(Reason::NotFound)) return std::move(told).error();
    return okStatus();
  }

  client::Informer<StorageVersionMigration> migrations_;
  client::Informer<CustomResourceDefinition> crds_;
};

}  // namespace

std::unique_ptr<Controller> createStorageVersionMigrator(Context& context) {
  return std::make_unique<StorageVersionMigrator>(context);
}

}  // namespace skiff::controllers
