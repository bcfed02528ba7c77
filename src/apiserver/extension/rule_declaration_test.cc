#include "apiserver/extension/rule_declaration.h"

#include <doctest/doctest.h>

#include "apiserver/strategy.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

// Paths and verdicts as upstream gives them for the same definition.
TEST_CASE("a rule's field path leads to a declared field") {
  auto schema = *codec::parseJsonDocument(R"({"properties":{"x":{"type":"string"},"a.b":{"type":"string"},
    "l":{"type":"array","items":{"properties":{"k":{"type":"string"}}}},
    "m":{"type":"object","additionalProperties":{"type":"string"}},
    "o":{"type":"object","properties":{"p":{"type":"object","properties":{"q":{"type":"string"}}}}}}})");
  for (std::string_view path : {".x", "['a.b']", ".l", ".m.foo", ".m['foo']", ".o.p.q", ".o['p'].q", ""}) {
    CAPTURE(path);
    CHECK(isDeclaredPath(path, schema->root));
  }
  for (std::string_view path : {"y", "x", ".x.y", ".['a.b']", ".l[0].k", ".", " ", ".x\n", ".o.", "['x", ".o..p"}) {
    CAPTURE(path);
    CHECK_FALSE(isDeclaredPath(path, schema->root));
  }
}

TEST_CASE("a rule's declaration is checked in upstream's words") {
  auto schema = *codec::parseJsonDocument(R"({"properties":{"x":{"type":"string"}}})");
  struct Case {
    std::string_view rule, expected;
  };
  const Case cases[] = {
      {R"({"rule":"true","message":"m","fieldPath":".x"})", ""},
      {R"({"rule":" "})", "rule: Required value: rule is not specified"},
      {R"({"rule":"true","message":"  "})", R"(message: Invalid value: "  ": must be non-empty if specified)"},
      {R"({"rule":"true","message":"a\nb"})", R"(message: Invalid value: "a\nb": must not contain line breaks)"},
      {R"({"rule":"true\n && true"})", "message: Required value: message must be specified if rule contains line breaks"},
      {R"({"rule":"true\n && true","message":"m"})", ""},
      {R"({"rule":"true","messageExpression":" "})", "messageExpression: Required value: messageExpression must be non-empty if specified"},
      {R"({"rule":"true","fieldPath":".y"})", R"(fieldPath: Invalid value: ".y": must be a valid path)"},
      {R"({"rule":"true","fieldPath":" "})",
       R"(fieldPath: Invalid value: " ": must be non-empty if specified|fieldPath: Invalid value: " ": must be a valid path)"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.rule);
    auto rule = *codec::parseJsonDocument(c.rule);
    FieldErrors errors;
    checkRuleDeclaration(rule->root, schema->root, "r", errors);
    std::vector<std::string> texts;
    for (const auto& cause : errors.causes()) texts.push_back(concat(cause.field.substr(2), ": ", cause.message));
    CHECK(join(texts, "|") == c.expected);
  }
}

TEST_CASE("a rule is shown as the struct it is upstream") {
  auto rule = *codec::parseJsonDocument(R"({"rule":"self < 3","reason":"FieldValueRequired","optionalOldSelf":true})");
  CHECK(shownRule(rule->root) == R"({"Rule":"self \u003c 3","Message":"","MessageExpression":"","Reason":"FieldValueRequired","FieldPath":"","OptionalOldSelf":true})");
}

}  // namespace
}  // namespace skiff::apiserver
