#include "apiserver/names.h"

#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using Check = formats::Faults (*)(std::string_view);

// A cron job's jobs get a suffix of 11 characters.
formats::Faults cronJobName(std::string_view name) {
  formats::Faults faults = formats::dnsSubdomain(name);
  if (name.size() > 52) faults.push_back("must be no more than 52 characters");
  return faults;
}

struct Rule {
  std::string_view group, plural;
  Check check;
};
// All others are DNS subdomains.
constexpr Rule kRules[] = {
    {"", "namespaces", formats::dnsLabel},
    {"", "services", formats::dnsLabel},
    {"apps", "statefulsets", formats::dnsLabel},
    {"batch", "cronjobs", cronJobName},
    {"networking.k8s.io", "ipaddresses", formats::ipAddress},
    {"rbac.authorization.k8s.io", "roles", formats::pathSegment},
    {"rbac.authorization.k8s.io", "rolebindings", formats::pathSegment},
    {"rbac.authorization.k8s.io", "clusterroles", formats::pathSegment},
    {"rbac.authorization.k8s.io", "clusterrolebindings", formats::pathSegment},
    {"certificates.k8s.io", "clustertrustbundles", formats::pathSegment},
    {"apiextensions.k8s.io", "customresourcedefinitions", formats::pathSegment},
    {"apiregistration.k8s.io", "apiservices", formats::pathSegment},
};

}  // namespace

formats::Faults nameFaults(const api::ResourceInfo& resource, std::string_view name) {
  for (const Rule& rule : kRules)
    if (rule.group == resource.group && rule.plural == resource.plural) return rule.check(name);
  return formats::dnsSubdomain(name);
}

}  // namespace skiff::apiserver
