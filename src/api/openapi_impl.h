// Inside of openapi.h: definitions and operations, before they become a document.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "api/openapi.h"

namespace skiff::api::openapi {
using codec::Arena;
using codec::Value;

enum class Flavor { V2, V3 };

// Schemas by id, gathered with all that they refer to.
class Definitions {
 public:
  // `kindsOf` are the group versions that lend their name to WatchEvent and DeleteOptions.
  Definitions(Flavor flavor, Arena& arena, std::vector<std::pair<std::string, std::string>> kindsOf)
      : flavor_(flavor), arena_(arena), kindsOf_(std::move(kindsOf)) {}

  // {"$ref": ...} to the type's schema, which is added.
  Value ref(const TypeInfo& type);
  Value ref(std::string_view id);  // of a schema that is added by its own
  // A custom resource's schema and that of its list; gives the ids' refs through customId().
  void addCustom(const ResourceInfo& resource, const Value& schema);
  void addScalar(FieldKind kind);
  void addPatch();
  // All schemas, sorted by id.
  Value all() const;

 private:
  friend class SchemaWriter;
  Flavor flavor_;
  Arena& arena_;
  std::vector<std::pair<std::string, std::string>> kindsOf_;
  std::map<std::string, Value> schemas_;
};

std::string customId(std::string_view group, std::string_view version, std::string_view kind);
std::string scalarId(FieldKind kind);

struct Parameter {
  std::string name;
  std::string_view in = "query";  // query, path
  std::string_view type = "string";
  std::string description;
  bool common = false;  // has the same meaning everywhere: a shared parameter in v2
  bool operator==(const Parameter&) const = default;
};

struct Operation {
  std::string path, method, id;
  std::vector<Parameter> parameters;
  Value body;  // ref of what is sent, or Null
  bool bodyIsCommon =
      false;  // DeleteOptions and Patch: a shared parameter in v2, optional for the first
  bool bodyRequired = true;
  std::vector<std::pair<std::string, Value>> responses;  // code to a ref, a type or Null
  std::vector<std::string_view> consumes, produces;
  std::string action, tag;
  std::string group, version, kind;  // kind "" for documents about the API itself
};

// Operations of a group version's resources and its list of resources. Adds the schemas that they
// name.
std::vector<Operation> operationsOf(const OpenApiVersion& served, Definitions& definitions);
// "api", "apis", "apis/apps", "version", ...: one operation each.
std::vector<Operation> operationsAbout(std::string_view document, Definitions& definitions);

// A v2 document in the messages of gnostic's OpenAPIv2.proto.
std::string gnosticDocument(const Value& document);
// Adds what another server says of its own paths.
void mergeV2(Value& document, const OpenApiPart& part, Arena& arena);

}  // namespace skiff::api::openapi
