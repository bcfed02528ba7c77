// How objects of a custom resource come from one version into another: by a webhook of theirs, or by their apiVersion alone.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::apiserver {

class ObjectConverter {
 public:
  virtual ~ObjectConverter() = default;
  // The objects in `apiVersion`, one for one. Asks another server: it blocks, and never runs on a loop.
  virtual Result<std::vector<codec::DocumentPtr>> convert(std::span<const codec::Value* const> objects,
                                                          std::string_view apiVersion) const = 0;
};

// Of a definition's spec.conversion; null when versions differ in their names only.
using MakeConverter = std::function<std::shared_ptr<const ObjectConverter>(const api::ObjectPtr& definition)>;

}  // namespace skiff::apiserver
