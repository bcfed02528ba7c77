#include "apiserver/auth/rbac.h"

#include <array>
#include <map>

#include "api/selectors.h"
#include "base/strings.h"

namespace skiff::apiserver::rbac {

namespace {

using codec::Value;

// Users whose grants are kept; far more than ever ask between two changes of a role. The map is emptied when full.
constexpr size_t kMaxUsers = 4096;
constexpr std::array<std::string_view, 4> kResources = {"clusterroles", "roles",
                                                        "clusterrolebindings", "rolebindings"};

std::string subjectText(const Value& subject) {
  std::string_view kind = subject["kind"].asString(), name = subject["name"].asString();
  if (kind == "ServiceAccount") {
    return concat("ServiceAccount ", quoted(concat(name, "/", subject["namespace"].asString())));
  }
  return concat(kind, " ", quoted(name));
}

// The key under which a user or group finds its bindings; "" for subjects of no known kind.
std::string subjectKey(const Value& subject, std::string_view bindingNamespace) {
  std::string_view kind = subject["kind"].asString(), name = subject["name"].asString();
  if (kind == "User") return concat("u:", name);
  if (kind == "Group") return concat("g:", name);
  if (kind != "ServiceAccount") return {};
  std::string_view ns = subject["namespace"].asString();
  return concat("u:", kServiceAccountPrefix, ns.empty() ? bindingNamespace : ns, ":", name);
}

}  // namespace

class Index {
 public:
  Index(const ClusterReader& cluster, const std::array<int64_t, 4>& versions) : versions_(versions) {
    auto clusterRoles = cluster.list(kGroup, "clusterroles", "");
    for (const auto& role : clusterRoles) addClusterRole(role->root, clusterRoles);
    for (const auto& role : cluster.list(kGroup, "roles", "")) {
      const Value& metadata = role->root["metadata"];
      roles_[concat(metadata["namespace"].asString(), "/", metadata["name"].asString())] =
          std::make_shared<const Rules>(rulesFromValue(role->root["rules"]));
    }
    for (const auto& binding : cluster.list(kGroup, "clusterrolebindings", "")) {
      addBinding(binding->root);
    }
    for (const auto& binding : cluster.list(kGroup, "rolebindings", "")) addBinding(binding->root);
  }

  const std::array<int64_t, 4>& versions() const { return versions_; }

  std::shared_ptr<const Rules> rules(std::string_view kind, std::string_view ns,
                                     std::string_view name) const {
    auto found = roles_.find(kind == "ClusterRole" ? concat("/", name) : concat(ns, "/", name));
    return found == roles_.end() ? nullptr : found->second;
  }

  std::shared_ptr<const Grants> grantsOf(const UserInfo& user) const {
    auto grants = std::make_shared<Grants>();
    collect(concat("u:", user.name), *grants);
    for (const std::string& group : user.groups) collect(concat("g:", group), *grants);
    return grants;
  }

 private:
  struct Held {
    Grant grant;
    std::string error;  // set when the role is missing
  };

  void addClusterRole(const Value& role, const std::vector<codec::DocumentPtr>& all) {
    roles_[concat("/", role["metadata"]["name"].asString())] =
        std::make_shared<const Rules>(withAggregated(role, all, 0));
  }

  // An aggregated role has the rules of all roles that its selectors choose: it works from the first moment,
  // before a controller has written them down. View is aggregated into edit, edit into admin: as deep as a
  // sane policy goes; loops end here.
  static constexpr int kMaxAggregationDepth = 8;
  static Rules withAggregated(const Value& role, const std::vector<codec::DocumentPtr>& all, int depth) {
    Rules rules = rulesFromValue(role["rules"]);
    if (depth >= kMaxAggregationDepth) return rules;
    for (const Value& selector : role["aggregationRule"]["clusterRoleSelectors"].items()) {
      auto parsed = api::LabelSelector::fromValue(selector);
      if (!parsed.ok()) continue;
      for (const auto& other : all) {
        if (&other->root == &role || !parsed->matches(other->root["metadata"]["labels"])) continue;
        for (Rule& rule : withAggregated(other->root, all, depth + 1)) rules.push_back(std::move(rule));
      }
    }
    return rules;
  }

