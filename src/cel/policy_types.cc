#include "cel/policy_types.h"

#include <vector>

namespace skiff::cel {
namespace {

const Type& text() { return simpleType(StaticType::String); }
const Type& texts(codec::Arena& arena) { return listType(text(), arena); }
const Type& textMap(codec::Arena& arena) { return mapType(text(), text(), arena); }

}  // namespace

const Type& admissionRequestType(codec::Arena& arena) {
  const TypeMember ofKind[] = {{"group", &text()}, {"version", &text()}, {"kind", &text()}};
  const TypeMember ofResource[] = {{"group", &text()}, {"version", &text()}, {"resource", &text()}};
  const TypeMember ofUser[] = {{"username", &text()},
                               {"uid", &text()},
                               {"groups", &texts(arena)},
                               {"extra", &mapType(text(), texts(arena), arena)}};
  const Type& kind = objectType("kubernetes.GroupVersionKind", ofKind, arena);
  const Type& resource = objectType("kubernetes.GroupVersionResource", ofResource, arena);
  const TypeMember ofRequest[] = {{"kind", &kind},
                                  {"resource", &resource},
                                  {"subResource", &text()},
                                  {"requestKind", &kind},
                                  {"requestResource", &resource},
                                  {"requestSubResource", &text()},
                                  {"name", &text()},
                                  {"namespace", &text()},
                                  {"operation", &text()},
                                  {"userInfo", &objectType("kubernetes.UserInfo", ofUser, arena)},
                                  {"dryRun", &simpleType(StaticType::Bool)},
                                  {"options", &simpleType(StaticType::Dyn)}};
  return objectType("kubernetes.AdmissionRequest", ofRequest, arena);
}

const Type& policyNamespaceType(codec::Arena& arena) {
  const Type &time = simpleType(StaticType::Timestamp), &number = simpleType(StaticType::Int);
  const TypeMember ofMetadata[] = {{"name", &text()},
                                   {"generateName", &text()},
                                   {"namespace", &text()},
                                   {"labels", &textMap(arena)},
                                   {"annotations", &textMap(arena)},
                                   {"UID", &text()},
                                   {"creationTimestamp", &time},
                                   {"deletionGracePeriodSeconds", &number},
                                   {"deletionTimestamp", &time},
                                   {"generation", &number},
                                   {"resourceVersion", &text()},
                                   {"finalizers", &texts(arena)}};
  const TypeMember ofCondition[] = {
      {"status", &text()}, {"type", &text()}, {"lastTransitionTime", &time}, {"message", &text()}, {"reason", &text()}};
  const TypeMember ofSpec[] = {{"finalizers", &texts(arena)}};
  const Type& condition = objectType("kubernetes.NamespaceCondition", ofCondition, arena);
  const TypeMember ofStatus[] = {{"conditions", &listType(condition, arena)}, {"phase", &text()}};
  const TypeMember ofNamespace[] = {{"metadata", &objectType("kubernetes.NamespaceMetadata", ofMetadata, arena)},
                                    {"spec", &objectType("kubernetes.NamespaceSpec", ofSpec, arena)},
                                    {"status", &objectType("kubernetes.NamespaceStatus", ofStatus, arena)}};
  return objectType("kubernetes.Namespace", ofNamespace, arena);
}

const Type& policyVariablesType(std::span<const PolicyVariableType> variables, codec::Arena& arena) {
  std::vector<TypeMember> members;
  for (const PolicyVariableType& variable : variables) members.push_back({variable.name, variable.type});
  return objectType("kubernetes.variables", members, arena);
}

const Type& variableTypeOf(const Type& result, codec::Arena& arena) {
  switch (result.kind) {
    case StaticType::List: return listType(variableTypeOf(*result.params[0], arena), arena);
    case StaticType::Map: return mapType(variableTypeOf(*result.params[0], arena), variableTypeOf(*result.params[1], arena), arena);
    case StaticType::Type:
    case StaticType::Optional:
    case StaticType::Object:
    case StaticType::Opaque: return simpleType(StaticType::Dyn);
    default: return simpleType(result.kind);
  }
}

}  // namespace skiff::cel
