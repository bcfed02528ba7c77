#include "apiserver/extension/schema_rules.h"

#include <doctest/doctest.h>

#include "apiserver/strategy.h"
#include "apiserver/structural_schema.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

struct Case {
  std::string_view schema, object, old, expected;  // old "": a creation; expected: "field: message" of each cause
};

std::string causes(const FieldErrors& errors) {
  std::vector<std::string> texts;
  for (const Cause& cause : errors.causes()) texts.push_back(concat(cause.field, ": ", cause.message));
  return join(texts, " | ");
}

TEST_CASE("rules of a schema decide about objects") {
  constexpr std::string_view kReplicas = R"j({"type":"object","properties":{"spec":{"type":"object",
    "x-kubernetes-validations":[{"rule":"self.min <= self.max","messageExpression":"'min ' + string(self.min) + ' above max'"}],
    "properties":{"min":{"type":"integer"},"max":{"type":"integer"}}}}})j";
  constexpr std::string_view kImmutable = R"j({"type":"object","properties":{"size":{"type":"integer",
    "x-kubernetes-validations":[{"rule":"self >= oldSelf","message":"may only grow","reason":"FieldValueForbidden"}]}}})j";
  constexpr std::string_view kOptionalOld = R"j({"type":"object","properties":{"size":{"type":"integer",
    "x-kubernetes-validations":[{"rule":"oldSelf.hasValue() || self == 1","optionalOldSelf":true}]}}})j";
  constexpr std::string_view kItems = R"j({"type":"object","properties":{"list":{"type":"array","x-kubernetes-list-type":"map",
    "x-kubernetes-list-map-keys":["k"],"items":{"type":"object","properties":{"k":{"type":"string"},"v":{"type":"integer",
    "x-kubernetes-validations":[{"rule":"self == oldSelf"}]}}}}}})j";
  constexpr std::string_view kTyped = R"j({"type":"object","x-kubernetes-validations":[
    {"rule":"self.until > self.since && self.half * 2.0 == 3.0 && self.a__dash__b == 'x' && self.wait > duration('1m')","fieldPath":".until"}],
    "properties":{"since":{"type":"string","format":"date-time"},"until":{"type":"string","format":"date-time"},
    "half":{"type":"number"},"a-b":{"type":"string"},"wait":{"type":"string","format":"duration"}}})j";
  constexpr std::string_view kCostly = R"j({"type":"object","properties":{"l":{"type":"array","items":{"type":"integer"},
    "x-kubernetes-validations":[{"rule":"self.all(x, self.all(y, self.all(z, x + y + z >= 0)))"},{"rule":"false"}]}}})j";
  constexpr std::string_view kWords = R"j({"type":"object","x-kubernetes-validations":[
    {"rule":"self.namespace == self.__namespace__ && self.if == 'a'"}],
    "properties":{"namespace":{"type":"string"},"if":{"type":"string"}}})j";
  constexpr std::string_view kRoot = R"j({"type":"object","x-kubernetes-validations":[{"rule":"self.kind != 'x'"}]})j";
  std::string many = R"({"l":[1)";
  for (int i = 0; i < 150; ++i) many += ",1";
  many += "]}";
  const Case cases[] = {
      {kReplicas, R"({"spec":{"min":1,"max":2}})", "", ""},
      {kReplicas, R"({"spec":{"min":3,"max":2}})", "", R"(spec: Invalid value: min 3 above max)"},
      {kReplicas, R"({"spec":{"max":2}})", "",
       R"(spec: Invalid value: "object": no such key: min evaluating rule: self.min <= self.max)"},
      {kImmutable, R"({"size":1})", "", ""},
      {kImmutable, R"({"size":1})", R"({"size":2})", "size: Forbidden: may only grow"},
      {kImmutable, R"({"size":2})", R"({"size":2})", ""},
      {kOptionalOld, R"({"size":2})", "", R"(size: Invalid value: 2: failed rule: oldSelf.hasValue() || self == 1)"},
      {kOptionalOld, R"({"size":2})", R"({"size":1})", ""},
      {kItems, R"({"list":[{"k":"new","v":9},{"k":"a","v":1}]})", R"({"list":[{"k":"a","v":1}]})", ""},
      {kItems, R"({"list":[{"k":"a","v":2}]})", R"({"list":[{"k":"a","v":1}]})",
       R"(list[0].v: Invalid value: 2: failed rule: self == oldSelf)"},
      {kTyped, R"({"since":"2026-01-01T00:00:00Z","until":"2026-01-01T02:00:00+01:00","half":1.5,"a-b":"x","wait":"2m"})", "", ""},
      {kTyped, R"({"since":"2026-01-01T00:00:00Z","until":"2026-01-01T00:30:00+01:00","half":1.5,"a-b":"x","wait":"2m"})", "",
       R"j(until: Invalid value: failed rule: self.until > self.since && self.half * 2.0 == 3.0 && self.a__dash__b == 'x' && self.wait > duration('1m'))j"},
      {kWords, R"({"namespace":"n","if":"a"})", "", ""},
      {kWords, R"({"namespace":"n","if":"b"})", "", R"(<nil>: Invalid value: failed rule: self.namespace == self.__namespace__ && self.if == 'a')"},
      {kRoot, R"({"kind":"x"})", "", "<nil>: Invalid value: failed rule: self.kind != 'x'"},
      {kCostly, many, "",
       R"(l: Invalid value: "array": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: self.all(x, self.all(y, self.all(z, x + y + z >= 0))))"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.object);
    CAPTURE(c.old);
    auto schema = *parseStructuralSchema((*codec::parseJsonDocument(c.schema))->root);
    auto object = *codec::parseJsonDocument(c.object);
    auto old = c.old.empty() ? nullptr : *codec::parseJsonDocument(c.old);
    FieldErrors errors;
    validateByRules(object->root, old ? &old->root : nullptr, *schema, errors);
    CHECK(causes(errors) == c.expected);
  }
}

