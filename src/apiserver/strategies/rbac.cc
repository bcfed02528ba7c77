// Roles and bindings: nobody grants what they do not hold, unless they may escalate or bind.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
#include "apiserver/auth/rbac.h"

#include <algorithm>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/strategies.h"
#include "codec/json.h"

namespace skiff::apiserver {

namespace {

using codec::Value;

// Who grants, and what they hold.
class Grantor {
 public:
  Grantor(ClusterReader& cluster, Authorizer& authorizer) : authorizer_(authorizer), resolver_(cluster) {}

  Status checkRules(const StrategyContext& context, const rbac::Rules& asked) {
    const UserInfo* user = context.request.user;
    if (user == nullptr || mayAnything(*user) || mayDo(context, "escalate", context.request.resource->plural, context.request.name)) {
      return okStatus();
    }
    rbac::Rules missing = rbac::uncovered(resolver_.rulesFor(*user, context.request.ns), asked);
    if (missing.empty()) return okStatus();
    std::vector<std::string> lines, groups;
    for (const rbac::Rule& rule : missing) lines.push_back(rule.str());
    std::ranges::sort(lines);
    for (const std::string& group : user->groups) groups.push_back(quoted(group));
    return forbiddenError(*context.request.resource, (*context.request.object)["metadata"]["name"].asString(),
                          concat("user ", quoted(user->name), " (groups=[", join(groups, " "),
                                 "]) is attempting to grant RBAC permissions not currently held:\n",
                                 join(lines, "\n")));
  }

  Status checkRole(const StrategyContext& context, const Value& ref) {
    const UserInfo* user = context.request.user;
    std::string_view kind = ref["kind"].asString(), name = ref["name"].asString();
    std::string_view resource = kind == "ClusterRole" ? "clusterroles" : "roles";
    if (user == nullptr || mayAnything(*user) || mayDo(context, "bind", resource, name)) return okStatus();
    auto rules = resolver_.roleRules(kind, context.request.ns, name);
    if (rules == nullptr) return notFoundError(rbac::kGroup, resource, name);
    return checkRules(context, *rules);
  }

 private:
  static bool mayAnything(const UserInfo& user) {
    return std::ranges::find(user.groups, "system:masters") != user.groups.end();
  }

  bool mayDo(const StrategyContext& context, std::string_view verb, std::string_view resource, std::string_view name) {
    RequestInfo info{.isResource = true};
    info.verb = verb;
    info.group = rbac::kGroup;
    info.version = "v1";
    info.resource = resource;
    info.ns = context.request.ns;
    info.name = name;
    return authorizer_.authorize(*context.request.user, info).decision == Decision::Allow;
  }

  Authorizer& authorizer_;
  rbac::Resolver resolver_;
};

class RoleStrategy final : public PlainStrategy {
 public:
  RoleStrategy(std::shared_ptr<Grantor> grantor, bool cluster) : grantor_(std::move(grantor)), cluster_(cluster) {}

  bool allowCreateOnUpdate() const override { return true; }

  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field rules = rootField(context.object())["rules"];
    each(rules, [&](const Field& rule) { validateRule(rule, errors); });
    // Found by the tables' rules upstream: they stand last.
    each(rules, [&](const Field& rule) {
      if (rule["verbs"].size() == 0) errors.required(rule["verbs"].path, "");
    });
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override { validateCreate(context, errors); }

  // Not validation: it is refused with 403, and only once the role is a valid one.
  Status allocate(StrategyContext& context) override {
    const Value* old = context.request.oldObject;
    if (old != nullptr && sameValue((*old)["rules"], context.object()["rules"]) &&
        sameValue((*old)["aggregationRule"], context.object()["aggregationRule"])) {
      return okStatus();
    }
    rbac::Rules rules = rbac::rulesFromValue(context.object()["rules"]);
    // Whatever a selector may choose some day: only who holds everything may grant that.
    if (context.object()["aggregationRule"].isMap()) {
      rules.push_back({.verbs = {"*"}, .apiGroups = {"*"}, .resources = {"*"}});
      rules.push_back({.verbs = {"*"}, .nonResourceUrls = {"*"}});
    }
    return grantor_->checkRules(context, rules);
  }

