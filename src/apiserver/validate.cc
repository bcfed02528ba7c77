#include "apiserver/validate.h"

#include <set>

#include "apiserver/names.h"
#include "apiserver/object_meta.h"
#include "apiserver/strategies/declared.h"
#include "apiserver/strategies/labels.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr std::string_view kStandardFinalizers[] = {"kubernetes", "foregroundDeletion", "orphan"};

void validateName(const Field& metadata, const api::ResourceInfo& resource, FieldErrors& errors) {
  std::string_view prefix = metadata["generateName"].text();
  if (!prefix.empty()) {
    // A trailing dash is fine: a suffix follows.
    std::string whole(prefix);
    if (whole.size() > 1 && whole.back() == '-') whole.back() = 'a';
    for (std::string& fault : nameFaults(resource, whole))
      errors.invalid(metadata["generateName"].path, quoted(prefix), std::move(fault));
  }
  Field name = metadata["name"];
  if (name.text().empty()) return errors.required(name.path, "name or generateName is required");
  addFaults(errors, name, nameFaults(resource, name.text()));
}

void validateOwners(const Field& owners, FieldErrors& errors) {
  std::vector<const Value*> controllers;
  each(owners, [&](const Field& owner) {
    std::string_view apiVersion = owner["apiVersion"].text();
    auto slash = cut(apiVersion, "/");
    if (apiVersion.empty() || (slash && slash->second.empty()))
      errors.required(owner["apiVersion"].path, "must not be empty");
    for (std::string_view key : {"kind", "name", "uid"})
      if (owner[key].text().empty()) errors.required(owner[key].path, "must not be empty");
    if (owner["kind"].text() == "Event" && apiVersion == "v1")
      errors.invalid(owner.path, codec::toJson(*owner.value), "/v1, Kind=Event is disallowed from being an owner");
    if (owner["controller"].isTrue()) controllers.push_back(owner.value);
  });
  if (controllers.size() < 2) return;
  auto nameOf = [](const Value& owner) { return concat(owner["kind"].asString(), '/', owner["name"].asString()); };
  errors.invalid(owners.path, codec::toJson(*owners.value),
                 concat("Only one reference can have Controller set to true. Found \"true\" in references for ",
                        nameOf(*controllers[0]), " and ", nameOf(*controllers[1])));
}

void validateFinalizers(const Field& finalizers, FieldErrors& errors) {
  std::set<std::string_view> seen;
  each(finalizers, [&](const Field& finalizer) {
    std::string_view name = finalizer.text();
    addFaults(errors, finalizers.path, name, formats::qualifiedName(name));
    bool standard = std::ranges::find(kStandardFinalizers, name) != std::end(kStandardFinalizers);
    if (name.find('/') == std::string_view::npos && !standard && name != "customresourcecleanup.apiextensions.k8s.io")
      errors.invalid(finalizer.path, quoted(name), "name is neither a standard finalizer name nor is it fully qualified");
    seen.insert(name);
  });
  if (seen.contains("orphan") && seen.contains("foregroundDeletion"))
    errors.invalid(finalizers.path, codec::toJson(*finalizers.value),
                   "finalizer orphan and foregroundDeletion cannot be both set");
}

void validateCommon(const Field& metadata, FieldErrors& errors) {
  validateLabels(metadata["labels"], errors);
  validateAnnotations(metadata["annotations"], errors);
  validateOwners(metadata["ownerReferences"], errors);
  validateFinalizers(metadata["finalizers"], errors);
}

void validateNewFinalizers(const Field& metadata, const Value& was, FieldErrors& errors) {
  std::set<std::string_view> before;
  for (const Value& finalizer : was["finalizers"].items()) before.insert(finalizer.asString());
  std::vector<std::string> added;
  for (const Value& finalizer : metadata["finalizers"].value->items())
    if (!before.contains(finalizer.asString())) added.push_back(quoted(finalizer.asString()));
  if (added.empty()) return;
  errors.forbidden(metadata["finalizers"].path,
                   concat("no new finalizers can be added if the object is being deleted, found new finalizers []string{",
                          join(added, ", "), "}"));
}

// Fields that nobody may change once they are set.
void validateImmutable(const Field& metadata, const Value& was, FieldErrors& errors) {
  for (std::string_view key :
       {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    Field field = metadata[key];
    if (*field.value == was[key] || (field.text().empty() && was[key].asString().empty() && !field.value->isInt() && !was[key].isInt()))
      continue;
    errors.invalid(field.path, shown(*field.value), "field is immutable");
  }
}

// Subresources such as scale carry a kind of their own: the error names that one.
Status finish(const StrategyContext& context, const FieldErrors& errors) {
  if (errors.empty()) return okStatus();
  const AdmissionRequest& request = context.request;
  return errors.error(request.resource->group, request.resource->kind, (*request.object)["metadata"]["name"].asString());
}

}  // namespace

Status validateForCreate(StrategyContext& context, Strategy& strategy) {
  FieldErrors errors;
  const api::ResourceInfo& resource = *context.request.resource;
  Field metadata = rootField(context.object())["metadata"];
  validateName(metadata, resource, errors);
  if (resource.namespaced) addFaults(errors, metadata["namespace"], formats::dnsLabel(metadata["namespace"].text()));
  validateCommon(metadata, errors);
  strategy.validateCreate(context, errors);
  if (resource.type && !resource.type->custom) validateDeclared(*resource.type, context.object(), nullptr, errors);
  return finish(context, errors);
}

Status validateForUpdate(StrategyContext& context, Strategy& strategy) {
  FieldErrors errors;
  const api::ResourceInfo& resource = *context.request.resource;
  Field metadata = rootField(context.object())["metadata"];
  const Value& was = context.old()["metadata"];
  if (isDeleting(context.old())) validateNewFinalizers(metadata, was, errors);
  validateImmutable(metadata, was, errors);
  validateCommon(metadata, errors);
  strategy.validateUpdate(context, errors);
  if (resource.type && !resource.type->custom) validateDeclared(*resource.type, context.object(), &context.old(), errors);
  return finish(context, errors);
}

}  // namespace skiff::apiserver
