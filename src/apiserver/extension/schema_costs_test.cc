#include "apiserver/extension/schema_costs.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "apiserver/extension/schema_rules.h"
#include "apiserver/strategy.h"
#include "base/strings.h"
#include "cel/program.h"
#include "cel/schema_types.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

constexpr uint64_t kLargestMeasured = 1'000'000'000;

std::string read(const std::string& name) {
  std::ifstream file("extension/testdata/" + name);
  REQUIRE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The cost as the table writes it, or why there is none.
std::string estimated(std::string_view source, const codec::Value& schema) {
  codec::Arena arena;
  cel::Environment environment{.variables = {"self", "oldSelf"}, .policyVariables = std::nullopt};
  const cel::Type* self = cel::typeOfSchema(schema, "selfType", {}, arena);
  environment.types = {self, self};
  auto program = cel::Program::compile(source, environment);
  if (!program.ok()) return program.error().message();
  uint64_t cost = (*program)->estimateCost(SchemaSizes(schema, false));
  return cost > kLargestMeasured ? "-" : std::to_string(cost);
}

TEST_CASE("rules cost what upstream estimates") {
  codec::Arena arena;
  codec::Value schema = codec::parseJson(read("rule_costs.json"), arena).value();
  std::istringstream table(read("rule_costs.txt"));
  size_t rules = 0;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line[0] == '#') continue;
    auto [expected, rule] = *cut(line, " ");
    CAPTURE(line);
    CHECK(estimated(rule, schema) == expected);
    ++rules;
  }
  CHECK(rules > 500);
}

std::string refusals(std::string_view schema) {
  codec::Arena arena;
  FieldErrors errors;
  checkSchemaRules(codec::parseJson(schema, arena).value(), "S", errors);
  std::string texts;
  constexpr std::string_view kHint =
      " (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)";
  for (const Cause& cause : errors.causes()) {
    std::string text = concat(cause.field, ": ", cause.message, "\n");
    if (size_t hint = text.find(kHint); hint != std::string::npos) text.erase(hint, kHint.size());
    texts += text;
  }
  return texts;
}

std::string rules(std::string_view list) { return concat(R"("x-kubernetes-validations":[)", list, "]"); }
std::string rule(std::string_view text) { return rules(concat(R"({"rule":")", text, R"("})")); }
std::string object(std::string_view properties) { return concat(R"({"type":"object","properties":{)", properties, "}}"); }

TEST_CASE("a rule counts as often as its level can occur") {
  std::string text = concat(R"({"type":"string","maxLength":300,)", rule("self.contains('abc')"), "}");
  auto list = [&](std::string_view bound) { return object(concat(R"("a":{"type":"array",)", bound, R"("items":)", text, "}")); };
  CHECK(refusals(list(R"("maxItems":82644,)")).empty());
  CHECK(refusals(list(R"("maxItems":82646,)")) ==
        "S.properties[a].items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of 1.000017x\n");
  CHECK(refusals(list("")) ==
        "S.properties[a].items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of 12.7x\n"
        "S.properties[a].items.x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost total exceeding cost limit "
        "for entire OpenAPIv3 schema\n"
        "S: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of "
        "1.268777x\n");
  // A bound further out does not help the one that is missing; required members make the values fewer.
  std::string nested = concat(R"({"type":"object","required":["foo"],"properties":{"foo":{"type":"integer"},"s":)", text, "}}");
  CHECK(refusals(object(concat(R"("a":{"type":"array","maxItems":2,"items":{"type":"array","items":)", nested, "}}"))).find("12.7x") !=
        std::string::npos);
  std::string required = nested;
  required.insert(1, rule("self.s.contains('abcabcabcabc')") + ",");
  required = replaceAll(required, rule("self.contains('abc')") + "}", R"("format":"x"})");
  CHECK(refusals(object(concat(R"("a":{"type":"array","items":)", required, "}"))) ==
        "S.properties[a].items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of 6.9x\n");
}

TEST_CASE("a message counts once, under its own name") {
  std::string list = R"j({"type":"array","items":{"type":"string",)j" +
                     rules(R"j({"rule":"true","messageExpression":"self.split('').all(x, x == 'a') ? self : self"})j") + "}}";
  CHECK(refusals(object(R"("a":)" + list)) ==
        "S.properties[a].items.x-kubernetes-validations[0].messageExpression: Forbidden: estimated messageExpression cost exceeds budget "
        "by factor of 1.6x\n");
}

TEST_CASE("of all rules of a schema the four dearest are named, none of them cheap") {
  std::string properties;
  const std::pair<std::string_view, int> lists[] = {{"a", 20000}, {"b", 240000}, {"c", 22000}, {"d", 22000}, {"e", 23000}, {"f", 2}};
  for (auto [name, items] : lists)
    properties += concat(properties.empty() ? "" : ",", quoted(name), R"(:{"type":"array","maxItems":)", items,
                         R"(,"items":{"type":"string","maxLength":1000,)", rule("self.contains('abc')"), "}}");
  std::string told = refusals(object(properties));
  std::string contributed = "Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema\n";
  std::string expected = "S.properties[b].items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of 9.6x\n";
  for (std::string_view name : {"b", "e", "c", "d"})
    expected += concat("S.properties[", name, "].items.x-kubernetes-validations[0].rule: ", contributed);
  expected += "S: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of 1.311278x\n";
  CHECK(told == expected);
  std::string one = object(concat(R"("a":{"type":"array","items":{"type":"string"},)", rule("self.exists(x, x.contains('abc'))"),
                                  R"(},"b":{"type":"integer",)", rule("self > 1"), "}"));
  CHECK(refusals(one).find("properties[b]") == std::string::npos);
}

TEST_CASE("sums and products of costs stop at the largest") {
  std::string list = concat(R"({"type":"string",)", rule("self.contains(self)"), "}");
  for (int i = 0; i < 3; ++i) list = concat(R"({"type":"array","maxItems":1000000000000,"items":)", list, "}");
  CHECK(refusals(object("\"a\":" + list)).find("more than 100x") != std::string::npos);
}

}  // namespace
}  // namespace skiff::apiserver
