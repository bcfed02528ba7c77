#include "apiserver/bootstrap.h"

#include "apiserver/auth/policy_reconcile.h"
#include "apiserver/object_meta.h"
#include "apiserver/status.h"
#include "base/log.h"
#include "base/strings.h"
#include "codec/json.h"
#include "rt/executor.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

// The objects are created side by side, so that they share the store's group commits: a boot waits for a few syncs, not for
// hundreds.
constexpr size_t kWorkers = 32;

struct Item {
  ServedPtr resource;
  DocumentEdit document;
  std::string ns, name;
  bool exists = false;  // and lacks some of its policy
};

Result<std::optional<Item>> parseItem(Registry& registry, const std::string& json) {
  auto document = std::make_shared<codec::Document>();
  document->root = TRY(codec::parseJson(json, document->arena));
  std::string_view apiVersion = document->root["apiVersion"].asString();
  auto slash = cut(apiVersion, "/");
  Item item;
  item.resource = registry.resources().current()->findKind(slash ? slash->first : "", slash ? slash->second : apiVersion,
                                                           document->root["kind"].asString());
  if (!item.resource) return std::optional<Item>();  // switched off by runtimeConfig
  item.ns = document->root["metadata"]["namespace"].str();
  item.name = document->root["metadata"]["name"].str();
  item.document = std::move(document);
  if (store::RecordPtr record = registry.store().get(item.resource->keyOf(item.ns, item.name))) {
    if (item.resource->info->group != "rbac.authorization.k8s.io") return std::optional<Item>();
    // Almost always there is nothing to add: looked at without a write.
    auto live = TRY(storedObject(record, *item.resource));
    codec::Arena arena;
    Value tree = live->root().clone(arena);
    if (!addMissingPolicy(tree, item.document->root, arena)) return std::optional<Item>();
    item.exists = true;
  }
  return std::optional<Item>(std::move(item));
}

WriteCall callFor(const Item& item, std::vector<std::string>& warnings) {
  WriteCall call;
  call.user = &serverUser();
  call.resource = item.resource;
  call.ns = item.ns;
  call.name = item.name;
  call.tracked = false;
  call.warnings = &warnings;
  call.admit = false;
  return call;
}

Status reconcileItem(Registry& registry, const Item& item) {
  std::vector<std::string> warnings;
  auto updated = registry.update(callFor(item, warnings), {.patch = true}, [&](const Value* live, codec::Arena& arena) -> Result<Value> {
    Value tree = live->clone(arena);
    addMissingPolicy(tree, item.document->root, arena);
    return tree;
  });
  if (!updated.ok()) return std::move(updated).error().wrap(concat("bootstrap ", item.resource->info->plural, ' ', item.name));
  return okStatus();
}

Status createItem(Registry& registry, const Item& item) {
  ExpectedKind kind = expectedKind(*item.resource);
  std::vector<std::string> unknown, warnings;
  TRY(conformObject(item.document->root, kind, item.document->arena, unknown));
  defaultObject(item.document->root, kind, item.document->arena);
  auto created = registry.create(callFor(item, warnings), item.document);
  if (created.ok() || created.failedWith(Reason::AlreadyExists)) return okStatus();
  return std::move(created).error().wrap(concat("bootstrap ", item.resource->info->plural, ' ', item.name));
}

}  // namespace

Status createBootstrapObjects(Registry& registry, const std::vector<std::string>& objects) {
  std::vector<Item> missing;
  for (const std::string& json : objects) {
    std::optional<Item> item = TRY(parseItem(registry, json));
    if (item) missing.push_back(*std::move(item));
  }
  if (missing.empty()) return okStatus();
  auto workers = rt::Executor::create({.name = "bootstrap", .maxThreads = kWorkers, .maxQueue = missing.size()});
  std::mutex mutex;  // guards first
  std::optional<Error> first;
  for (const Item& item : missing) {
    workers->submit([&registry, &item, &mutex, &first] {
      Status created = item.exists ? reconcileItem(registry, item) : createItem(registry, item);
      if (created.ok()) return;
      std::lock_guard lock(mutex);
      if (!first) first = created.error();
    });
  }
  workers->stop();
  if (first) return *std::move(first);
  return okStatus();
}

}  // namespace skiff::apiserver
