// What can be known of a ValidatingAdmissionPolicy's expressions before any request: mistakes of fields and types, for each
// kind that the policy's rules name.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "cel/types.h"
#include "gen/admissionregistration_v1.h"

namespace skiff::controllers {

using api::admissionregistration::v1::ExpressionWarning;
using api::admissionregistration::v1::ValidatingAdmissionPolicy;

struct GroupVersionKind {
  std::string group, version, kind;
  auto operator<=>(const GroupVersionKind&) const = default;
};

// The kinds of a cluster: those of the tables and those of established CustomResourceDefinitions.
class KindCatalog {
 public:
  explicit KindCatalog(std::vector<api::ObjectPtr> definitions) : definitions_(std::move(definitions)) {}
  // Of a resource, by its plural or singular. As in upstream's REST mapper "" is any group: "events" are two kinds.
  std::vector<GroupVersionKind> kindsOf(std::string_view group, std::string_view version, std::string_view resource) const;
  // Null when nothing is known of the kind.
  const cel::Type* typeOf(const GroupVersionKind& kind, std::string_view typeName, codec::Arena& arena) const;

 private:
  std::vector<api::ObjectPtr> definitions_;
};

// The kinds that a policy's rules name, in order: no wildcards, no subresources, and not many.
std::set<GroupVersionKind> kindsToCheck(const ValidatingAdmissionPolicy& policy, const KindCatalog& catalog);

// For each expression with mistakes one warning, with a paragraph for each kind. `typeNumber` and those after it make the
// names of types ("Deployment17.spec") unlike those that expressions can name.
std::vector<ExpressionWarning> checkPolicyTypes(const ValidatingAdmissionPolicy& policy, const KindCatalog& catalog,
                                                uint64_t typeNumber);

}  // namespace skiff::controllers
