// FlowSchemas and PriorityLevelConfigurations as the server uses them, read from their objects.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"

namespace skiff::apiserver::flow {

inline constexpr std::string_view kGroup = "flowcontrol.apiserver.k8s.io", kSchemas = "flowschemas",
                                  kLevels = "prioritylevelconfigurations";
inline constexpr std::string_view kExempt = "exempt", kCatchAll = "catch-all";

struct LevelConfig {
  std::string name, uid;
  bool exempt = false;
  int shares = 0, lendablePercent = 0;
  std::optional<int> borrowingLimitPercent;  // none: may borrow what there is
  int queues = 0;                            // 0: what finds no seat is rejected
  int handSize = 0, queueLengthLimit = 0;
};

enum class Distinguisher { None, ByUser, ByNamespace };

struct Subject {
  enum class Kind { User, Group, ServiceAccount };
  Kind kind = Kind::User;
  std::string name;  // "*": every one
  std::string ns;    // of a service account
};

// A list of names of which "*" is all.
struct NameSet {
  std::vector<std::string> names;
  bool all = false;
  bool has(std::string_view name) const;
};

struct ResourceRule {
  NameSet verbs, groups, resources, namespaces;  // resources: "pods", "pods/log", "*"
  bool clusterScope = false;
};
struct NonResourceRule {
  NameSet verbs;
  std::vector<std::string> urls;  // "/healthz", "/healthz/*", "*"
};
struct PolicyRule {
  std::vector<Subject> subjects;
  std::vector<ResourceRule> resources;
  std::vector<NonResourceRule> nonResources;
};

struct SchemaConfig {
  std::string name, uid, level;
  int64_t precedence = 1000;  // lower ones are asked first
  Distinguisher distinguisher = Distinguisher::None;
  std::vector<PolicyRule> rules;
};

struct FlowConfig {
  std::vector<LevelConfig> levels;
  std::vector<SchemaConfig> schemas;  // in the order in which they are asked
};

// The mandatory levels and schemas are there even when the store has none.
FlowConfig readConfig(const std::vector<codec::DocumentPtr>& levels, const std::vector<codec::DocumentPtr>& schemas);

}  // namespace skiff::apiserver::flow
