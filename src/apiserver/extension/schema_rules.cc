#include "apiserver/extension/schema_rules.h"

#include <algorithm>
#include <optional>

#include "apiserver/extension/rule_declaration.h"
#include "apiserver/extension/schema_costs.h"
#include "apiserver/strategies/field.h"
#include "apiserver/strategy.h"
#include "apiserver/structural_schema.h"
#include "base/clock.h"
#include "base/strings.h"
#include "cel/library.h"
#include "cel/program.h"
#include "cel/schema_types.h"

namespace skiff::apiserver {

struct SchemaRule {
  std::string rule, message, reason, fieldPath, problem;
  std::shared_ptr<const cel::Program> program, messageProgram;
  bool optionalOldSelf = false;
  bool isTransition = false;  // reads oldSelf: only for values that were there before
};

class SchemaRules {
 public:
  std::vector<SchemaRule> rules;
};

namespace {

using codec::Value;

// Upstream's limits: of one rule, and of all rules over one object.
constexpr int64_t kRuleBudget = 1'000'000, kObjectBudget = 10'000'000;
// As the structural walks.
constexpr int kMaxDepth = 100;

cel::Environment ruleEnvironment() { return {.variables = {"self", "oldSelf"}, .policyVariables = std::nullopt}; }

SchemaRule compileRule(const Value& value) {
  SchemaRule rule;
  rule.rule = std::string(trim(value["rule"].asString()));
  rule.message = std::string(trim(value["message"].asString()));
  rule.reason = value["reason"].str();
  rule.fieldPath = value["fieldPath"].str();
  rule.optionalOldSelf = value["optionalOldSelf"].asBool();
  auto program = cel::Program::compile(rule.rule, ruleEnvironment());
  if (program.ok()) {
    rule.program = std::move(program).value();
    rule.isTransition = rule.program->uses("oldSelf");
  } else {
    rule.problem = program.error().message();
  }
  if (std::string_view source = value["messageExpression"].asString(); !source.empty())
    if (auto made = cel::Program::compile(source, ruleEnvironment()); made.ok()) rule.messageProgram = std::move(made).value();
  return rule;
}

// Must a value of this schema be rebuilt for expressions? Most are read where they are.
bool needsTyping(const StructuralSchema& schema, int depth = 0) {
  if (depth > kMaxDepth) return false;
  if (schema.type == "number" || schema.format == "date-time" || schema.format == "date" || schema.format == "duration" ||
      schema.format == "byte")
    return true;
  if (schema.items && needsTyping(*schema.items, depth + 1)) return true;
  if (schema.additional && needsTyping(*schema.additional, depth + 1)) return true;
  return std::ranges::any_of(schema.properties, [&](const auto& property) {
    return cel::escapedName(property.first) != property.first || needsTyping(*property.second, depth + 1);
  });
}

// One object's run through the rules.
class RuleWalk {
 public:
  explicit RuleWalk(FieldErrors& errors) : errors_(errors) {}

  void walk(const Value& value, const Value* old, const StructuralSchema& schema, const std::string& path, int depth = 0) {
    if (value.isNull() || depth > kMaxDepth || exhausted_) return;
    if (schema.rules) check(value, old, schema, path);
    for (const codec::Member& member : value.members()) {
      auto property = schema.properties.find(member.key);
      const StructuralSchema* below = property != schema.properties.end() ? property->second.get() : schema.additional.get();
      if (!below) continue;
      bool isProperty = property != schema.properties.end();
      std::string at = isProperty ? (path.empty() ? std::string(member.key) : concat(path, ".", member.key))
                                  : concat(path, "[", member.key, "]");
      walk(member.value, old ? old->find(member.key) : nullptr, *below, at, depth + 1);
    }
    if (!schema.items) return;
    for (size_t i = 0; i < value.size() && value.isList(); ++i)
      walk(value.at(i), previousItem(value.at(i), old, schema), *schema.items, concat(path, "[", i, "]"), depth + 1);
  }

 private:
  // Items have a past only where keys tell them apart.
  static const Value* previousItem(const Value& item, const Value* old, const StructuralSchema& schema) {
    if (!old || schema.listType != "map") return nullptr;
    for (const Value& candidate : old->items()) {
      bool same = std::ranges::all_of(schema.listMapKeys, [&](const std::string& key) { return candidate[key] == item[key]; });
      if (same) return &candidate;
    }
    return nullptr;
  }

  void check(const Value& value, const Value* old, const StructuralSchema& schema, const std::string& path) {
    std::optional<cel::Value> activation[2];
    activation[0] = typed(value, schema);
    std::optional<cel::Value> previous;
    if (old && !old->isNull()) previous = typed(*old, schema);
    for (const SchemaRule& rule : schema.rules->rules) {
      if (exhausted_) return;
      if (rule.optionalOldSelf)
        activation[1] = previous ? cel::Value::some(*previous) : cel::Value::none();
      else if (rule.isTransition && !previous)
        continue;
      else
        activation[1] = previous;
      run(rule, activation, value, schema, path);
    }
  }

