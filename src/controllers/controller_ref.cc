#include "controllers/controller_ref.h"

#include "base/strings.h"
#include "codec/json.h"

namespace skiff::controllers {

const OwnerReference* controllerOf(const ObjectMeta& meta) {
  for (const OwnerReference& ref : meta.ownerReferences)
    if (ref.controller.value_or(false)) return &ref;
  return nullptr;
}

OwnerReference newControllerRef(std::string apiVersion, std::string_view kind, const ObjectMeta& owner) {
  OwnerReference ref;
  ref.apiVersion = std::move(apiVersion);
  ref.kind = std::string(kind);
  ref.name = owner.name;
  ref.uid = owner.uid;
  ref.controller = true;
  ref.blockOwnerDeletion = true;
  return ref;
}

std::string orphanIndexValue(std::string_view ns) { return concat("orphan/", ns); }

std::vector<std::string> controllerIndexValues(const ObjectMeta& meta) {
  const OwnerReference* ref = controllerOf(meta);
  return {ref != nullptr ? ref->uid : orphanIndexValue(meta.namespace_)};
}

Claim decideClaim(const ObjectMeta& object, const ObjectMeta& owner, bool selectorMatches) {
  if (const OwnerReference* ref = controllerOf(object)) {
    if (ref->uid != owner.uid) return Claim::Ignore;
    if (selectorMatches) return Claim::Keep;
    return owner.deletionTimestamp ? Claim::Ignore : Claim::Release;
  }
  if (owner.deletionTimestamp || !selectorMatches || object.deletionTimestamp) return Claim::Ignore;
  if (!owner.namespace_.empty() && owner.namespace_ != object.namespace_) return Claim::Ignore;
  return Claim::Adopt;
}

namespace {

std::string jsonText(std::string_view text) {
  std::string out;
  codec::writeJsonString(out, text);
  return out;
}

}  // namespace

std::string adoptPatch(const OwnerReference& owner, std::string_view objectUid,
                       const std::vector<std::string>& finalizers) {
  std::string extra;
  if (!finalizers.empty()) {
    std::vector<std::string> names;
    for (const std::string& name : finalizers) names.push_back(jsonText(name));
    extra = concat(R"(,"finalizers":[)", join(names, ","), "]");
  }
  return concat(R"({"metadata":{"ownerReferences":[)", api::toJson(owner), R"(],"uid":)", jsonText(objectUid), extra,
                "}}");
}

std::string releasePatch(std::string_view ownerUid, std::string_view objectUid) {
  return concat(R"({"metadata":{"ownerReferences":[{"$patch":"delete","uid":)", jsonText(ownerUid), R"(}],"uid":)",
                jsonText(objectUid), "}}");
}

}  // namespace skiff::controllers
