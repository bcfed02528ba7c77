#include "apiserver/crd.h"

#include <algorithm>

#include "apiserver/structural_schema.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using api::Cardinality;
using api::FieldInfo;
using api::FieldKind;
using api::TypeInfo;
using codec::Value;

constexpr std::string_view kVerbs[] = {"delete", "deletecollection", "get",   "list",
                                       "patch",  "create",           "update", "watch"};
constexpr std::string_view kViewVerbs[] = {"get", "patch", "update"};
constexpr int kMaxDepth = 100;

// "v10beta2" -> {10, 2 (beta), 2}; nullopt for other names.
struct ParsedVersion {
  int64_t major = 0;
  int stage = 0;  // 3: GA, 2: beta, 1: alpha
  int64_t minor = 0;
};
std::optional<ParsedVersion> parseVersion(std::string_view text) {
  if (!text.starts_with('v')) return std::nullopt;
  text.remove_prefix(1);
  size_t digits = text.find_first_not_of("0123456789");
  auto major = parseInt(text.substr(0, digits));
  if (!major || text.starts_with('0')) return std::nullopt;
  if (digits == std::string_view::npos) return ParsedVersion{*major, 3, 0};
  std::string_view rest = text.substr(digits);
  int stage = rest.starts_with("beta") ? 2 : rest.starts_with("alpha") ? 1 : 0;
  if (stage == 0) return std::nullopt;
  rest.remove_prefix(stage == 2 ? 4 : 5);
  auto minor = rest.empty() ? std::nullopt : parseInt(rest);
  if (!minor) return std::nullopt;
  return ParsedVersion{*major, stage, *minor};
}

}  // namespace

int compareVersions(std::string_view a, std::string_view b) {
  auto left = parseVersion(a), right = parseVersion(b);
  if (!left || !right) {
    if (left || right) return left ? 1 : -1;
    return a < b ? 1 : a > b ? -1 : 0;
  }
  if (left->stage != right->stage) return left->stage > right->stage ? 1 : -1;
  if (left->major != right->major) return left->major > right->major ? 1 : -1;
  if (left->minor != right->minor) return left->minor > right->minor ? 1 : -1;
  return 0;
}

// Makes the tables of one definition. Text is viewed in the definition's own tree where it stands there.
struct CustomResource::Builder {
  CustomResource& out;

  std::string_view keep(std::string text) { return out.strings_.emplace_back(std::move(text)); }
  std::span<const std::string_view> keep(std::vector<std::string_view> views) {
    return out.views_.emplace_back(std::move(views));
  }
  static std::vector<std::string_view> texts(const Value& list) {
    std::vector<std::string_view> views;
    for (const Value& item : list.items()) views.push_back(item.asString());
    return views;
  }

  const TypeInfo* message(const Value& schema, int depth) {
    TypeInfo type;
    type.custom = true;
    type.name = "object";
    type.preserveUnknown = schema["x-kubernetes-preserve-unknown-fields"].asBool() || depth > kMaxDepth;
    type.atomic = schema["x-kubernetes-map-type"].asString() == "atomic";
    bool embedded = schema["x-kubernetes-embedded-resource"].asBool();
    type.isKind = embedded;
    type.fields = fieldsOf(schema, embedded, depth);
    return &out.types_.emplace_back(type);
  }

  std::span<const FieldInfo> fieldsOf(const Value& schema, bool withMetadata, int depth) {
    std::vector<FieldInfo> fields;
    fields.reserve(schema["properties"].size() + withMetadata);  // they stay as long as the definition
    for (const codec::Member& member : schema["properties"].members()) {
      if (withMetadata && (member.key == "metadata" || member.key == "apiVersion" || member.key == "kind")) continue;
      fields.push_back(fieldOf(member.key, member.value, depth));
    }
    if (withMetadata) {
      FieldInfo metadata;
      metadata.json = "metadata";
      metadata.kind = FieldKind::Message;
      metadata.type = api::findType("meta/v1", "ObjectMeta");
      fields.push_back(metadata);
    }
    std::ranges::sort(fields, {}, &FieldInfo::json);
    return out.fields_.emplace_back(std::move(fields));
  }

  FieldInfo fieldOf(std::string_view name, const Value& schema, int depth) {
    FieldInfo field;
    field.json = name;
    field.cardinality = Cardinality::Optional;
    field.nullable = schema["nullable"].asBool();
    field.preserveUnknown = schema["x-kubernetes-preserve-unknown-fields"].asBool();
    field.atomicMap = schema["x-kubernetes-map-type"].asString() == "atomic";
    std::string_view type = schema["type"].asString();
    if (type == "array") {
      field.cardinality = Cardinality::List;
      std::string_view listType = schema["x-kubernetes-list-type"].asString();
      field.listType = listType == "map"   ? api::ListType::Map
                       : listType == "set" ? api::ListType::Set
                                           : api::ListType::Atomic;
      field.listMapKeys = keep(texts(schema["x-kubernetes-list-map-keys"]));
      setKind(field, schema["items"], depth);
    } else if (type == "object" && schema["additionalProperties"].isMap() && !schema.has("properties")) {
      field.cardinality = Cardinality::Map;
      setKind(field, schema["additionalProperties"], depth);
    } else if (type == "object" && schema["additionalProperties"].asBool()) {
      field.kind = FieldKind::Json;
    } else {
      setKind(field, schema, depth);
    }
    return field;
  }