  void run(const SchemaRule& rule, std::span<const std::optional<cel::Value>> activation, const Value& value,
           const StructuralSchema& schema, const std::string& path) {
    // A rule that could not decide is told with the type, one that said no with the value.
    auto invalid = [&](std::string_view why) { errors_.invalid(fieldOf(path), quoted(schema.type), std::string(why)); };
    const std::string& named = rule.message.empty() ? rule.rule : rule.message;
    if (!rule.program) return invalid(concat("rule compile error: ", rule.problem));
    cel::Budget budget{std::min(kRuleBudget, remaining_)};
    int64_t granted = budget.remaining;
    auto result = rule.program->evaluate(activation, arena_, budget);
    remaining_ -= granted - std::max<int64_t>(budget.remaining, 0);
    if (!result.ok()) {
      const std::string& why = result.error().message();
      if (why == cel::kCostExceeded) {
        exhausted_ = true;
        return invalid(concat("'", why, "': no further validation rules will be run due to call cost exceeds limit for rule: ", named));
      }
      if (why.starts_with("no such overload"))
        return invalid(concat("'", why, "': call arguments did not match a supported operator, function or macro signature for rule: ", named));
      return invalid(concat(why, " evaluating rule: ", named));
    }
    if (result->isTrue()) return;
    report(rule, messageOf(rule, activation), value, path);
  }

  std::string messageOf(const SchemaRule& rule, std::span<const std::optional<cel::Value>> activation) {
    if (rule.messageProgram) {
      cel::Budget budget{std::min(kRuleBudget, std::max<int64_t>(remaining_, 0))};
      int64_t granted = budget.remaining;
      auto made = rule.messageProgram->evaluate(activation, arena_, budget);
      remaining_ -= granted - std::max<int64_t>(budget.remaining, 0);
      if (made.ok() && made->is(cel::Kind::String)) {
        std::string_view text = trim(made->asText());
        if (!text.empty() && text.size() <= 5 * 1024 && text.find('\n') == std::string_view::npos) return std::string(text);
      }
    }
    return rule.message.empty() ? concat("failed rule: ", rule.rule) : rule.message;
  }

  // The root has no path, and upstream's word for that.
  static std::string fieldOf(const std::string& path) { return path.empty() ? "<nil>" : path; }

  void report(const SchemaRule& rule, std::string message, const Value& value, const std::string& path) {
    std::string at = path + rule.fieldPath;
    if (at.starts_with('.')) at.erase(0, 1);
    at = fieldOf(at);
    if (rule.reason == "FieldValueRequired") return errors_.required(at, std::move(message));
    if (rule.reason == "FieldValueForbidden") return errors_.forbidden(at, std::move(message));
    // Leaves are shown; objects and lists, which may be large, are not.
    std::string leaf = value.isMap() || value.isList() ? "" : concat(": ", shown(value));
    if (rule.reason == "FieldValueDuplicate") return errors_.add({"FieldValueDuplicate", concat("Duplicate value", leaf), at});
    errors_.add({"FieldValueInvalid", concat("Invalid value", leaf, ": ", message), at});
  }

  // The value as its schema means it: timestamps, durations, bytes, numbers; properties by their escaped names.
  cel::Value typed(const Value& value, const StructuralSchema& schema, int depth = 0) {
    if (depth > kMaxDepth || !needsTyping(schema)) return cel::Value::of(value);
    cel::Context context(arena_, remaining_);
    if (value.isInt() && schema.type == "number") return cel::Value::real(double(value.asInt()));
    if (value.isString()) return typedText(value, schema, context);
    if (value.isList() && schema.items) {
      std::vector<cel::Value> items;
      for (const Value& item : value.items()) items.push_back(typed(item, *schema.items, depth + 1));
      return context.list(items);
    }
    if (!value.isMap()) return cel::Value::of(value);
    std::vector<cel::Entry> entries;
    for (const codec::Member& member : value.members()) {
      auto property = schema.properties.find(member.key);
      const StructuralSchema* below = property != schema.properties.end() ? property->second.get() : schema.additional.get();
      cel::Value made = below ? typed(member.value, *below, depth + 1) : cel::Value::of(member.value);
      if (property == schema.properties.end()) {
        entries.push_back({cel::Value::string(member.key), made});
        continue;
      }
      for (const std::string& spelling : cel::spellingsOf(member.key)) entries.push_back({context.text(spelling), made});
    }
    return context.map(entries);
  }

  static cel::Value typedText(const Value& value, const StructuralSchema& schema, cel::Context& context) {
    std::string_view text = value.asString();
    cel::Value made = cel::Value::string(text);
    if (schema.format == "date-time") made = cel::parseTimestamp(context, text);
    if (schema.format == "date") made = cel::parseTimestamp(context, concat(text, "T00:00:00Z"));
    if (schema.format == "duration") made = cel::parseDurationText(context, text);
    if (schema.format == "byte")
      if (auto bytes = base64Decode(text)) made = cel::Value::bytes(context.arena.copy(*bytes));
    return made.isError() ? cel::Value::string(text) : made;
  }

