// The tables that describe every type and resource of the API: made by tools/gen from schema/ for
// built-ins (constant, shared by all control planes of a process), and at run time from
// CustomResourceDefinitions. One code path serves both.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace skiff::api {

// Form of a field's value. Scalars with a JSON form of their own follow the plain ones; in a value
// tree they are: Time, MicroTime, Duration, Quantity: String (canonical); IntOrString: Int or
// String; Bytes: String (base64); RawExtension, FieldsV1, Json*: any Value, kept as it is.
enum class FieldKind : uint8_t {
  Bool,
  Int32,
  Int64,
  Double,
  String,
  Bytes,
  Time,
  MicroTime,
  Duration,
  Quantity,
  IntOrString,
  RawExtension,
  FieldsV1,
  Json,
  JsonSchemaOrArray,
  JsonSchemaOrBool,
  JsonSchemaOrStringArray,
  Message,
};

enum class Cardinality : uint8_t {
  Single,    // a value: zero when absent; on the wire always written if `always` or not zero
             // (messages: always)
  Optional,  // a pointer: may be absent
  List,
  Map,  // string keys
};

enum class ListType : uint8_t { Atomic, Set, Map };

struct TypeInfo;
struct ResourceInfo;

// A text of the pool that tools/gen makes of the schema's comments. An offset, as thousands of pointers would cost a
// relocation each at every start.
struct PooledText {
  uint32_t offset = 0;  // 0: none
  std::string_view str() const;
};

struct EnumInfo {
  std::string_view name;
  bool closed;  // other values are invalid
  std::span<const std::string_view> values;
};

struct FieldInfo {
  std::string_view json;
  FieldKind kind = FieldKind::String;
  Cardinality cardinality = Cardinality::Single;
  bool always = false;  // in JSON though zero or absent (null)
  bool omitZero = false;
  bool required = false;
  bool patchMerge = false;        // patchStrategy merge
  bool patchReplace = false;      // patchStrategy replace, said though it is the rule
  bool patchReplaceKeys = false;  // patchStrategy retainKeys
  bool defaultHidden = false;     // defaultJson is not shown in OpenAPI
  bool atomicMap = false;         // mapType or structType atomic
  bool granularMap = false;       // the same, said to be granular
  bool listTypeGiven = false;     // listType is the schema's word, not the general rule
  bool preserveUnknown =
      false;              // custom resources: x-kubernetes-preserve-unknown-fields below here
  bool nullable = false;  // custom resources
  bool unionDiscriminator = false;
  ListType listType = ListType::Atomic;
  uint32_t number = 0;  // on the wire; 0: JSON only
  PooledText description;
  uint8_t group = 0;    // 1 + index in TypeInfo::groups when the field lives in an inlined message
  const TypeInfo* type = nullptr;  // of a Message or JsonSchemaOr* (or of each element)
  const EnumInfo* enumInfo = nullptr;
  std::span<const std::string_view> listMapKeys;
  std::string_view patchMergeKey;
  std::string_view defaultJson;  // "" when there is none
  std::string_view oneOf;
  std::string_view featureGate;
  std::span<const std::string_view> rules;
};

// A message whose fields stand in the parent in JSON, but that is a field of its own on the wire.
struct InlineGroup {
  uint32_t number;
  const TypeInfo* type;
};

struct TypeInfo {
  std::string_view name;            // "Container"
  std::string_view package;         // "core/v1"
  std::string_view group, version;  // of the API: "", "v1"
  std::string_view protoPackage;    // "k8s.io.api.core.v1": OpenAPI ids derive from it
  bool isKind = false;              // has apiVersion and kind (not listed in fields)
  bool isWrapper = false;           // a list in JSON, a message with items = 1 on the wire
  bool isUnion = false;             // at most one of its optional fields is set
  bool atomic = false;              // structType atomic
  bool preserveUnknown = false;
  PooledText description;
  std::span<const FieldInfo> fields;  // in JSON order, inlined ones flattened
  std::span<const InlineGroup> groups;
  // By wire number: index of a field of the message itself, or kWireGroup | index in groups. A
  // group's message is written from the same map by its own type's tables.
  static constexpr uint16_t kWireGroup = 0x8000;
  std::span<const uint16_t> wireOrder;
  std::string_view introduced, deprecatedIn, removedIn, replacement;
  std::span<const std::string_view> rules;
  // A structural schema of a CustomResourceDefinition: values are kept as they were sent (zeros,
  // empty lists), map keys sorted, and kinds of values are left to validation.
  bool custom = false;

  const FieldInfo* field(std::string_view json) const;  // null when there is none
  // As field(), faster when names are asked for in table order: pass the same hint through.
  const FieldInfo* field(std::string_view json, size_t* hint) const;
};

struct SubresourceInfo {
  std::string_view name;  // "status"
  std::string_view group, version, kind;
  std::span<const std::string_view> verbs;
};

struct ResourceInfo {
  std::string_view group, version, kind;
  std::string_view plural, singular;
  bool namespaced = false;
  bool onByDefault = true;
  std::string_view featureGate;
  const TypeInfo* type = nullptr;
  std::span<const std::string_view> verbs;
  std::span<const std::string_view> shortNames, categories, fieldSelectors;
  std::string_view storageGroup, storageVersion, storageVersionHash;
  std::span<const SubresourceInfo> subresources;

  const SubresourceInfo* subresource(std::string_view name) const;
  bool hasVerb(std::string_view verb) const;
};

struct GroupVersionInfo {
  std::string_view group, version;
  int order = 0, groupPriority = 0, versionPriority = 0;
  std::span<const ResourceInfo> resources;
  std::span<const TypeInfo* const> types;
};

// All built-in group versions, in discovery order of groups, versions by priority.
std::span<const GroupVersionInfo> builtinGroupVersions();
// Built-in types by package and name: findType("core/v1", "Pod"). Null when unknown.
const TypeInfo* findType(std::string_view package, std::string_view name);
// By API group and version instead: findKind("", "v1", "Pod") (also kinds that are no resource,
// such as "Scale").
const TypeInfo* findKind(std::string_view group, std::string_view version, std::string_view kind);
const ResourceInfo* findResource(std::string_view group, std::string_view version,
                                 std::string_view plural);
const ResourceInfo* findResourceByKind(std::string_view group, std::string_view version,
                                       std::string_view kind);

// "v1" or "apps/v1".
std::string apiVersionOf(std::string_view group, std::string_view version);

}  // namespace skiff::api
