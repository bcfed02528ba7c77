// The status of FlowSchemas: whether the priority level that each refers to is there (condition Dangling).
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#resources
#pragma once
#include <atomic>
#include <string>

#include "apiserver/registry.h"
#include "rt/executor.h"

namespace skiff::apiserver {

class FlowSchemaStatus {
 public:
  FlowSchemaStatus(Registry& registry, rt::Executor& workers) : registry_(registry), workers_(workers) {}
  // Looks at what the store holds already; from now on every write counts.
  Status load();
  // After each write of any object, on the writer's thread; the work is a worker's.
  void written(const ServedResource& resource, const api::ObjectPtr& object, bool removed);

 private:
  Status checkAll(std::string_view level);  // "": of all levels
  void check(const std::string& name);
  bool hasLevel(std::string_view name) const;

  Registry& registry_;
  rt::Executor& workers_;
  std::atomic<bool> loaded_ = false;  // levels and schemas of a new server come in any order
};

}  // namespace skiff::apiserver
