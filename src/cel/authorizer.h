// What expressions may ask of authorization: authorizer.group('apps').resource('deployments').check('create').allowed().
#pragma once
#include <string>
#include <string_view>

#include "cel/value.h"

namespace skiff::cel {

struct AccessQuery {
  bool isResource = false;
  std::string_view path;  // otherwise
  std::string_view group, resource, subresource, ns, name, verb;
  std::string_view fieldSelector, labelSelector;
  std::string_view serviceAccountNamespace, serviceAccountName;  // asks for it instead of the requesting user
};
struct AccessDecision {
  bool allowed = false;
  std::string reason, error;
};

// Implemented by the API server for one request.
class AccessOracle {
 public:
  virtual ~AccessOracle() = default;
  virtual AccessDecision check(const AccessQuery& query) = 0;
};

// The variable `authorizer`; `requestResource` is what its member of that name asks about. The oracle and the query's texts
// must outlive the evaluation.
Value authorizerValue(AccessOracle& oracle, const AccessQuery& requestResource, codec::Arena& arena);

}  // namespace skiff::cel
