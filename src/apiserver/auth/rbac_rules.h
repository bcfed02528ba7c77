// Rules of roles: what they allow, and whether some rules cover others (escalation).
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/request.h"

namespace skiff::apiserver::rbac {

struct Rule {
  std::vector<std::string> verbs, apiGroups, resources, resourceNames, nonResourceUrls;

  bool allows(const RequestInfo& request) const;
  // As upstream prints it in escalation errors: {APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}
  std::string str() const;
};
using Rules = std::vector<Rule>;

Rules rulesFromValue(const codec::Value& rules);
codec::Value ruleValue(const Rule& rule, codec::Arena& arena);

// The parts of `asked` that `owned` does not cover, each with one group, resource, name and verb, merged again for printing.
Rules uncovered(const Rules& owned, const Rules& asked);

}  // namespace skiff::apiserver::rbac
