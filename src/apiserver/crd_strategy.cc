#include "apiserver/crd_strategy.h"

#include "apiserver/crd_validation.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

Value& mapAt(Value& parent, Arena& arena, std::string_view key) {
  Value& child = parent.child(arena, key);
  if (!child.isMap()) child = Value::map();
  return child;
}

std::string storageVersion(const Value& object) {
  for (const Value& version : object["spec"]["versions"].items())
    if (version["storage"].asBool()) return version["name"].str();
  return {};
}

class DefinitionStrategy final : public Strategy {
 public:
  void prepareCreate(StrategyContext& context) override {
    Value status = Value::map();
    Value names = Value::map();
    names.set(context.arena(), "plural", Value::string(""));
    names.set(context.arena(), "kind", Value::string(""));
    status.set(context.arena(), "conditions", Value::null());
    status.set(context.arena(), "acceptedNames", names);
    addStored(status, context.object(), context.arena());
    context.object().set(context.arena(), "status", status);
  }
  void prepareUpdate(StrategyContext& context) override {
    if (!context.request.subresource.empty()) return;
    addStored(mapAt(context.object(), context.arena(), "status"), context.object(), context.arena());
  }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    validateDefinition(context.object(), nullptr, errors);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (context.request.subresource.empty()) validateDefinition(context.object(), &context.old(), errors);
  }
  bool allowUnconditionalUpdate() const override { return false; }

 private:
  // Objects may lie in the store in every version that was ever the storage version.
  static void addStored(Value& status, const Value& object, Arena& arena) {
    std::string version = storageVersion(object);
    if (version.empty()) return;
    Value& stored = status.child(arena, "storedVersions");
    if (!stored.isList()) stored = Value::list();
    for (const Value& item : std::as_const(stored).items())
      if (item.asString() == version) return;
    stored.push(arena, Value::text(arena, version));
  }
};

}  // namespace

std::unique_ptr<Strategy> makeDefinitionStrategy() { return std::make_unique<DefinitionStrategy>(); }

}  // namespace skiff::apiserver
