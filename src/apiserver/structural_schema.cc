#include "apiserver/structural_schema.h"

#include <re2/re2.h>

#include <cmath>
#include <set>

#include "api/convert.h"
#include "apiserver/crd.h"
#include "apiserver/extension/schema_rules.h"
#include "apiserver/object_codec.h"
#include "apiserver/strategy.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

// Schemas and values nest no deeper than this; the walks recurse.
constexpr int kMaxDepth = 100;
// Patterns come from users: their compiled form is bounded.
constexpr int64_t kMaxRegexBytes = 1 << 20;

std::optional<double> readNumber(const Value& schema, std::string_view key) {
  const Value* value = schema.find(key);
  return value && value->isNumber() ? std::optional(value->asDouble()) : std::nullopt;
}
std::optional<int64_t> readInt(const Value& schema, std::string_view key) {
  const Value* value = schema.find(key);
  return value && value->isInt() ? std::optional(value->asInt()) : std::nullopt;
}

Status parseInto(StructuralSchema& out, const Value& schema, int depth);

Result<std::unique_ptr<StructuralSchema>> parseOne(const Value& schema, int depth) {
  auto out = std::make_unique<StructuralSchema>();
  TRY(parseInto(*out, schema, depth + 1));
  return out;
}

Status parseMany(std::vector<std::unique_ptr<StructuralSchema>>& out, const Value& list, int depth) {
  for (const Value& item : list.items()) out.push_back(TRY(parseOne(item, depth)));
  return okStatus();
}

codec::DocumentPtr keep(const Value* value) {
  return value && !value->isNull() ? codec::DocumentPtr(codec::cloneDocument(*value)) : nullptr;
}

Status parseInto(StructuralSchema& out, const Value& schema, int depth) {
  if (depth > kMaxDepth) return badRequest("schema is nested too deeply");
  out.type = schema["type"].str();
  out.format = schema["format"].str();
  out.pattern = schema["pattern"].str();
  out.nullable = schema["nullable"].asBool();
  out.preserveUnknown = schema["x-kubernetes-preserve-unknown-fields"].asBool();
  out.embeddedResource = schema["x-kubernetes-embedded-resource"].asBool();
  out.intOrString = schema["x-kubernetes-int-or-string"].asBool();
  out.uniqueItems = schema["uniqueItems"].asBool();
  out.exclusiveMinimum = schema["exclusiveMinimum"].asBool();
  out.exclusiveMaximum = schema["exclusiveMaximum"].asBool();
  out.minimum = readNumber(schema, "minimum");
  out.maximum = readNumber(schema, "maximum");
  out.multipleOf = readNumber(schema, "multipleOf");
  out.minLength = readInt(schema, "minLength");
  out.maxLength = readInt(schema, "maxLength");
  out.minItems = readInt(schema, "minItems");
  out.maxItems = readInt(schema, "maxItems");
  out.minProperties = readInt(schema, "minProperties");
  out.maxProperties = readInt(schema, "maxProperties");
  for (const Value& name : schema["required"].items()) out.required.push_back(name.str());
  out.defaultValue = keep(schema.find("default"));
  out.enumValues = keep(schema.find("enum"));
  out.listType = schema["x-kubernetes-list-type"].str();
  out.mapType = schema["x-kubernetes-map-type"].str();
  for (const Value& key : schema["x-kubernetes-list-map-keys"].items()) out.listMapKeys.push_back(key.str());
  for (const codec::Member& member : schema["properties"].members())
    out.properties.emplace(std::string(member.key), TRY(parseOne(member.value, depth)));
  if (const Value* items = schema.find("items"); items && items->isMap()) out.items = TRY(parseOne(*items, depth));
  if (const Value* more = schema.find("additionalProperties")) {
    if (more->isMap()) out.additional = TRY(parseOne(*more, depth));
    out.additionalAllowed = more->isMap() || more->asBool();
  }
  TRY(parseMany(out.allOf, schema["allOf"], depth));
  TRY(parseMany(out.anyOf, schema["anyOf"], depth));
  TRY(parseMany(out.oneOf, schema["oneOf"], depth));
  if (const Value* negated = schema.find("not"); negated && negated->isMap()) out.negated = TRY(parseOne(*negated, depth));
  out.rules = compileSchemaRules(schema);
  if (!out.pattern.empty()) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kMaxRegexBytes);
    out.regex = std::make_unique<re2::RE2>(out.pattern, options);
  }
  return okStatus();
}

std::string childPath(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : concat(path, '.', key);
}

void defaultBy(Value& value, const StructuralSchema& schema, Arena& arena, int depth) {
  if (depth > kMaxDepth) return;
  if (value.isMap()) {
    for (const auto& [name, property] : schema.properties) {
      Value* there = value.find(name);
      // A null that is not allowed to be null counts as absent where there is a default.
      if (there && there->isNull() && !property->nullable && property->defaultValue) {
        value.erase(name);
        there = nullptr;
      }
      if (!there && property->defaultValue) value.set(arena, name, property->defaultValue->root.clone(arena));
    }
    for (codec::Member& member : value.members()) {
      auto property = schema.properties.find(member.key);
      if (property != schema.properties.end()) defaultBy(member.value, *property->second, arena, depth + 1);
      else if (schema.additional) defaultBy(member.value, *schema.additional, arena, depth + 1);
    }
    std::ranges::sort(value.members(), {}, &codec::Member::key);
  }
  if (value.isList() && schema.items)
    for (Value& item : value.items()) defaultBy(item, *schema.items, arena, depth + 1);
}

