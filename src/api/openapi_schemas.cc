// Schemas of types, as OpenAPI v2 and v3 of a Kubernetes server word them.
#include <algorithm>

#include "api/openapi_impl.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {

std::string openApiId(const TypeInfo& type) {
  // Upstream reverses the host of the Go package: k8s.io/api/core/v1 is io.k8s.api.core.v1.
  std::string package = replaceAll(type.protoPackage, "_", "-");
  if (package.starts_with("k8s.io.")) package = "io.k8s." + package.substr(7);
  return concat(package, '.', type.name);
}

namespace openapi {
namespace {
constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.";
constexpr std::string_view kExtensions =
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.";

Value literal(std::string_view json, Arena& arena) {
  auto parsed = codec::parseJson(json, arena);
  return parsed.ok() ? *parsed : Value::null();
}

// JSON of the schema of a scalar that has a name of its own.
std::string_view scalarSchema(FieldKind kind, Flavor flavor) {
  switch (kind) {
    case FieldKind::Time:
    case FieldKind::MicroTime:
      return R"({"format":"date-time","type":"string"})";
    case FieldKind::Quantity:
      return flavor == Flavor::V2 ? R"({"type":"string"})"
                                  : R"({"oneOf":[{"type":"string"},{"type":"number"}]})";
    case FieldKind::IntOrString:
      return flavor == Flavor::V2
                 ? R"({"format":"int-or-string","type":"string"})"
                 : R"({"format":"int-or-string","oneOf":[{"type":"integer"},{"type":"string"}]})";
    case FieldKind::RawExtension:
    case FieldKind::FieldsV1:
      return R"({"type":"object"})";
    case FieldKind::Duration:
      return R"({"type":"string"})";
    default:
      return "{}";
  }
}

// Types without meaning to the wire: plain words of JSON.
std::string_view plainSchema(FieldKind kind) {
  switch (kind) {
    case FieldKind::Bool:
      return R"({"type":"boolean"})";
    case FieldKind::Int32:
      return R"({"format":"int32","type":"integer"})";
    case FieldKind::Int64:
      return R"({"format":"int64","type":"integer"})";
    case FieldKind::Double:
      return R"({"format":"double","type":"number"})";
    case FieldKind::Bytes:
      return R"({"format":"byte","type":"string"})";
    default:
      return R"({"type":"string"})";
  }
}

std::string_view zeroOf(FieldKind kind) {
  switch (kind) {
    case FieldKind::Bool:
      return "false";
    case FieldKind::Int32:
    case FieldKind::Int64:
    case FieldKind::Double:
      return "0";
    case FieldKind::String:
      return R"("")";
    default:
      return "";
  }
}

bool isPlain(FieldKind kind) { return kind <= FieldKind::Bytes; }

std::string capitalised(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = char(out[0] - 'a' + 'A');
  return out;
}
// Every kind has these three; the schema does not list the first two. Tools look for the first words.
constexpr std::string_view kApiVersionText =
    "APIVersion defines the group and version in whose form this object is written. The server keeps and "
    "answers objects in other versions of the same group as well.";
constexpr std::string_view kKindText =
    "Kind is a string value that names the resource which this object is one of, in CamelCase. It cannot be changed.";
constexpr std::string_view kObjectMetaText =
    "Standard object's metadata: its name, labels, annotations and what the server notes about it.";

void addTypeMeta(Value& properties, Arena& arena) {
  for (const auto& [name, description] : {std::pair{"apiVersion", kApiVersionText}, std::pair{"kind", kKindText}}) {
    Value property = literal(R"({"type":"string"})", arena);
    property.set(arena, "description", Value::string(description));
    properties.set(arena, name, property);
  }
}

std::string_view scalarText(FieldKind kind) {
  switch (kind) {
    case FieldKind::Time:
      return "A moment in RFC 3339 form with whole seconds, in UTC: 2026-01-31T23:59:59Z. Null stands for no time.";
    case FieldKind::MicroTime:
      return "A moment in RFC 3339 form with microseconds, in UTC: 2026-01-31T23:59:59.000000Z.";
    case FieldKind::Quantity:
      return "A number with an optional suffix: m for thousandths, k, M, G, T, P, E for powers of 1000, Ki, Mi, Gi, Ti, Pi, "
             "Ei for powers of 1024; exponents such as 12e6 are taken as well.";
    case FieldKind::IntOrString:
      return "A whole number or a string, often a percentage such as \"25%\" or the name of a port.";
    case FieldKind::RawExtension:
      return "Any object, with an apiVersion and kind of its own, which is kept as it is.";
    case FieldKind::FieldsV1:
      return "A set of fields as a tree of maps: \"f:name\" is a member, \"k:{...}\" an item by its keys, \"v:...\" one by its "
             "value, \".\" the thing itself.";
    case FieldKind::Duration:
      return "A length of time as numbers with units: 1h30m, 15s, 250ms.";
    case FieldKind::JsonSchemaOrArray:
      return "One schema, or a list of schemas.";
    case FieldKind::JsonSchemaOrBool:
      return "A schema, or true for anything and false for nothing.";
    case FieldKind::JsonSchemaOrStringArray:
      return "A schema, or a list of names of properties.";
    default:
      return "Any JSON value.";
  }
}
}  // namespace

std::string scalarId(FieldKind kind) {
  switch (kind) {
    case FieldKind::Time:
      return concat(kMeta, "Time");
    case FieldKind::MicroTime:
      return concat(kMeta, "MicroTime");
    case FieldKind::Duration:
      return concat(kMeta, "Duration");
    case FieldKind::FieldsV1:
      return concat(kMeta, "FieldsV1");
    case FieldKind::Quantity:
      return "io.k8s.apimachinery.pkg.api.resource.Quantity";
    case FieldKind::IntOrString:
      return "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
    case FieldKind::RawExtension:
      return "io.k8s.apimachinery.pkg.runtime.RawExtension";
    case FieldKind::JsonSchemaOrArray:
      return concat(kExtensions, "JSONSchemaPropsOrArray");
    case FieldKind::JsonSchemaOrBool:
      return concat(kExtensions, "JSONSchemaPropsOrBool");
    case FieldKind::JsonSchemaOrStringArray:
      return concat(kExtensions, "JSONSchemaPropsOrStringArray");
    default:
      return concat(kExtensions, "JSON");
  }
}

std::string customId(std::string_view group, std::string_view version, std::string_view kind) {
  auto parts = split(group, '.');
  std::reverse(parts.begin(), parts.end());
  return concat(join(parts, "."), '.', version, '.', kind);
}

// Writes the schema of one built-in type.
class SchemaWriter {
 public:
  explicit SchemaWriter(Definitions& definitions) : d_(definitions) {}

