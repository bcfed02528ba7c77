// Which requests a webhook or policy wants to see: rules, selectors and match policy, the same for all four kinds of
// dynamic admission.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "api/selectors.h"
#include "apiserver/request.h"
#include "base/result.h"

namespace skiff::apiserver::extension {

// The version of the request's resource in which a rule wants the object.
struct MatchedResource {
  std::string group, version, kind, plural;
};

struct Rule {
  std::vector<std::string> operations, groups, versions, resources, names;
  std::string scope;
};

class RequestMatch {
 public:
  // From a webhook (`rules`) or matchConstraints/matchResources (`resourceRules`, `excludeResourceRules`). A Null value
  // matches everything.
  static Result<RequestMatch> parse(const codec::Value& config);

  // An error when the request's namespace is not there though a selector asks for it.
  Result<std::optional<MatchedResource>> match(const AdmissionRequest& request, const ClusterReader& cluster) const;

 private:
  Result<bool> selected(const AdmissionRequest& request, const ClusterReader& cluster) const;
  std::optional<MatchedResource> matchRules(const AdmissionRequest& request, const ClusterReader& cluster) const;

  std::vector<Rule> rules_, excluded_;
  bool anyRule_ = false;  // no rules are given
  bool equivalent_ = true;
  api::LabelSelector namespaces_, objects_;
};

// Nobody may lock an administrator out of repairing admission itself.
bool isExempt(const AdmissionRequest& request);

// Objects that a request carries in the stored version, turned into a matched version; null stays null. The result is the
// same tree when the versions agree.
Result<const codec::Value*> inVersion(const codec::Value* object, const AdmissionRequest& request,
                                      const MatchedResource& wanted, codec::Arena& arena);
// The way back, in place.
Status toStoredVersion(codec::Value& object, const AdmissionRequest& request, const MatchedResource& from,
                       codec::Arena& arena);

}  // namespace skiff::apiserver::extension