std::string_view typeName(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Null: return "null";
    case Value::Kind::Bool: return "boolean";
    case Value::Kind::Int: return "integer";
    case Value::Kind::Double: return "number";
    case Value::Kind::String: return "string";
    case Value::Kind::List: return "array";
    default: return "object";
  }
}

size_t characters(std::string_view text) {
  return size_t(std::ranges::count_if(text, [](char c) { return (uint8_t(c) & 0xc0) != 0x80; }));
}

std::string numberText(double number) { return codec::formatJsonDouble(number); }

class Validator {
 public:
  explicit Validator(FieldErrors& errors) : errors_(errors) {}

  void check(const Value& value, const StructuralSchema& schema, const std::string& path, int depth = 0) {
    if (depth > kMaxDepth) return errors_.invalid(path, "", "nested too deeply");
    if (value.isNull() && schema.nullable) return;
    if (!typeFits(value, schema)) {
      return errors_.typeInvalid(path, quoted(typeName(value)),
                                 concat(path, " in body must be of type ", schema.type, ": \"", typeName(value), "\""));
    }
    checkEnum(value, schema, path);
    if (value.isNumber()) checkNumber(value, schema, path);
    if (value.isString()) checkString(value, schema, path);
    if (value.isList()) checkList(value, schema, path, depth);
    if (value.isMap()) checkMap(value, schema, path, depth);
    checkCombined(value, schema, path, depth);
  }

 private:
  static bool typeFits(const Value& value, const StructuralSchema& schema) {
    if (schema.intOrString) return value.isInt() || value.isString();
    if (schema.type.empty()) return true;
    if (schema.type == "number") return value.isNumber();
    if (schema.type == "integer")
      return value.isInt() || (value.isDouble() && std::trunc(value.asDouble()) == value.asDouble());
    return schema.type == typeName(value);
  }
  static std::string shown(const Value& value) { return codec::toJson(value); }