  Value type(const TypeInfo& type) {
    if (type.isWrapper) return array(element(type.fields.front()));
    Value properties = Value::map();
    std::vector<Value> required;
    if (type.isKind) addTypeMeta(properties, d_.arena_);
    for (const auto& field : type.fields) {
      properties.set(d_.arena_, field.json, property(field, type));
      if (field.required) required.push_back(Value::string(field.json));
    }
    Value out = Value::map();
    describe(out, type.description);
    if (!properties.empty()) out.set(d_.arena_, "properties", properties);
    if (!required.empty()) out.set(d_.arena_, "required", Value::listOf(d_.arena_, required));
    set(out, "type", R"("object")");
    if (type.atomic) set(out, "x-kubernetes-map-type", R"("atomic")");
    if (Value kinds = groupVersionKinds(type); !kinds.empty())
      out.set(d_.arena_, "x-kubernetes-group-version-kind", kinds);
    if (Value unions = unionsOf(type); !unions.empty())
      out.set(d_.arena_, "x-kubernetes-unions", unions);
    return out;
  }

 private:
  void set(Value& map, std::string_view key, std::string_view json) {
    map.set(d_.arena_, key, literal(json, d_.arena_));
  }

  void describe(Value& schema, PooledText text) {
    if (text.offset != 0) schema.set(d_.arena_, "description", Value::string(text.str()));
  }

  Value array(Value items) {
    Value out = literal(R"({"type":"array"})", d_.arena_);
    out.set(d_.arena_, "items", items);
    return out;
  }

  Value element(const FieldInfo& field) {
    if (field.kind == FieldKind::Message && field.type)
      return field.type->isWrapper ? type(*field.type) : d_.ref(*field.type);
    if (!isPlain(field.kind)) {
      d_.addScalar(field.kind);
      return d_.ref(scalarId(field.kind));
    }
    Value out = literal(plainSchema(field.kind), d_.arena_);
    if (field.enumInfo && field.enumInfo->closed) {
      std::vector<std::string_view> sorted(field.enumInfo->values.begin(),
                                           field.enumInfo->values.end());
      std::sort(sorted.begin(), sorted.end());
      Value values = Value::list();
      for (auto value : sorted) values.push(d_.arena_, Value::string(value));
      out.set(d_.arena_, "enum", values);
    }
    return out;
  }

