#include "client/node_selector.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::client {
namespace {

using api::core::v1::Node;

bool matchesRequirement(const api::core::v1::NodeSelectorRequirement& want, const std::string* value) {
  const auto& values = want.values;
  const std::string& op = want.operator_;
  if (op == "Exists") return value != nullptr;
  if (op == "DoesNotExist") return value == nullptr;
  const bool listed = value != nullptr && std::find(values.begin(), values.end(), *value) != values.end();
  if (op == "In") return listed;
  if (op == "NotIn") return !listed;
  if (value == nullptr || values.size() != 1) return false;
  auto have = parseInt(*value), bound = parseInt(values[0]);
  if (!have || !bound) return false;
  return op == "Gt" ? *have > *bound : op == "Lt" && *have < *bound;
}

const std::string* labelOf(const Node& node, const std::string& key) {
  auto it = node.metadata.labels.find(key);
  return it == node.metadata.labels.end() ? nullptr : &it->second;
}

}  // namespace

bool matchesTerm(const api::core::v1::NodeSelectorTerm& term, const Node& node) {
  if (term.matchExpressions.empty() && term.matchFields.empty()) return false;
  return std::all_of(term.matchExpressions.begin(), term.matchExpressions.end(),
                     [&](const auto& want) { return matchesRequirement(want, labelOf(node, want.key)); }) &&
         std::all_of(term.matchFields.begin(), term.matchFields.end(), [&](const auto& want) {
           return want.key == "metadata.name" && matchesRequirement(want, &node.metadata.name);
         });
}

bool matchesNodeAffinity(const api::core::v1::PodSpec& spec, const Node& node) {
  for (const auto& [key, value] : spec.nodeSelector) {
    const std::string* label = labelOf(node, key);
    if (label == nullptr || *label != value) return false;
  }
  if (!spec.affinity || !spec.affinity->nodeAffinity) return true;
  const auto& required = spec.affinity->nodeAffinity->requiredDuringSchedulingIgnoredDuringExecution;
  if (!required) return true;
  const auto& terms = required->nodeSelectorTerms;
  return std::any_of(terms.begin(), terms.end(), [&](const auto& term) { return matchesTerm(term, node); });
}

}  // namespace skiff::client
