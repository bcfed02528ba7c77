#include "apiserver/crd_storage.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

// What v1 has in each version, and v1beta1 in the spec where all versions agree.
struct Shared {
  std::string_view inVersion, inSpec;
};
constexpr Shared kShared[] = {{"schema", "validation"},
                              {"subresources", "subresources"},
                              {"additionalPrinterColumns", "additionalPrinterColumns"},
                              {"selectableFields", "selectableFields"}};

void rename(Value& object, Arena& arena, std::string_view from, std::string_view to) {
  const Value* found = object.find(from);
  if (!found) return;
  Value value = *found;
  object.erase(from);
  object.set(arena, to, value);
}

// The only field whose name differs in its letters.
void renamePaths(Value& holder, Arena& arena, std::string_view from, std::string_view to) {
  Value* columns = holder.find("additionalPrinterColumns");
  if (!columns) return;
  for (Value& column : columns->items()) rename(column, arena, from, to);
}

bool allAgree(const Value& versions, std::string_view field) {
  for (const Value& version : versions.items())
    if (!(version[field] == versions.at(0)[field])) return false;
  return true;
}

void toStoredConversion(Value& conversion, Arena& arena) {
  const Value* found = conversion.find("webhook");
  if (!found) return;
  Value webhook = *found;
  conversion.erase("webhook");
  if (webhook.has("clientConfig")) conversion.set(arena, "webhookClientConfig", webhook["clientConfig"]);
  if (webhook.has("conversionReviewVersions"))
    conversion.set(arena, "conversionReviewVersions", webhook["conversionReviewVersions"]);
}

void fromStoredConversion(Value& conversion, Arena& arena) {
  Value webhook = Value::map();
  for (auto [stored, name] : {std::pair("webhookClientConfig", "clientConfig"),
                              std::pair("conversionReviewVersions", "conversionReviewVersions")}) {
    if (!conversion.has(stored)) continue;
    webhook.set(arena, name, std::as_const(conversion)[stored]);
    conversion.erase(stored);
  }
  if (!webhook.empty()) conversion.set(arena, "webhook", webhook);
}

}  // namespace

void definitionToStored(Value& object, Arena& arena) {
  object.set(arena, "apiVersion", Value::string("apiextensions.k8s.io/v1beta1"));
  Value* spec = object.find("spec");
  if (!spec) return;
  Value versions = std::as_const(*spec)["versions"].clone(arena);
  if (!versions.empty()) spec->set(arena, "version", std::as_const(versions).at(0)["name"]);
  for (const Shared& shared : kShared) {
    if (versions.empty() || !allAgree(versions, shared.inVersion)) continue;
    Value value = std::as_const(versions).at(0)[shared.inVersion];
    for (Value& version : versions.items()) version.erase(shared.inVersion);
    if (!value.isNull()) spec->set(arena, shared.inSpec, value);
  }
  for (Value& version : versions.items()) renamePaths(version, arena, "jsonPath", "JSONPath");
  renamePaths(*spec, arena, "jsonPath", "JSONPath");
  spec->set(arena, "versions", versions);
  if (Value* conversion = spec->find("conversion")) toStoredConversion(*conversion, arena);
  if (!spec->has("preserveUnknownFields")) spec->set(arena, "preserveUnknownFields", Value::boolean(false));
}

void definitionFromStored(Value& object, Arena& arena) {
  object.set(arena, "apiVersion", Value::string("apiextensions.k8s.io/v1"));
  Value* spec = object.find("spec");
  if (!spec) return;
  Value& versions = spec->child(arena, "versions");
  if (versions.empty() && spec->has("version")) {
    Value version = Value::map();
    version.set(arena, "name", std::as_const(*spec)["version"]);
    version.set(arena, "served", Value::boolean(true));
    version.set(arena, "storage", Value::boolean(true));
    versions = Value::list();
    versions.push(arena, version);
  }
  for (const Shared& shared : kShared) {
    const Value* value = spec->find(shared.inSpec);
    if (!value) continue;
    for (Value& version : spec->find("versions")->items())
      if (!version.has(shared.inVersion)) version.set(arena, shared.inVersion, value->clone(arena));
    spec->erase(shared.inSpec);
  }
  spec->erase("version");
  for (Value& version : spec->find("versions")->items()) renamePaths(version, arena, "JSONPath", "jsonPath");
  if (Value* conversion = spec->find("conversion")) fromStoredConversion(*conversion, arena);
  if (!std::as_const(*spec)["preserveUnknownFields"].asBool()) spec->erase("preserveUnknownFields");
}

}  // namespace skiff::apiserver