  void checkEnum(const Value& value, const StructuralSchema& schema, const std::string& path) {
    if (!schema.enumValues) return;
    std::vector<std::string> allowed;
    for (const Value& one : schema.enumValues->root.items()) {
      if (one == value) return;
      allowed.push_back(one.isString() ? one.str() : codec::toJson(one));
    }
    errors_.notSupported(path, shown(value), allowed);
  }
  void checkNumber(const Value& value, const StructuralSchema& schema, const std::string& path) {
    double number = value.asDouble();
    auto refuse = [&](std::string_view relation, double bound) {
      errors_.invalid(path, shown(value), concat(path, " in body should be ", relation, ' ', numberText(bound)));
    };
    if (schema.minimum && schema.exclusiveMinimum && number <= *schema.minimum) refuse("greater than", *schema.minimum);
    else if (schema.minimum && number < *schema.minimum) refuse("greater than or equal to", *schema.minimum);
    if (schema.maximum && schema.exclusiveMaximum && number >= *schema.maximum) refuse("less than", *schema.maximum);
    else if (schema.maximum && number > *schema.maximum) refuse("less than or equal to", *schema.maximum);
    if (schema.multipleOf && *schema.multipleOf > 0 && std::fmod(number, *schema.multipleOf) != 0)
      refuse("a multiple of", *schema.multipleOf);
  }
  void checkString(const Value& value, const StructuralSchema& schema, const std::string& path) {
    std::string_view text = value.asString();
    auto length = int64_t(characters(text));
    if (schema.maxLength && length > *schema.maxLength) errors_.tooLong(path, *schema.maxLength);
    if (schema.minLength && length < *schema.minLength)
      errors_.invalid(path, shown(value), concat(path, " in body should be at least ", *schema.minLength, " chars long"));
    if (schema.regex && schema.regex->ok() && !re2::RE2::PartialMatch({text.data(), text.size()}, *schema.regex))
      errors_.invalid(path, shown(value), concat(path, " in body should match '", schema.pattern, "'"));
    if (!formatFits(text, schema.format))
      errors_.invalid(path, shown(value), concat(path, " in body must be of type ", schema.format, ": ", shown(value)));
  }
  static bool formatFits(std::string_view text, std::string_view format) {
    if (format == "date-time") return parseRfc3339(text).has_value();
    if (format == "date") return parseRfc3339(concat(text, "T00:00:00Z")).has_value();
    if (format == "byte") return base64Decode(text).has_value();
    if (format == "uuid") return isUuid(text);
    if (format == "ipv4") return isIpv4(text);
    return true;  // formats that the server does not know are documentation
  }
  static bool isUuid(std::string_view text) {
    static const re2::RE2 kPattern("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$");
    return re2::RE2::FullMatch({text.data(), text.size()}, kPattern);
  }
  static bool isIpv4(std::string_view text) {
    auto parts = split(text, '.');
    return parts.size() == 4 && std::ranges::all_of(parts, [](std::string_view part) {
             auto number = parseUint(part);
             return number && *number <= 255;
           });
  }
  void checkList(const Value& value, const StructuralSchema& schema, const std::string& path, int depth) {
    auto size = int64_t(value.size());
    if (schema.maxItems && size > *schema.maxItems) errors_.tooMany(path, size, *schema.maxItems);
    if (schema.minItems && size < *schema.minItems)
      errors_.invalid(path, shown(value), concat(path, " in body should have at least ", *schema.minItems, " items"));
    size_t index = 0;
    std::set<std::string> seen;
    for (const Value& item : value.items()) {
      std::string itemPath = concat(path, '[', index++, ']');
      if (schema.items) check(item, *schema.items, itemPath, depth + 1);
      if (schema.listType != "set" && schema.listType != "map") continue;
      std::string key = schema.listType == "set" ? codec::toJsonSorted(item) : listKey(item, schema);
      if (!seen.insert(key).second) errors_.duplicate(itemPath, key);
    }
  }
  static std::string listKey(const Value& item, const StructuralSchema& schema) {
    Arena arena;
    Value key = Value::map();
    for (const std::string& name : schema.listMapKeys)
      if (const Value* part = item.find(name)) key.set(arena, name, *part);
    return codec::toJsonSorted(key);
  }
  void checkMap(const Value& value, const StructuralSchema& schema, const std::string& path, int depth) {
    auto size = int64_t(value.size());
    if (schema.maxProperties && size > *schema.maxProperties) errors_.tooMany(path, size, *schema.maxProperties);
    if (schema.minProperties && size < *schema.minProperties)
      errors_.invalid(path, shown(value), concat(path, " in body should have at least ", *schema.minProperties, " properties"));
    for (const std::string& name : schema.required)
      if (!value.has(name)) errors_.required(childPath(path, name), "");
    for (const codec::Member& member : value.members()) {
      auto property = schema.properties.find(member.key);
      if (property != schema.properties.end()) {
        check(member.value, *property->second, childPath(path, member.key), depth + 1);
      } else if (schema.additional) {
        check(member.value, *schema.additional, childPath(path, member.key), depth + 1);
      }
    }
  }
  static bool passes(const Value& value, const StructuralSchema& schema, const std::string& path, int depth) {
    FieldErrors errors;
    Validator(errors).check(value, schema, path, depth + 1);
    return errors.empty();
  }
  void checkCombined(const Value& value, const StructuralSchema& schema, const std::string& path, int depth) {
    for (const auto& part : schema.allOf) check(value, *part, path, depth + 1);
    if (!schema.anyOf.empty()) {
      bool any = std::ranges::any_of(schema.anyOf, [&](const auto& part) { return passes(value, *part, path, depth); });
      if (!any) errors_.invalid(path, shown(value), concat("\"", path, "\" must validate at least one schema (anyOf)"));
    }
    if (!schema.oneOf.empty()) {
      auto count = std::ranges::count_if(schema.oneOf, [&](const auto& part) { return passes(value, *part, path, depth); });
      if (count != 1)
        errors_.invalid(path, shown(value),
                        concat("\"", path, "\" must validate one and only one schema (oneOf). Found ",
                               count == 0 ? std::string("none valid") : concat(count, " valid alternatives")));
    }
    if (schema.negated && passes(value, *schema.negated, path, depth))
      errors_.invalid(path, shown(value), concat("\"", path, "\" must not validate the schema (not)"));
  }

  FieldErrors& errors_;
};

}  // namespace

StructuralSchema::StructuralSchema() = default;
StructuralSchema::~StructuralSchema() = default;

Result<std::shared_ptr<const StructuralSchema>> parseStructuralSchema(const Value& schema) {
  auto out = std::make_shared<StructuralSchema>();
  TRY(parseInto(*out, schema, 0));
  return std::shared_ptr<const StructuralSchema>(std::move(out));
}

Status conformCustom(Value& object, const CustomVersion& version, Arena& arena, std::vector<std::string>& unknown) {
  if (object.isNull()) object = Value::map();
  if (!object.isMap()) return badRequest("object expected");
  api::DecodeReport report;
  TRY(api::conform(object, version.type, arena, report));
  for (std::string& field : report.unknownFields) unknown.push_back(std::move(field));
  return okStatus();
}

void defaultCustom(Value& object, const CustomVersion& version, Arena& arena) {
  if (!version.schema) return;
  auto schema = version.schema->get();
  if (schema.ok()) defaultBy(object, **schema, arena, 0);  // else validation refuses
}

void validateCustom(const Value& object, const Value* old, const CustomVersion& version, FieldErrors& errors) {
  if (!version.schema) return;
  auto schema = version.schema->get();
  if (!schema.ok()) return errors.internal("", schema.error().message());
  Validator(errors).check(object, **schema, "");
  if (errors.empty()) validateByRules(object, old, **schema, errors);
}

}  // namespace skiff::apiserver