TEST_CASE("rules that cannot work are refused with the definition") {
  auto check = [](std::string_view rule) {
    auto schema = *codec::parseJsonDocument(concat(
        R"({"type":"object","properties":{"spec":{"type":"object","properties":{"x":{"type":"integer"}},"x-kubernetes-validations":[{"rule":)",
        [&] {
          std::string out;
          codec::writeJsonString(out, rule);
          return out;
        }(),
        "}]}}}"));
    FieldErrors errors;
    checkSchemaRules(schema->root, "spec.validation.openAPIV3Schema", errors);
    return causes(errors);
  };
  const std::string kAt = "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule: ";
  CHECK(check("self.x > 1") == "");
  CHECK(check("self.z == 100").find("undefined field 'z'") != std::string::npos);
  auto shown = [](std::string_view rule) {
    return concat(R"(Invalid value: {"Rule":")", rule, R"(","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: )");
  };
  CHECK(check("self = 42").starts_with(kAt + shown("self = 42") + "compilation failed: ERROR: <input>:1:6: Syntax error"));
  CHECK(check("'text'") == kAt + shown("'text'") + "cel expression must evaluate to a bool");
  CHECK(check(" ") == kAt + "Required value: rule is not specified");
}

// Verdicts of kube-apiserver 1.37.
TEST_CASE("a definition's rules are held to the types of its schema") {
  constexpr std::string_view kSchema = R"({"type":"object","properties":{"spec":{"type":"object","properties":{
    "x":{"type":"integer"},"t":{"type":"string","format":"date-time"},"a-b":{"type":"string"},"is":{"x-kubernetes-int-or-string":true},
    "u":{"x-kubernetes-preserve-unknown-fields":true},"e":{"type":"object","x-kubernetes-embedded-resource":true},
    "l":{"type":"array","items":{"type":"object","properties":{"k":{"type":"number"}}}},
    "m":{"type":"object","additionalProperties":{"type":"boolean"}}},"x-kubernetes-validations":[RULE]}}})";
  auto check = [&](std::string_view rule) {
    std::string text(kSchema);
    text.replace(text.find("RULE"), 4, rule);
    auto schema = *codec::parseJsonDocument(text);
    FieldErrors errors;
    checkSchemaRules(schema->root, "s", errors);
    std::vector<std::string> out;
    for (const Cause& cause : errors.causes()) {
      std::string_view message = cause.message;
      if (auto parts = cut(message, "}: ")) message = parts->second;  // the rule is shown before
      out.push_back(concat(cause.field.substr(cause.field.rfind('.') + 1), ": ", message.substr(0, message.find('\n'))));
    }
    return join(out, " | ");
  };
  CHECK(check(R"j({"rule":"self.t > timestamp('2020-01-01T00:00:00Z') && self.a__dash__b == 'x' && self.is == 1 && self.m.all(k, self.m[k])"})j") == "");
  CHECK(check(R"j({"rule":"self.e.metadata.name == self.e.kind && self.l.exists(i, i.k > 1.5)"})j") == "");
  CHECK(check(R"j({"rule":"self.u == 1"})j") == "rule: compilation failed: ERROR: <input>:1:5: undefined field 'u'");
  CHECK(check(R"j({"rule":"self.metadata.name == 'a'"})j") == "rule: compilation failed: ERROR: <input>:1:5: undefined field 'metadata'");
  CHECK(check(R"j({"rule":"self.l[0].k == 1"})j") ==
        "rule: compilation failed: ERROR: <input>:1:13: found no matching overload for '_==_' applied to '(double, int)'");
  CHECK(check(R"j({"rule":"self.is"})j") == "rule: cel expression must evaluate to a bool");
  CHECK(check(R"j({"rule":"self.x"})j") == "rule: cel expression must evaluate to a bool");
  CHECK(check(R"j({"rule":"true","messageExpression":"self.x"})j") == "messageExpression: messageExpression must evaluate to a string");
  CHECK(check(R"j({"rule":"true","messageExpression":"self.zz"})j") ==
        "messageExpression: messageExpression compilation failed: ERROR: <input>:1:5: undefined field 'zz'");
  CHECK(check(R"j({"rule":"oldSelf.orValue(self).x == self.x","optionalOldSelf":true})j") == "");
  CHECK(check(R"j({"rule":"self.x == oldSelf.x","optionalOldSelf":true})j").starts_with(
      "rule: compilation failed: ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(int, optional_type(int))' | optionalOldSelf: "));
}

}  // namespace
}  // namespace skiff::apiserver
