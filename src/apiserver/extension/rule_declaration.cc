#include "apiserver/extension/rule_declaration.h"

#include "apiserver/strategies/field.h"
#include "apiserver/strategy.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

bool isBlank(std::string_view text) { return !text.empty() && trim(text).empty(); }
bool hasLineBreaks(std::string_view text) { return text.find_first_of("\r\n") != std::string_view::npos; }

// The first step of a path, taken off it; empty if it is no step.
std::string_view takeStep(std::string_view& path) {
  std::string_view step;
  if (path.starts_with("['")) {
    size_t end = path.find("']");
    if (end == std::string_view::npos) return {};
    step = path.substr(2, end - 2);
    path.remove_prefix(end + 2);
  } else if (path.starts_with('.')) {
    path.remove_prefix(1);
    step = path.substr(0, path.find_first_of(".["));
    path.remove_prefix(step.size());
  }
  return step;
}

}  // namespace

bool isDeclaredPath(std::string_view path, const Value& schema) {
  const Value* level = &schema;
  while (!path.empty()) {
    std::string_view step = takeStep(path);
    if (step.empty()) return false;
    const Value* below = (*level)["properties"].find(step);
    if (!below && (*level)["additionalProperties"].isMap()) below = &(*level)["additionalProperties"];
    if (!below) return false;
    level = below;
  }
  return true;
}

std::string shownRule(const Value& rule) {
  std::string out;
  auto member = [&](std::string_view name, std::string_view field, bool orNull) {
    out += concat(out.empty() ? "{\"" : ",\"", name, "\":");
    const Value* value = rule.find(field);
    if (!value && orNull) out += "null";
    else if (value && !value->isString()) out += codec::toJson(*value);
    else codec::writeJsonString(out, value ? value->asString() : std::string_view());
  };
  member("Rule", "rule", false);
  member("Message", "message", false);
  member("MessageExpression", "messageExpression", false);
  member("Reason", "reason", true);
  member("FieldPath", "fieldPath", false);
  member("OptionalOldSelf", "optionalOldSelf", true);
  return out + "}";
}

void checkRuleDeclaration(const Value& rule, const Value& schema, const std::string& at, FieldErrors& errors) {
  std::string_view source = rule["rule"].asString(), message = rule["message"].asString();
  if (trim(source).empty()) errors.required(at + ".rule", "rule is not specified");
  if (isBlank(message)) errors.invalid(at + ".message", quoted(message), "must be non-empty if specified");
  else if (hasLineBreaks(trim(message))) errors.invalid(at + ".message", quoted(trim(message)), "must not contain line breaks");
  else if (message.empty() && hasLineBreaks(trim(source)))
    errors.required(at + ".message", "message must be specified if rule contains line breaks");
  if (isBlank(rule["messageExpression"].asString()))
    errors.required(at + ".messageExpression", "messageExpression must be non-empty if specified");
  std::string_view path = rule["fieldPath"].asString();
  if (isBlank(path)) errors.invalid(at + ".fieldPath", quoted(path), "must be non-empty if specified");
  if (hasLineBreaks(path)) errors.invalid(at + ".fieldPath", quoted(path), "must not contain line breaks");
  if (!isDeclaredPath(path, schema)) errors.invalid(at + ".fieldPath", quoted(path), "must be a valid path");
}

}  // namespace skiff::apiserver
