#include "apiserver/extension/schema_costs.h"

#include <algorithm>
#include <cstdio>

#include "apiserver/strategy.h"
#include "base/strings.h"
#include "cel/schema_types.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

// Upstream's limits: of one expression over one object, and of all of a schema.
constexpr uint64_t kExpressionLimit = 10'000'000, kSchemaLimit = 100'000'000;
// How many of the dearest rules are named when all together are too dear.
constexpr size_t kNamed = 4;

// Of a request, in bytes; the largest text in it has two quotes around.
constexpr uint64_t kMaxRequest = 3 * 1024 * 1024, kMaxText = kMaxRequest - 2;
// A character of maxLength can take four bytes.
constexpr uint64_t kBytesPerCharacter = 4;
// In JSON, quotes included.
constexpr uint64_t kDate = 12, kMinDateTime = 21, kMaxDateTime = 32, kMinDuration = 3, kMaxDuration = 32;
// metadata.name; generateName leaves room for a suffix.
constexpr uint64_t kMaxName = 253 * kBytesPerCharacter, kMaxGenerateName = 252 * kBytesPerCharacter;
// What a map's entry takes beside its value: the key's quotes, colon, comma and the like.
constexpr uint64_t kEntryOverhead = 6;
// As the walks over schemas: deeper levels are not looked into.
constexpr int kMaxDepth = 100;

// The fewest bytes that a value of the schema takes in JSON. Of an object that are its required members.
uint64_t minJsonSize(const Value& schema, int depth = 0) {
  std::string_view type = schema["type"].asString(), format = schema["format"].asString();
  if (type == "boolean") return 4;
  if (type == "array") return 2;
  if (type == "string") return format == "date-time" ? kMinDateTime : format == "date" ? kDate : format == "duration" ? kMinDuration : 2;
  if (type != "object") return 1;
  uint64_t size = 2;
  for (const Value& name : schema["required"].items()) {
    const Value* property = depth < kMaxDepth ? schema["properties"].find(name.asString()) : nullptr;
    if (property && !property->has("default")) size += name.asString().size() + 4 + minJsonSize(*property, depth + 1);
  }
  return size;
}

std::optional<uint64_t> bound(const Value& schema, std::string_view keyword) {
  const Value* value = schema.find(keyword);
  if (!value || !value->isInt()) return std::nullopt;
  return uint64_t(std::max<int64_t>(value->asInt(), 0));
}

uint64_t maxTextSize(const Value& schema) {
  std::string_view format = schema["format"].asString();
  if (format == "date") return kDate;
  if (format == "date-time") return kMaxDateTime;
  if (format == "duration") return kMaxDuration;
  if (std::optional<uint64_t> length = bound(schema, "maxLength"))
    return format == "byte" ? *length : cel::multiplySaturating(*length, kBytesPerCharacter);
  uint64_t longest = 0;
  for (const Value& choice : schema["enum"].items()) longest = std::max<uint64_t>(longest, choice.asString().size());
  return longest > 0 ? longest : kMaxText;
}

bool isMapSchema(const Value& schema) { return schema["additionalProperties"].isMap(); }

// Items of a list, entries of a map, bytes of a text; objects and scalars have no size.
uint64_t maxSize(const Value& schema) {
  if (schema["x-kubernetes-int-or-string"].asBool()) return kMaxText;
  std::string_view type = schema["type"].asString();
  if (type == "string") return maxTextSize(schema);
  if (type == "array") return bound(schema, "maxItems").value_or(kMaxText / (minJsonSize(schema["items"]) + 1));
  if (type != "object" || !isMapSchema(schema)) return 0;
  return bound(schema, "maxProperties").value_or(kMaxText / (minJsonSize(schema["additionalProperties"]) + kEntryOverhead));
}