  void setKind(FieldInfo& field, const Value& schema, int depth) {
    std::string_view type = schema["type"].asString();
    bool nested = schema["additionalProperties"].isMap() && !schema.has("properties");
    if (schema["x-kubernetes-int-or-string"].asBool()) {
      field.kind = FieldKind::IntOrString;
    } else if (type == "object" && !nested) {
      field.kind = FieldKind::Message;
      field.type = message(schema, depth + 1);
    } else if (type == "string") {
      field.kind = FieldKind::String;
    } else if (type == "integer") {
      field.kind = FieldKind::Int64;
    } else if (type == "number") {
      field.kind = FieldKind::Double;
    } else if (type == "boolean") {
      field.kind = FieldKind::Bool;
    } else {
      field.kind = FieldKind::Json;
    }
  }

  Status version(const Value& spec, const Value& source) {
    CustomVersion& version = out.versions_.emplace_back();
    version.name = source["name"].str();
    version.served = source["served"].asBool();
    version.storage = source["storage"].asBool();
    version.deprecated = source["deprecated"].asBool();
    version.deprecationWarning = source["deprecationWarning"].str();
    if (version.deprecationWarning.empty())
      version.deprecationWarning = concat(out.group_, '/', version.name, ' ', out.kind_, " is deprecated");
    const Value& schema = source["schema"]["openAPIV3Schema"];
    version.openApiSchema = schema;
    if (schema.isMap()) version.schema = std::make_unique<const LazySchema>(schema);
    version.preserveUnknown = !schema.isMap() || schema["x-kubernetes-preserve-unknown-fields"].asBool() ||
                              spec["preserveUnknownFields"].asBool();
    readSubresources(version, source["subresources"]);
    version.table = std::make_shared<const api::CustomTable>(source);
    makeType(version, schema);
    makeResource(version, spec, source);
    return okStatus();
  }

  static void readSubresources(CustomVersion& version, const Value& source) {
    version.hasStatus = source["status"].isMap();
    const Value& scale = source["scale"];
    version.hasScale = scale.isMap();
    version.specReplicasPath = scale["specReplicasPath"].str();
    version.statusReplicasPath = scale["statusReplicasPath"].str();
    version.labelSelectorPath = scale["labelSelectorPath"].str();
  }

  void makeType(CustomVersion& version, const Value& schema) {
    TypeInfo& type = version.type;
    type.name = out.kind_;
    type.group = out.group_;
    type.version = version.name;
    type.package = keep(concat(out.group_, '/', version.name));
    type.isKind = true;
    type.custom = true;
    type.preserveUnknown = version.preserveUnknown;
    type.fields = fieldsOf(schema, true, 0);
  }

  void makeResource(CustomVersion& version, const Value& spec, const Value& source) {
    const Value& names = spec["names"];
    api::ResourceInfo& info = version.resource;
    info.group = out.group_;
    info.version = version.name;
    info.kind = out.kind_;
    info.plural = out.plural_;
    info.singular = out.singular_;
    info.namespaced = out.namespaced_;
    info.type = &version.type;
    info.verbs = kVerbs;
    info.shortNames = keep(texts(names["shortNames"]));
    info.categories = keep(texts(names["categories"]));
    std::vector<std::string_view> selectable{"metadata.name", "metadata.namespace"};
    for (const Value& field : source["selectableFields"].items()) {
      std::string_view path = field["jsonPath"].asString();
      if (path.starts_with('.')) path.remove_prefix(1);
      selectable.push_back(path);
    }
    info.fieldSelectors = keep(std::move(selectable));
    std::vector<api::SubresourceInfo> subresources;
    if (version.hasStatus)
      subresources.push_back({"status", info.group, info.version, info.kind, kViewVerbs});
    if (version.hasScale) subresources.push_back({"scale", "autoscaling", "v1", "Scale", kViewVerbs});
    info.subresources = out.subresources_.emplace_back(std::move(subresources));
  }
};

Result<const StructuralSchema*> LazySchema::get() const {
  std::call_once(parsed_, [this] { schema_ = parseStructuralSchema(source_); });
  if (!schema_.ok()) return schema_.error();
  return schema_->get();
}

CustomResource::~CustomResource() = default;

const CustomVersion* CustomResource::version(std::string_view name) const {
  auto found = std::ranges::find(versions_, name, &CustomVersion::name);
  return found == versions_.end() ? nullptr : &*found;
}

Result<std::shared_ptr<const CustomResource>> CustomResource::create(const api::ObjectPtr& definition,
                                                                     std::shared_ptr<const ObjectConverter> converter) {
  std::shared_ptr<CustomResource> out(new CustomResource());
  const Value& spec = definition->root()["spec"];
  const Value& names = spec["names"];
  out->definition_ = definition;
  out->converter_ = std::move(converter);
  out->name_ = std::string(definition->name());
  out->uid_ = std::string(definition->uid());
  out->group_ = spec["group"].str();
  out->plural_ = names["plural"].str();
  out->singular_ = names["singular"].str();
  out->kind_ = names["kind"].str();
  out->listKind_ = names["listKind"].str();
  out->namespaced_ = spec["scope"].asString() == "Namespaced";
  Builder builder{*out};
  for (const Value& version : spec["versions"].items()) TRY(builder.version(spec, version));
  for (CustomVersion& version : out->versions_)
    if (version.storage) out->storage_ = &version;
  if (!out->storage_) return badRequest("no storage version");
  const CustomVersion& storage = *out->storage_;
  for (CustomVersion& version : out->versions_) {
    version.resource.storageGroup = storage.resource.group;
    version.resource.storageVersion = storage.resource.version;
  }
  return std::shared_ptr<const CustomResource>(std::move(out));
}

}  // namespace skiff::apiserver