  void addBinding(const Value& binding) {
    std::string_view ns = binding["metadata"]["namespace"].asString();
    std::string_view name = binding["metadata"]["name"].asString();
    const Value& ref = binding["roleRef"];
    std::string_view kind = ref["kind"].asString(), role = ref["name"].asString();
    Held held{.grant = {.rules = rules(kind, ns, role), .ns = std::string(ns)}};
    if (held.grant.rules == nullptr) {
      held.error = concat(kind == "ClusterRole" ? "clusterrole" : "role", ".", kGroup, " ",
                          quoted(role), " not found");
    }
    for (const Value& subject : binding["subjects"].items()) {
      std::string key = subjectKey(subject, ns);
      if (key.empty()) continue;
      std::string place = ns.empty() ? std::string(name) : concat(name, "/", ns);
      held.grant.because = concat(ns.empty() ? "ClusterRoleBinding " : "RoleBinding ",
                                  quoted(place), " of ", kind, " ", quoted(role), " to ",
                                  subjectText(subject));
      bindings_[std::move(key)].push_back(held);
    }
  }

  void collect(const std::string& subject, Grants& grants) const {
    auto found = bindings_.find(subject);
    if (found == bindings_.end()) return;
    for (const Held& held : found->second) {
      if (!held.error.empty()) {
        grants.errors.push_back(held.error);
      } else if (held.grant.ns.empty()) {
        grants.cluster.push_back(held.grant);
      } else {
        grants.byNamespace[held.grant.ns].push_back(held.grant);
      }
    }
  }

  std::array<int64_t, 4> versions_;
  std::unordered_map<std::string, std::shared_ptr<const Rules>> roles_;  // "namespace/name"
  std::unordered_map<std::string, std::vector<Held>> bindings_;          // by subject
};

std::shared_ptr<const Index> Resolver::index() {
  std::array<int64_t, 4> versions;
  for (size_t i = 0; i < kResources.size(); ++i) versions[i] = cluster_.version(kGroup, kResources[i]);
  if (index_ == nullptr || index_->versions() != versions) {
    index_ = std::make_shared<const Index>(cluster_, versions);
    users_.clear();
  }
  return index_;
}

std::shared_ptr<const Grants> Resolver::grantsOf(const UserInfo& user) {
  std::string key = user.name;
  for (const std::string& group : user.groups) {
    key += '\n';
    key += group;
  }
  std::lock_guard lock(mutex_);
  auto current = index();
  if (auto found = users_.find(key); found != users_.end()) return found->second;
  if (users_.size() >= kMaxUsers) users_.clear();
  return users_[key] = current->grantsOf(user);
}

std::shared_ptr<const Rules> Resolver::roleRules(std::string_view kind, std::string_view ns,
                                                 std::string_view name) {
  std::lock_guard lock(mutex_);
  return index()->rules(kind, ns, name);
}

Rules Resolver::rulesFor(const UserInfo& user, std::string_view ns) {
  auto grants = grantsOf(user);
  Rules out;
  for (const Grant& grant : grants->cluster) {
    out.insert(out.end(), grant.rules->begin(), grant.rules->end());
  }
  if (auto found = grants->byNamespace.find(ns); found != grants->byNamespace.end()) {
    for (const Grant& grant : found->second) {
      out.insert(out.end(), grant.rules->begin(), grant.rules->end());
    }
  }
  return out;
}

Verdict RbacAuthorizer::authorize(const UserInfo& user, const RequestInfo& request) {
  auto grants = resolver_->grantsOf(user);
  auto search = [&](const std::vector<Grant>& list) -> const Grant* {
    for (const Grant& grant : list) {
      for (const Rule& rule : *grant.rules) {
        if (rule.allows(request)) return &grant;
      }
    }
    return nullptr;
  };
  const Grant* grant = search(grants->cluster);
  if (grant == nullptr && !request.ns.empty()) {
    auto found = grants->byNamespace.find(request.ns);
    if (found != grants->byNamespace.end()) grant = search(found->second);
  }
  if (grant != nullptr) return {Decision::Allow, "RBAC: allowed by " + grant->because};
  if (grants->errors.empty()) return {};
  std::string all = join(grants->errors, ", ");
  return {Decision::NoOpinion, grants->errors.size() == 1 ? "RBAC: " + all : concat("RBAC: [", all, "]")};
}

}  // namespace skiff::apiserver::rbac