// Members that every resource has; of those that the schema declares only the names of the metadata can be shorter.
std::optional<uint64_t> resourceMemberSize(const Value& schema, std::span<const std::string_view> path) {
  if (path[0] == "apiVersion" || path[0] == "kind") return path.size() == 1 ? std::optional(kMaxText) : std::nullopt;
  if (path.size() == 1) return 0;
  if (path.size() > 2 || (path[1] != "name" && path[1] != "generateName")) return std::nullopt;
  if (std::optional<uint64_t> length = bound(schema["properties"]["metadata"]["properties"][path[1]], "maxLength"))
    return cel::multiplySaturating(*length, kBytesPerCharacter);
  return path[1] == "name" ? kMaxName : kMaxGenerateName;
}

const Value* propertyNamed(const Value& schema, std::string_view spelling) {
  for (const codec::Member& property : schema["properties"].members()) {
    std::vector<std::string> spellings = cel::spellingsOf(property.key);
    if (std::ranges::find(spellings, spelling) != spellings.end()) return &property.value;
  }
  return nullptr;
}

std::string exceeds(std::string_view what, uint64_t cost, uint64_t limit) {
  double factor = double(cost) / double(limit);
  char shown[32];
  // Near the limit more digits, lest it say "1.0x".
  std::snprintf(shown, sizeof shown, factor < 1.5 ? "%f" : "%.1f", factor);
  return concat(what, " exceeds budget by factor of ", factor > 100 ? "more than 100" : shown,
                "x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)");
}

}  // namespace

std::optional<uint64_t> SchemaSizes::maxSizeAt(std::span<const std::string_view> path) const {
  const Value* level = &schema_;
  bool isResource = isRoot_ || (*level)["x-kubernetes-embedded-resource"].asBool();
  for (size_t i = 1; i < path.size(); ++i) {
    std::string_view step = path[i];
    if (isResource && (step == "apiVersion" || step == "kind" || step == "metadata"))
      return resourceMemberSize(*level, path.subspan(i));
    if (step == cel::kKeysStep) return isMapSchema(*level) && i + 1 == path.size() ? std::optional<uint64_t>(0) : std::nullopt;
    if (step == cel::kItemsStep || step == cel::kValuesStep) {
      std::string_view member = (*level)["type"].asString() == "array" ? "items" : "additionalProperties";
      level = (*level)[member].isMap() ? &(*level)[member] : nullptr;
    } else {
      level = propertyNamed(*level, step);
    }
    if (!level) return std::nullopt;
    isResource = (*level)["x-kubernetes-embedded-resource"].asBool();
  }
  return maxSize(*level);
}

Cardinality Cardinality::below(const Value& level) const {
  Cardinality result;
  std::optional<uint64_t> most = bound(level, level["type"].asString() == "array" ? "maxItems" : "maxProperties");
  if (count_ && most) result.count_ = cel::multiplySaturating(*count_, *most);
  else result.count_ = std::nullopt;
  return result;
}

uint64_t Cardinality::of(const Value& level) const { return count_.value_or(kMaxRequest / (minJsonSize(level) + 1)); }

void RuleCosts::rule(std::string path, uint64_t cost) { add(std::move(path), "estimated rule cost", cost); }
void RuleCosts::messageExpression(std::string path, uint64_t cost) { add(std::move(path), "estimated messageExpression cost", cost); }

void RuleCosts::add(std::string path, std::string_view what, uint64_t cost) {
  if (cost > kExpressionLimit) errors_.forbidden(path, exceeds(what, cost, kExpressionLimit));
  total_ = cel::addSaturating(total_, cost);
  if (cost < kSchemaLimit / 100) return;
  auto after = std::ranges::find_if(mostExpensive_, [&](const Expensive& other) { return other.cost < cost; });
  mostExpensive_.insert(after, {std::move(path), cost});
  if (mostExpensive_.size() > kNamed) mostExpensive_.pop_back();
}

void RuleCosts::checkTotal(const std::string& path) {
  if (total_ <= kSchemaLimit) return;
  for (const Expensive& rule : mostExpensive_)
    errors_.forbidden(rule.path, "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema");
  errors_.forbidden(path, exceeds("x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema", total_, kSchemaLimit));
}

}  // namespace skiff::apiserver