  FieldErrors& errors_;
  codec::Arena arena_;
  int64_t remaining_ = kObjectBudget;
  bool exhausted_ = false;
};

bool hasRules(const StructuralSchema& schema, int depth = 0) {
  if (schema.rules) return true;
  if (depth > kMaxDepth) return false;
  if (schema.items && hasRules(*schema.items, depth + 1)) return true;
  if (schema.additional && hasRules(*schema.additional, depth + 1)) return true;
  return std::ranges::any_of(schema.properties, [&](const auto& property) { return hasRules(*property.second, depth + 1); });
}

}  // namespace

std::shared_ptr<const SchemaRules> compileSchemaRules(const Value& schema) {
  const Value& list = schema["x-kubernetes-validations"];
  if (list.empty()) return nullptr;
  auto rules = std::make_shared<SchemaRules>();
  for (const Value& rule : list.items()) rules->rules.push_back(compileRule(rule));
  return rules;
}

void validateByRules(const Value& object, const Value* old, const StructuralSchema& schema, FieldErrors& errors) {
  if (hasRules(schema)) RuleWalk(errors).walk(object, old, schema, "");
}

namespace {

// The rules of a definition's schema, level by level.
class RuleCheck {
 public:
  explicit RuleCheck(FieldErrors& errors) : errors_(errors), costs_(errors) {}

  void root(const Value& schema, const std::string& path) {
    level(schema, path, true, Cardinality());
    costs_.checkTotal(path);
  }

 private:
  void level(const Value& schema, const std::string& path, bool isRoot, const Cardinality& cardinality, int depth = 0) {
    if (depth > kMaxDepth) return;
    if (!schema["x-kubernetes-validations"].empty())
      rulesOf(schema, path + ".x-kubernetes-validations", isRoot, cardinality.of(schema));
    for (const codec::Member& member : schema["properties"].members())
      level(member.value, concat(path, ".properties[", member.key, "]"), false, cardinality, depth + 1);
    for (std::string_view below : {"items", "additionalProperties"})
      if (schema[below].isMap()) level(schema[below], concat(path, ".", below), false, cardinality.below(schema), depth + 1);
  }

  void rulesOf(const Value& schema, const std::string& path, bool isRoot, uint64_t occurrences) {
    codec::Arena arena;
    const cel::Type* self = cel::typeOfSchema(schema, "selfType", {.isRoot = isRoot}, arena);
    if (!self)
      return errors_.internal(path, "internal error: failed to construct type information for x-kubernetes-validations rules: "
                                    "unable to convert structural schema to CEL declarations");
    SchemaSizes sizes(schema, isRoot);
    const Value& rules = schema["x-kubernetes-validations"];
    for (size_t i = 0; i < rules.size(); ++i) {
      const Value& rule = rules.at(i);
      std::string at = concat(path, "[", i, "]");
      checkRuleDeclaration(rule, schema, at, errors_);
      const cel::Type* old = rule["optionalOldSelf"].asBool() ? &cel::optionalType(*self, arena) : self;
      cel::Environment environment = ruleEnvironment();
      environment.types = {self, old};
      auto compiled = compile(rule, "rule", cel::StaticType::Bool, "cel expression must evaluate to a bool", at, environment);
      if (compiled) costs_.rule(at + ".rule", cel::multiplySaturating(compiled->estimateCost(sizes), occurrences));
      if (rule.has("optionalOldSelf") && (!compiled || !compiled->uses("oldSelf")))
        errors_.invalid(at + ".optionalOldSelf", shown(rule["optionalOldSelf"]), "may not be set if oldSelf is not used in rule");
      auto message = compile(rule, "messageExpression", cel::StaticType::String, "messageExpression must evaluate to a string", at, environment);
      // Only the first rule that fails is told: a message counts once.
      if (message) costs_.messageExpression(at + ".messageExpression", message->estimateCost(sizes));
    }
  }

  std::shared_ptr<const cel::Program> compile(const Value& rule, std::string_view member, cel::StaticType wanted,
                                              std::string_view wrongType, const std::string& at, const cel::Environment& environment) {
    std::string_view source = rule[member].asString();
    if (trim(source).empty()) return nullptr;  // told with the declaration
    auto program = cel::Program::compile(source, environment);
    std::string where = concat(at, ".", member);
    std::string_view failed = member == "rule" ? "compilation failed: " : "messageExpression compilation failed: ";
    if (!program.ok()) {
      errors_.invalid(where, shownRule(rule), concat(failed, program.error().message()));
      return nullptr;
    }
    if ((*program)->type() == wanted) return *program;
    errors_.invalid(where, shownRule(rule), std::string(wrongType));
    return nullptr;
  }

  FieldErrors& errors_;
  RuleCosts costs_;
};

}  // namespace

void checkSchemaRules(const Value& schema, const std::string& path, FieldErrors& errors) {
  RuleCheck(errors).root(schema, path);
}

}  // namespace skiff::apiserver
