// The audit policy (audit.k8s.io/v1 Policy): which requests are told of, and how much.
// https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/#audit-policy
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/request.h"
#include "base/result.h"

namespace skiff::apiserver::audit {

enum class Level { None, Metadata, Request, RequestResponse };
enum class Stage { RequestReceived, ResponseStarted, ResponseComplete, Panic };
std::string_view levelName(Level level);
std::string_view stageName(Stage stage);

struct Decision {
  Level level = Level::None;
  unsigned omitted = 0;  // bits of stages
  bool omitManagedFields = false;
  bool omits(Stage stage) const { return omitted >> unsigned(stage) & 1; }
};

class Policy {
 public:
  static Result<Policy> parse(std::string_view yaml);
  // The first rule that matches decides.
  Decision decide(const UserInfo& user, const RequestInfo& request) const;

 private:
  struct GroupResources {
    std::string group;
    std::vector<std::string> resources;  // "pods", "pods/log", "pods/*", "*/scale", "*"
    std::vector<std::string> names;
  };
  struct Rule {
    Level level = Level::None;
    std::vector<std::string> users, groups, verbs, namespaces, urls;
    std::vector<GroupResources> resources;
    unsigned omitted = 0;
    std::optional<bool> omitManagedFields;
  };
  static Result<unsigned> stagesOf(const codec::Value& list, const std::string& path);
  static Result<Rule> ruleOf(const codec::Value& value, const std::string& path);
  static bool matches(const Rule& rule, const UserInfo& user, const RequestInfo& request);
  static bool matchesResource(const Rule& rule, const RequestInfo& request);

  std::vector<Rule> rules_;
  unsigned omitted_ = 0;
  bool omitManagedFields_ = false;
};

}  // namespace skiff::apiserver::audit
