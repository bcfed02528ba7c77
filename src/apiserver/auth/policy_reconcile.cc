#include "apiserver/auth/policy_reconcile.h"

#include <algorithm>

#include "apiserver/auth/rbac_rules.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

// Labels or annotations: those that are there stay as they are.
bool addMembers(Value& live, const Value& wanted, std::string_view field, Arena& arena) {
  bool changed = false;
  for (const codec::Member& member : wanted["metadata"][field].members()) {
    if (live["metadata"][field].has(member.key)) continue;
    live.child(arena, "metadata").child(arena, field).set(arena, member.key, member.value.clone(arena));
    changed = true;
  }
  return changed;
}

bool sameSubject(const Value& a, const Value& b) {
  return std::ranges::all_of(std::initializer_list<std::string_view>{"kind", "name", "namespace"},
                             [&](std::string_view key) { return a[key].asString() == b[key].asString(); });
}

bool contains(const Value& list, const Value& item, bool (*same)(const Value&, const Value&)) {
  return std::ranges::any_of(list.items(), [&](const Value& one) { return same(one, item); });
}

bool addItems(Value& live, const Value& wanted, Arena& arena, bool (*same)(const Value&, const Value&)) {
  bool changed = false;
  for (const Value& item : wanted.items()) {
    if (contains(live, item, same)) continue;
    live.push(arena, item.clone(arena));
    changed = true;
  }
  return changed;
}

bool addRules(Value& live, const Value& wanted, Arena& arena) {
  // The rules of an aggregated role are its controller's.
  if (wanted.has("aggregationRule")) {
    auto equalTrees = [](const Value& a, const Value& b) { return a == b; };
    return addItems(live.child(arena, "aggregationRule").child(arena, "clusterRoleSelectors"),
                    wanted["aggregationRule"]["clusterRoleSelectors"], arena, equalTrees);
  }
  rbac::Rules missing = rbac::uncovered(rbac::rulesFromValue(live["rules"]), rbac::rulesFromValue(wanted["rules"]));
  for (const rbac::Rule& rule : missing) live.child(arena, "rules").push(arena, rbac::ruleValue(rule, arena));
  return !missing.empty();
}

}  // namespace

bool addMissingPolicy(Value& live, const Value& wanted, Arena& arena) {
  constexpr std::string_view kAutoUpdate = "rbac.authorization.kubernetes.io/autoupdate";
  if (live["metadata"]["annotations"][kAutoUpdate].asString() == "false") return false;
  bool changed = addMembers(live, wanted, "labels", arena);
  changed |= addMembers(live, wanted, "annotations", arena);
  if (!wanted.has("roleRef")) return addRules(live, wanted, arena) || changed;
  if (wanted["subjects"].empty()) return changed;
  return addItems(live.child(arena, "subjects"), wanted["subjects"], arena, sameSubject) || changed;
}

}  // namespace skiff::apiserver
