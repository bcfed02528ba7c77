#include "cel/program.h"

#include <doctest/doctest.h>

#include <fstream>

#include "base/strings.h"
#include "cel/authorizer.h"
#include "codec/json.h"

namespace skiff::cel {
namespace {

constexpr std::string_view kObject = R"({
  "metadata": {"name": "web", "namespace": "default", "labels": {"app.kubernetes.io/name": "w"}},
  "spec": {"replicas": 3, "nothing": null, "dash-ed": 1, "containers": [
    {"name": "one", "image": "a:1", "ports": [80]}, {"name": "two", "image": "b:1"}]}})";

struct Fixture {
  std::shared_ptr<codec::Document> object = *codec::parseJsonDocument(kObject);
  codec::Arena arena;

  // The result, or the error, as the test data writes it.
  std::string evaluate(std::string_view source, Environment environment = {.variables = {"object", "absent"}},
                       Budget budget = {}) {
    auto program = Program::compile(source, environment);
    if (!program.ok()) {
      std::string_view message = program.error().message();
      message = message.substr(0, message.find('\n'));
      message.remove_prefix(message.find(": ") + 2);  // "ERROR: "
      return concat("compile error: ", message.substr(message.find(": ") + 2));
    }
    std::vector<std::optional<Value>> activation(environment.variables.size());
    activation[0] = Value::of(object->root);
    return show((*program)->evaluate(activation, arena, budget));
  }
  std::string show(const Result<Value>& result) {
    if (!result.ok()) return concat("error: ", result.error().message());
    auto tree = toTree(*result, arena);
    return tree ? codec::toJson(*tree) : concat("<", typeName(result->kind()), ">");
  }
};

TEST_CASE("expressions give the results of the test data") {
  std::ifstream file("testdata/expressions.txt");
  REQUIRE(file.good());
  size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    auto parts = cut(line, " => ");
    if (line.starts_with("#") || !parts) continue;
    CAPTURE(line);
    Fixture fixture;
    CHECK(fixture.evaluate(parts->first) == parts->second);
    ++count;
  }
  CHECK(count > 150);
}

TEST_CASE("a compile error shows the place") {
  auto program = Program::compile("object.a &&\n  foo > 1", {.variables = {"object"}});
  REQUIRE(!program.ok());
  CHECK(program.error().message() ==
        "ERROR: <input>:2:3: undeclared reference to 'foo' (in container '')\n |   foo > 1\n | ..^");
}

TEST_CASE("the budget ends an evaluation, whatever surrounds the cost") {
  Fixture fixture;
  std::string nested = "[1,2,3,4,5,6,7,8,9,10]";
  std::string source = concat(nested, ".all(a, ", nested, ".all(b, ", nested, ".all(c, a + b + c > 0))) || true");
  CHECK(fixture.evaluate(source) == "true");
  CHECK(fixture.evaluate(source, {.variables = {"object"}}, {.remaining = 1000}) ==
        concat("error: ", kCostExceeded));
}

TEST_CASE("nesting and size are bounded") {
  Fixture fixture;
  CHECK(fixture.evaluate(std::string(200, '(') + "1" + std::string(200, ')')) == "1");
  CHECK(fixture.evaluate(std::string(100000 / 2, '(')).starts_with("compile error: expression recursion limit"));
  CHECK(fixture.evaluate(std::string(100000 / 2, '!')).starts_with("compile error: expression recursion limit"));
  CHECK(fixture.evaluate(std::string(200001, ' ')).starts_with("compile error: expression code point size"));
  std::string sum = "1", conditions = "true";
  for (int i = 0; i < 1000; ++i) sum += "+1", conditions += "&&true";
  CHECK(fixture.evaluate(sum) == "compile error: expression is nested too deeply");
  CHECK(fixture.evaluate(conditions) == "true");
}

TEST_CASE("any bytes are refused or parsed, never worse") {
  const std::string seed = "object.spec.containers.all(c, c.image.matches('^[a-z]+$') ? {?'a': [1.5e3, ?x]} : b'\\x41' == r\"\\\")";
  for (size_t i = 0; i < seed.size(); ++i) {
    Fixture fixture;
    fixture.evaluate(seed.substr(0, i));
    fixture.evaluate(seed.substr(i));
    std::string broken = seed;
    broken[i] = char(broken[i] ^ 0x81);
    fixture.evaluate(broken);
  }
}