  Value property(const FieldInfo& field, const TypeInfo& owner) {
    Value out = element(field);
    if (field.cardinality == Cardinality::List) out = array(out);
    if (field.cardinality == Cardinality::Map) {
      Value map = literal(R"({"type":"object"})", d_.arena_);
      map.set(d_.arena_, "additionalProperties", out);
      out = map;
    }
    if (d_.flavor_ == Flavor::V3) v3(out, field, owner);
    describe(out, field.description);
    extensions(out, field);
    return out;
  }

  // Version 3 shows defaults, and wraps references that have something beside them: upstream
  // describes all fields but those of JSONSchemaProps, of which only `default` is.
  void v3(Value& out, const FieldInfo& field, const TypeInfo& owner) {
    if (out.has("$ref") && (owner.name != "JSONSchemaProps" || field.json == "default")) {
      Value wrapped = Value::map(), list = Value::list();
      list.push(d_.arena_, out);
      wrapped.set(d_.arena_, "allOf", list);
      out = wrapped;
    }
    std::string_view text;
    bool single = field.cardinality == Cardinality::Single;
    if (!field.defaultJson.empty() && !field.defaultHidden)
      text = field.defaultJson;
    else if (single && field.kind == FieldKind::Message && field.type && !field.type->isWrapper)
      text = "{}";
    else if (single && field.always)
      text = zeroOf(field.kind);
    if (!text.empty()) set(out, "default", text);
  }

  void extensions(Value& out, const FieldInfo& field) {
    if (field.listTypeGiven) {
      constexpr std::string_view names[] = {R"("atomic")", R"("set")", R"("map")"};
      set(out, "x-kubernetes-list-type", names[size_t(field.listType)]);
      if (!field.listMapKeys.empty()) {
        Value keys = Value::list();
        for (auto key : field.listMapKeys) keys.push(d_.arena_, Value::string(key));
        out.set(d_.arena_, "x-kubernetes-list-map-keys", keys);
      }
    }
    if (field.cardinality != Cardinality::List) {
      if (field.atomicMap) set(out, "x-kubernetes-map-type", R"("atomic")");
      if (field.granularMap) set(out, "x-kubernetes-map-type", R"("granular")");
    }
    if (field.patchReplace) set(out, "x-kubernetes-patch-strategy", R"("replace")");
    if (field.patchMerge || field.patchReplaceKeys)
      set(out, "x-kubernetes-patch-strategy",
          field.patchMerge && field.patchReplaceKeys ? R"("merge,retainKeys")"
          : field.patchMerge                         ? R"("merge")"
                                                     : R"("retainKeys")");
    if (!field.patchMergeKey.empty())
      out.set(d_.arena_, "x-kubernetes-patch-merge-key", Value::string(field.patchMergeKey));
  }

  Value kind(std::string_view group, std::string_view version, std::string_view name) {
    Value out = Value::map();
    out.set(d_.arena_, "group", Value::text(d_.arena_, group));
    out.set(d_.arena_, "kind", Value::text(d_.arena_, name));
    out.set(d_.arena_, "version", Value::text(d_.arena_, version));
    return out;
  }

  Value groupVersionKinds(const TypeInfo& type) {
    Value out = Value::list();
    bool meta = type.package == "meta/v1";
    if (meta && (type.name == "DeleteOptions" || type.name == "WatchEvent")) {
      for (const auto& [group, version] : d_.kindsOf_)
        out.push(d_.arena_, kind(group, version, type.name));
    } else if (type.isKind) {
      out.push(d_.arena_, kind(meta ? "" : type.group, type.version, type.name));
    }
    return out;
  }

  Value unionsOf(const TypeInfo& type) {
    Value one = Value::map(), fields = Value::map(), out = Value::list();
    if (!type.isUnion) return out;
    for (const auto& field : type.fields) {
      if (field.unionDiscriminator)
        one.set(d_.arena_, "discriminator", Value::string(field.json));
      else
        fields.set(d_.arena_, field.json, Value::text(d_.arena_, capitalised(field.json)));
    }
    one.set(d_.arena_, "fields-to-discriminateBy", fields);
    out.push(d_.arena_, one);
    return out;
  }