 private:
  void validateRule(const Field& rule, FieldErrors& errors) {
    Field paths = rule["nonResourceURLs"];
    if (paths.size() > 0) {
      if (!cluster_) {
        errors.invalid(paths.path, codec::toJson(*paths.value), "namespaced rules cannot apply to non-resource URLs");
      }
      if (rule["apiGroups"].size() + rule["resources"].size() + rule["resourceNames"].size() > 0) {
        errors.invalid(paths.path, codec::toJson(*paths.value),
                       "rules cannot apply to both regular resources and non-resource URLs");
      }
      return;
    }
    if (rule["apiGroups"].size() == 0) {
      errors.required(rule["apiGroups"].path, "resource rules must supply at least one api group");
    }
    if (rule["resources"].size() == 0) {
      errors.required(rule["resources"].path, "resource rules must supply at least one resource");
    }
  }

  std::shared_ptr<Grantor> grantor_;
  const bool cluster_;
};

class BindingStrategy final : public PlainStrategy {
 public:
  BindingStrategy(std::shared_ptr<Grantor> grantor, bool cluster) : grantor_(std::move(grantor)), cluster_(cluster) {}

  bool allowCreateOnUpdate() const override { return true; }

  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field object = rootField(context.object()), ref = object["roleRef"];
    if (ref["apiGroup"].text() != rbac::kGroup) {
      errors.notSupported(ref["apiGroup"].path, quoted(ref["apiGroup"].text()), {std::string(rbac::kGroup)});
    }
    if (cluster_) {
      checkEnum(errors, ref["kind"], {"ClusterRole"});
    } else {
      checkEnum(errors, ref["kind"], {"Role", "ClusterRole"});
    }
    if (!ref["name"].text().empty()) addFaults(errors, ref["name"], formats::pathSegment(ref["name"].text()));
    each(object["subjects"], [&](const Field& subject) { validateSubject(subject, errors); });
    each(object["subjects"], [&](const Field& subject) {
      if (subject["name"].text().empty()) errors.required(subject["name"].path, "");
    });
    if (ref["name"].text().empty()) errors.required(ref["name"].path, "");
  }

  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    validateCreate(context, errors);
    const Value& ref = context.object()["roleRef"];
    if (ref == context.old()["roleRef"]) return;
    errors.invalid("roleRef",
                   concat("{\"APIGroup\":", shown(ref["apiGroup"]), ",\"Kind\":", shown(ref["kind"]),
                          ",\"Name\":", shown(ref["name"]), "}"),
                   "field is immutable");
  }

  Status allocate(StrategyContext& context) override {
    const Value* old = context.request.oldObject;
    if (old != nullptr && sameValue((*old)["subjects"], context.object()["subjects"])) return okStatus();
    return grantor_->checkRole(context, context.object()["roleRef"]);
  }

 private:
  void validateSubject(const Field& subject, FieldErrors& errors) {
    std::string_view kind = subject["kind"].text();
    Field group = subject["apiGroup"];
    if (kind == "ServiceAccount") {
      if (!subject["name"].text().empty()) addFaults(errors, subject["name"], formats::dnsSubdomain(subject["name"].text()));
      if (!group.text().empty()) errors.notSupported(group.path, quoted(group.text()), {""});
      if (cluster_ && subject["namespace"].text().empty()) errors.required(subject["namespace"].path, "");
    } else if (oneOf(kind, {"User", "Group"})) {
      if (group.text() != rbac::kGroup) {
        errors.notSupported(group.path, quoted(group.text()), {std::string(rbac::kGroup)});
      }
    } else {
      checkEnum(errors, subject["kind"], {"ServiceAccount", "User", "Group"});
    }
  }

  std::shared_ptr<Grantor> grantor_;
  const bool cluster_;
};

}  // namespace

void addRbacStrategies(const AddStrategy& add, ClusterReader& cluster, Authorizer& authorizer) {
  auto grantor = std::make_shared<Grantor>(cluster, authorizer);
  auto key = [](std::string_view resource) { return concat(rbac::kGroup, "/", resource); };
  add(key("roles"), std::make_unique<RoleStrategy>(grantor, false));
  add(key("clusterroles"), std::make_unique<RoleStrategy>(grantor, true));
  add(key("rolebindings"), std::make_unique<BindingStrategy>(grantor, false));
  add(key("clusterrolebindings"), std::make_unique<BindingStrategy>(grantor, true));
}

}  // namespace skiff::apiserver