TEST_CASE("objects are built by name where the environment allows it") {
  Fixture fixture;
  Environment environment{.variables = {"object"}, .objectConstruction = true};
  CHECK(fixture.evaluate("Object{spec: Object.spec{replicas: object.spec.replicas + 1, ?paused: optional.none()}}",
                         environment) == R"({"spec":{"replicas":4}})");
  CHECK(fixture.evaluate("[JSONPatch{op: 'add', path: '/a', value: {'b': 1}}]", environment) ==
        R"([{"op":"add","path":"/a","value":{"b":1}}])");
  CHECK(fixture.evaluate("JSONPatch{operation: 'add'}", environment) == "compile error: undefined field 'operation'");
}

struct CountingVariables : LazyMap {
  int asked = 0;
  std::optional<Value> find(std::string_view key) override {
    ++asked;
    return key == "two" ? std::optional(Value::integer(2)) : std::nullopt;
  }
};

TEST_CASE("policy variables are looked up when they are read, and known by name") {
  Environment environment{.variables = {"variables"}, .policyVariables = std::vector<std::string>{"two"}};
  CountingVariables variables;
  codec::Arena arena;
  Budget budget;
  auto program = Program::compile("true || variables.two > 1", environment);
  REQUIRE(program.ok());
  std::optional<Value> activation[] = {Value::lazy(variables)};
  CHECK((*program)->evaluate(activation, arena, budget)->isTrue());
  CHECK(variables.asked == 0);
  auto doubled = Program::compile("variables.two * 2", environment);
  CHECK((*doubled)->evaluate(activation, arena, budget)->asInt() == 4);
  auto unknown = Program::compile("variables.three", environment);
  REQUIRE(!unknown.ok());
  CHECK(unknown.error().message().find("undefined field 'three'") != std::string::npos);
}

struct OnlyPods : AccessOracle {
  AccessDecision check(const AccessQuery& query) override {
    return {query.isResource && query.resource == "pods" && query.ns == "a" && query.verb == "list", "because", ""};
  }
};

TEST_CASE("the authorizer is asked what the chain says") {
  OnlyPods oracle;
  codec::Arena arena;
  Environment environment{.variables = {"authorizer"}};
  std::optional<Value> activation[] = {authorizerValue(oracle, {.isResource = true, .resource = "pods", .ns = "a"}, arena)};
  auto ask = [&](std::string_view source) {
    auto program = Program::compile(source, environment);
    REQUIRE(program.ok());
    Budget budget{10'000'000};
    return (*program)->evaluate(activation, arena, budget);
  };
  CHECK(ask("authorizer.group('').resource('pods').namespace('a').check('list').allowed()")->isTrue());
  CHECK(ask("authorizer.group('').resource('pods').namespace('b').check('list').allowed()")->isFalse());
  CHECK(ask("authorizer.path('/healthz').check('get').allowed()")->isFalse());
  CHECK(ask("authorizer.path('/healthz').check('get').reason()")->asText() == "because");
  CHECK(ask("authorizer.requestResource.check('list').allowed()")->isTrue());
  CHECK(!ask("authorizer.check('get')").ok());
}

TEST_CASE("types that are plain from the text are known before evaluation") {
  Environment environment{.variables = {"object"}};
  auto typeOfSource = [&](std::string_view source) { return (*Program::compile(source, environment))->type(); };
  CHECK(typeOfSource("object.x == 1") == StaticType::Bool);
  CHECK(typeOfSource("object.x") == StaticType::Dyn);
  CHECK(typeOfSource("'a' + 'b'") == StaticType::String);
  CHECK(typeOfSource("object.items.map(x, x)") == StaticType::List);
  CHECK((*Program::compile("object.x", environment))->mayBe(StaticType::Bool));
  CHECK(!(*Program::compile("'x'", environment))->mayBe(StaticType::Bool));
}

}  // namespace
}  // namespace skiff::cel