  Definitions& d_;
};

Value Definitions::ref(std::string_view id) {
  Value out = Value::map();
  auto prefix = flavor_ == Flavor::V2 ? "#/definitions/" : "#/components/schemas/";
  out.set(arena_, "$ref", Value::text(arena_, concat(prefix, id)));
  return out;
}

Value Definitions::ref(const TypeInfo& type) {
  std::string id = openApiId(type);
  if (schemas_.emplace(id, Value::null()).second) {  // first, for types that hold themselves
    Value schema = SchemaWriter(*this).type(type);
    schemas_[id] = schema;
  }
  return ref(id);
}

void Definitions::addScalar(FieldKind kind) {
  Value schema = literal(scalarSchema(kind, flavor_), arena_);
  schema.set(arena_, "description", Value::string(scalarText(kind)));
  schemas_.emplace(scalarId(kind), schema);
}

void Definitions::addPatch() {
  ref(*findType("meta/v1", "Patch"));
}

Value Definitions::all() const {
  Value out = Value::map();
  for (const auto& [id, schema] : schemas_) out.append(arena_, arena_.copy(id), schema);
  return out;
}

namespace {
// Version 2 knows less: what it cannot say is left out, and what then would be wrong becomes
// "anything".
Value forV2(const Value& schema, Arena& arena) {
  constexpr std::string_view dropped[] = {
      "oneOf", "anyOf", "allOf", "not", "nullable", "default", "x-kubernetes-validations"};
  Value out = Value::map();
  bool anything = schema["nullable"].asBool() ||
                  schema["x-kubernetes-preserve-unknown-fields"].asBool() ||
                  schema["x-kubernetes-int-or-string"].asBool();
  for (const auto& member : schema.members()) {
    if (std::find(std::begin(dropped), std::end(dropped), member.key) != std::end(dropped))
      continue;
    if (anything && (member.key == "type" || member.key == "properties" || member.key == "items" ||
                     member.key == "additionalProperties" || member.key == "required"))
      continue;
    if (member.key == "properties") {
      Value properties = Value::map();
      for (const auto& property : member.value.members())
        properties.append(arena, property.key, forV2(property.value, arena));
      out.append(arena, member.key, properties);
    } else if ((member.key == "items" || member.key == "additionalProperties") &&
               member.value.isMap()) {
      out.append(arena, member.key, forV2(member.value, arena));
    } else {
      out.append(arena, member.key, member.value);
    }
  }
  return out;
}
}  // namespace

void Definitions::addCustom(const ResourceInfo& resource, const Value& schema) {
  // Version 2 has no way to say "anything beside these": its clients are told of an object, and check nothing below.
  bool open = flavor_ == Flavor::V2 && (!schema.isMap() || schema["x-kubernetes-preserve-unknown-fields"].asBool());
  Value object = open                      ? literal(R"({"type":"object"})", arena_)
                 : flavor_ == Flavor::V2 ? forV2(schema, arena_)
                                         : schema.clone(arena_);
  const TypeInfo* metaType = findType("meta/v1", "ObjectMeta");
  const TypeInfo* listMetaType = findType("meta/v1", "ListMeta");
  auto kinds = [&](std::string_view kind) {
    return literal(concat(R"([{"group":")", resource.group, R"(","kind":")", kind,
                          R"(","version":")", resource.version, R"("}])"),
                   arena_);
  };
  if (!object.isMap() || object.empty()) object = literal(R"({"type":"object"})", arena_);
  if (object["type"].asString() == "object" && !open) {
    Value properties = object["properties"];
    if (properties.isNull()) properties = Value::map();
    addTypeMeta(properties, arena_);
    Value metadata = ref(*metaType);
    if (flavor_ == Flavor::V3) {
      Value list = Value::list(), wrapped = Value::map();
      list.push(arena_, metadata);
      wrapped.set(arena_, "allOf", list);
      metadata = wrapped;
    }
    metadata.set(arena_, "description", Value::string(kObjectMetaText));
    properties.set(arena_, "metadata", metadata);
    object.set(arena_, "properties", properties);
  }
  object.set(arena_, "x-kubernetes-group-version-kind", kinds(resource.kind));
  std::string id = customId(resource.group, resource.version, resource.kind),
              listKind = concat(resource.kind, "List");
  schemas_[id] = object;

  Value items = literal(R"({"type":"array"})", arena_), properties = Value::map();
  items.set(arena_, "items", ref(id));
  addTypeMeta(properties, arena_);
  properties.set(arena_, "items", items);
  properties.set(arena_, "metadata", ref(*listMetaType));
  Value list = literal(R"({"type":"object","required":["items"]})", arena_);
  list.set(arena_, "properties", properties);
  list.set(arena_, "x-kubernetes-group-version-kind", kinds(listKind));
  schemas_[customId(resource.group, resource.version, listKind)] = list;
}

}  // namespace openapi
}  // namespace skiff::api
