// The life of CustomResourceDefinitions: names are accepted, resources served at once, and instances deleted with the
// definition.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "apiserver/crd.h"
#include "apiserver/registry.h"
#include "rt/executor.h"

namespace skiff::apiserver {

class CustomResources {
 public:
  CustomResources(Registry& registry, rt::Executor& workers, MakeConverter makeConverter)
      : registry_(registry), workers_(workers), makeConverter_(std::move(makeConverter)) {}
  // Serves what the store holds already.
  Status load();
  // After each write of any object, on the writer's thread. Writes may be told twice, and in another order.
  void written(const ServedResource& resource, const api::ObjectPtr& object, bool removed);

 private:
  struct Served {
    std::shared_ptr<const CustomResource> resource;
    bool terminating = false;
    store::Revision revision = 0;  // of the definition: an older one that is told of later changes nothing
  };
  void accept(const api::ObjectPtr& definition);
  void serve(const api::ObjectPtr& definition);
  void drop(const api::Object& definition);
  void publishLocked();
  void removeInstances(const std::string& name);
  void finishIfEmpty(const std::string& name);
  std::string conflictOf(const api::Object& definition);

  Registry& registry_;
  rt::Executor& workers_;
  MakeConverter makeConverter_;
  std::mutex mutex_;  // guards served_
  std::map<std::string, Served, std::less<>> served_;  // by name of the definition
};

}  // namespace skiff::apiserver
