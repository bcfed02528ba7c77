// A CustomResourceDefinition as it is served: the same tables that built-in kinds have, made at run time, and the
// structural schema that says what tables cannot (value validation, pruning below arbitrary structure).
#pragma once
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "api/schema.h"
#include "api/table.h"
#include "apiserver/conversion.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::apiserver {

struct StructuralSchema;  // structural_schema.h

// A schema that is parsed when the first object comes: many definitions are installed, few are used. Any thread.
class LazySchema {
 public:
  explicit LazySchema(codec::Value source) : source_(source) {}  // in a tree that lives as long
  Result<const StructuralSchema*> get() const;

 private:
  const codec::Value source_;
  mutable std::once_flag parsed_;
  mutable Result<std::shared_ptr<const StructuralSchema>> schema_ = std::shared_ptr<const StructuralSchema>();
};

struct CustomVersion {
  std::string name;
  bool served = false, storage = false, deprecated = false;
  std::string deprecationWarning;
  bool hasStatus = false, hasScale = false;
  std::string specReplicasPath, statusReplicasPath, labelSelectorPath;
  std::shared_ptr<const api::CustomTable> table;
  bool preserveUnknown = false;
  std::unique_ptr<const LazySchema> schema;  // null: everything is preserved (no schema)
  codec::Value openApiSchema;  // as the definition has it, in the definition's tree
  // Tables; what they view lives in the CustomResource.
  api::ResourceInfo resource;
  api::TypeInfo type;
};

class CustomResource {
 public:
  // From a validated definition whose names are accepted. `converter` is null when versions differ in name only.
  static Result<std::shared_ptr<const CustomResource>> create(const api::ObjectPtr& definition,
                                                              std::shared_ptr<const ObjectConverter> converter);
  ~CustomResource();

  const std::string& name() const { return name_; }
  const std::string& group() const { return group_; }
  const std::string& plural() const { return plural_; }
  const std::string& listKind() const { return listKind_; }
  const std::deque<CustomVersion>& versions() const { return versions_; }
  const CustomVersion& storageVersion() const { return *storage_; }
  const CustomVersion* version(std::string_view name) const;  // null: the definition has none of that name
  const std::string& uid() const { return uid_; }
  // Null: objects need no more than the other apiVersion. Reading through a converter blocks.
  const ObjectConverter* converter() const { return converter_.get(); }
  std::string_view definitionVersion() const { return definition_->resourceVersion(); }
  const codec::Value& spec() const { return definition_->root()["spec"]; }  // that the tables were made from

 private:
  CustomResource() = default;
  struct Builder;
  std::string name_, group_, plural_, singular_, kind_, listKind_, uid_;
  bool namespaced_ = false;
  std::shared_ptr<const ObjectConverter> converter_;
  api::ObjectPtr definition_;  // most views of the tables point into its tree
  std::deque<CustomVersion> versions_;
  CustomVersion* storage_ = nullptr;
  // What the tables' views point into.
  std::deque<std::string> strings_;
  std::deque<std::vector<std::string_view>> views_;
  std::deque<std::vector<api::SubresourceInfo>> subresources_;
  std::deque<std::vector<api::FieldInfo>> fields_;
  std::deque<api::TypeInfo> types_;
};

// Order of versions in discovery: v2 > v1 > v1beta2 > v1beta1 > v1alpha1 > others by name. >0: a stands before b.
int compareVersions(std::string_view a, std::string_view b);

}  // namespace skiff::apiserver
