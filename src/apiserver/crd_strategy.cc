#include "apiserver/crd_strategy.h"

#include "apiserver/crd.h"
#include "apiserver/object_codec.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kTypes[] = {"array", "boolean", "integer", "number", "object", "string"};
constexpr std::string_view kApproval = "api-approved.kubernetes.io";

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

class SchemaCheck {
 public:
  explicit SchemaCheck(FieldErrors& errors) : errors_(errors) {}
  void run(const Value& schema, const std::string& path) {
    needsType(schema, path, true, 0);
    walk(schema, path, 0);
  }

 private:
  // A structural schema says the type of everything.
  void needsType(const Value& schema, const std::string& path, bool root, int depth) {
    if (depth > 100) return;
    for (const codec::Member& member : schema["properties"].members())
      needsType(member.value, concat(path, ".properties[", member.key, "]"), false, depth + 1);
    if (schema["items"].isMap()) needsType(schema["items"], path + ".items", false, depth + 1);
    if (schema["additionalProperties"].isMap())
      needsType(schema["additionalProperties"], path + ".additionalProperties", false, depth + 1);
    if (!schema["type"].asString().empty() || schema["x-kubernetes-int-or-string"].asBool()) return;
    if (root) return errors_.required(path + ".type", "must not be empty at the root");
    if (schema["x-kubernetes-preserve-unknown-fields"].asBool()) return;
    bool item = path.ends_with(".items");
    errors_.required(path + ".type", item ? "must not be empty for specified array items"
                                          : "must not be empty for specified object fields");
  }
  void walk(const Value& schema, const std::string& path, int depth) {
    if (depth > 100) return errors_.forbidden(path, "schema is nested too deeply");
    std::string_view type = schema["type"].asString();
    if (!type.empty() && std::ranges::find(kTypes, type) == std::end(kTypes))
      errors_.notSupported(path + ".type", std::string(type), std::vector<std::string>(std::begin(kTypes), std::end(kTypes)));
    if (depth == 0 && !type.empty() && type != "object")
      errors_.invalid(path + ".type", quoted(type), "must be object at the root");
    if (type == "array" && !schema["items"].isMap())
      errors_.required(path + ".items", "must be specified");
    for (const codec::Member& member : schema["properties"].members())
      walk(member.value, concat(path, ".properties[", member.key, "]"), depth + 1);
    if (schema["items"].isMap()) walk(schema["items"], path + ".items", depth + 1);
    if (schema["additionalProperties"].isMap()) walk(schema["additionalProperties"], path + ".additionalProperties", depth + 1);
  }
  FieldErrors& errors_;
};

}  // namespace

void defaultDefinition(Value& object, Arena& arena) {
  Value& spec = mapAt(object, arena, "spec");
  Value& names = mapAt(spec, arena, "names");
  std::string kind = names["kind"].str();
  if (names["singular"].asString().empty() && !kind.empty())
    names.set(arena, "singular", Value::text(arena, toLower(kind)));
  if (names["listKind"].asString().empty() && !kind.empty())
    names.set(arena, "listKind", Value::text(arena, kind + "List"));
  Value& conversion = mapAt(spec, arena, "conversion");
  if (conversion["strategy"].asString().empty()) conversion.set(arena, "strategy", Value::string("None"));
}

void validateDefinition(const Value& object, const Value* old, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const Value& names = spec["names"];
  std::string group = spec["group"].str(), plural = names["plural"].str();
  std::string wanted = concat(plural, '.', group);
  if (object["metadata"]["name"].asString() != wanted)
    errors.invalid("metadata.name", quoted(object["metadata"]["name"].asString()),
                   "must be spec.names.plural+\".\"+spec.group");
  bool protectedGroup = group == "k8s.io" || group.ends_with(".k8s.io") || group == "kubernetes.io" ||
                        group.ends_with(".kubernetes.io");
  if (group.empty()) errors.required("spec.group", "");
  else if (group.find('.') == std::string::npos)
    errors.invalid("spec.group", quoted(group), "should be a domain with at least one dot");
  std::string_view scope = spec["scope"].asString();
  if (scope != "Cluster" && scope != "Namespaced")
    errors.notSupported("spec.scope", std::string(scope), {"Cluster", "Namespaced"});
  size_t storages = 0, index = 0;
  bool several = spec["versions"].size() > 1;
  for (const Value& version : spec["versions"].items()) {
    std::string path = concat("spec.versions[", index++, "]");
    if (version["name"].asString().empty()) errors.required(path + ".name", "");
    if (version["storage"].asBool()) ++storages;
    const Value& schema = version["schema"]["openAPIV3Schema"];
    std::string schemaPath = several ? path + ".schema.openAPIV3Schema" : "spec.validation.openAPIV3Schema";
    if (!schema.isMap()) errors.required(several ? path + ".schema.openAPIV3Schema" : "spec.versions[0].schema.openAPIV3Schema", "schemas are required");
    else SchemaCheck(errors).run(schema, schemaPath);
  }
  if (storages != 1)
    errors.invalid("spec.versions", codec::toJson(spec["versions"]), "must have exactly one version marked as storage version");
  if (plural.empty()) errors.required("spec.names.plural", "");
  if (names["kind"].asString().empty()) errors.required("spec.names.kind", "");
  const Value& stored = object["status"]["storedVersions"];
  if (stored.empty())
    errors.invalid("status.storedVersions", stored.isList() ? "[]" : "null", "must have at least one stored version");
  if (protectedGroup && object["metadata"]["annotations"][kApproval].asString().empty())
    errors.required(concat("metadata.annotations[", kApproval, "]"),
                    concat("protected groups must have approval annotation \"", kApproval,
                           "\", see https://github.com/kubernetes/enhancements/pull/1111"));
  if (!old) return;
  const Value& was = (*old)["spec"];
  auto immutable = [&](const Value& a, const Value& b, std::string path) {
    if (!(a == b)) errors.invalid(std::move(path), codec::toJson(a), "field is immutable");
  };
  immutable(spec["group"], was["group"], "spec.group");
  immutable(spec["scope"], was["scope"], "spec.scope");
  immutable(names["plural"], was["names"]["plural"], "spec.names.plural");
  immutable(names["kind"], was["names"]["kind"], "spec.names.kind");
}

namespace {

class DefinitionStrategy final : public Strategy {
 public:
  void applyDefaults(Value& object, Arena& arena) override { defaultDefinition(object, arena); }
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
