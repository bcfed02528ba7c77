// What a new cluster holds by itself, as tables; bootstrap_objects.cc turns them into objects.
#pragma once
#include <span>
#include <string_view>

namespace skiff::apiserver::bootstrap {

struct RoleRow {
  std::string_view ns, name;
  std::string_view aggregatesTo;    // its rules are taken over by the role with that aggregate-to label
  std::string_view aggregatesFrom;  // it has no rules but an aggregation rule for that label
  std::string_view rules;           // see bootstrap_roles.cc
};
struct BindingRow {
  std::string_view ns, name;
  std::string_view role;      // "ClusterRole:admin"
  std::string_view subjects;  // see bootstrap_bindings.cc
};
struct PriorityLevelRow {
  std::string_view name;
  int shares, lendablePercent, queues, handSize;
  bool exempt;
};
struct FlowSchemaRow {
  std::string_view name;
  int precedence;
  std::string_view level;
  std::string_view distinguisher;  // "" when there is none
  std::string_view rules;          // JSON; $ALL stands for every request
};

std::span<const RoleRow> clusterRoles();
std::span<const RoleRow> roles();
std::span<const BindingRow> clusterRoleBindings();
std::span<const BindingRow> roleBindings();
std::span<const PriorityLevelRow> priorityLevels();
std::span<const FlowSchemaRow> flowSchemas();

}  // namespace skiff::apiserver::bootstrap
