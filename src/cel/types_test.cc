#include "cel/types.h"

#include <doctest/doctest.h>

#include "base/strings.h"
#include "cel/policy_types.h"
#include "cel/program.h"
#include "cel/table_types.h"

namespace skiff::cel {
namespace {

// self is an object {x: int, s: string, l: list(string), m: map(string, int), t: timestamp, o: {p: string}, any: dyn}.
struct Declared {
  codec::Arena arena;
  const Type* self = nullptr;
  Declared() {
    using K = StaticType;
    const Type& text = simpleType(K::String);
    const TypeMember inner[] = {{"p", &text}};
    const TypeMember members[] = {{"x", &simpleType(K::Int)},
                                  {"s", &text},
                                  {"l", &listType(text, arena)},
                                  {"m", &mapType(text, simpleType(K::Int), arena)},
                                  {"t", &simpleType(K::Timestamp)},
                                  {"o", &objectType("self.o", inner, arena)},
                                  {"any", &simpleType(K::Dyn)}};
    self = &objectType("self", members, arena);
  }
  // "column message" of each mistake, or the result's kind as a number.
  std::string check(std::string_view source) {
    Environment environment{.variables = {"self"}, .types = {self}, .policyVariables = std::nullopt};
    auto program = Program::compile(source, environment);
    if (program.ok()) return "ok";
    std::vector<std::string> out;
    for (std::string_view line : split(program.error().message(), '\n'))
      if (line.starts_with("ERROR: <input>:1:")) out.emplace_back(line.substr(17));
    return join(out, " | ");
  }
};

// Each verdict is what kube-apiserver 1.37 says of such a rule.
TEST_CASE("expressions are held to the types that are declared") {
  struct Case {
    std::string_view source, verdict;
  };
  const Case cases[] = {
      {"self.x > 1 && self.s == 'a' && self.l[0] == 'b' && self.m['k'] == 1 && self.o.p == 'p'", "ok"},
      {"self.zz > 1", "5: undefined field 'zz'"},
      {"has(self.zz)", "4: undefined field 'zz'"},
      {"self.o.zz == 'x' || self.s == 1", "7: undefined field 'zz' | 28: found no matching overload for '_==_' applied to '(string, int)'"},
      {"self.x == 'a'", "8: found no matching overload for '_==_' applied to '(int, string)'"},
      {"self.x + self.s == 'a'", "8: found no matching overload for '_+_' applied to '(int, string)'"},
      {"self.x && true", "5: expected type 'bool' but found 'int'"},
      {"self.x ? true : false", "8: found no matching overload for '_?_:_' applied to '(int, bool, bool)'"},
      {"self.l['a'] == 'b'", "7: found no matching overload for '_[_]' applied to '(list(string), string)'"},
      {"self.l.all(i, i > 1)", "17: found no matching overload for '_>_' applied to '(string, int)'"},
      {"self.l.all(i, v, i == v)", "20: found no matching overload for '_==_' applied to '(int, string)'"},
      {"self.m.all(k, k == 1)", "17: found no matching overload for '_==_' applied to '(string, int)'"},
      {"self.m.all(k, self.m[k] > 1)", "ok"},
      {"self.l.filter(i, i) == self.l", "14: found no matching overload for '_?_:_' applied to '(string, list(string), list(string))'"},
      {"self.l.map(i, size(i)) == self.l", "24: found no matching overload for '_==_' applied to '(list(int), list(string))'"},
      {"self.x in self.l", "8: found no matching overload for '@in' applied to '(int, list(string))'"},
      {"self.s.startsWith(1)", "18: found no matching overload for 'startsWith' applied to 'string.(int)'"},
      {"self.x.foo()", "11: undeclared reference to 'foo' (in container '')"},
      {"self.x.y == 1", "7: type 'int' does not support field selection"},
      {"self.l.y == 'a'", "7: type 'list(string)' does not support field selection"},
      {"self.o.all(x, x == 1)", "5: expression of type 'self.o' cannot be range of a comprehension (must be list, map, or dynamic)"},
      {"self.s == null", "8: found no matching overload for '_==_' applied to '(string, null)'"},
      {"self.o == null && self.t != null", "ok"},
      {"self.t > self.s", "8: found no matching overload for '_>_' applied to '(timestamp, string)'"},
      {"self.t - self.t > duration('1s') && self.t.getFullYear() > 2000", "ok"},
      {"self.?x.orValue('a') == 1", "16: found no matching overload for 'orValue' applied to 'optional_type(int).(string)'"},
      {"self.m[?'a'].orValue(1) == 1 && self.?o.p.orValue('') == ''", "ok"},
      {"self.any == 1 || self.any.x.y[3] == 'a' || self.any + 1 == 2", "ok"},
      {"self.any + 1 == 'a'", "14: found no matching overload for '_==_' applied to '(int, string)'"},
      {"quantity(self.s) > quantity('1')", "18: found no matching overload for '_>_' applied to '(kubernetes.Quantity, kubernetes.Quantity)'"},
      {"'%s %d'.format(['a', 3]) == 'b'", "ok"},
      {"[self.s, 1].size() > 0", "10: expected type 'string' but found 'int'"},
      {"zz == 1 || [1, 'a'].size() == 2", "1: undeclared reference to 'zz' (in container '')"},
      {"self.s.matches('[') || duration('x') == duration('1s')", "16: invalid matches argument | 33: invalid duration argument"},
      {"self == 1", "6: found no matching overload for '_==_' applied to '(self, int)'"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.source);
    CHECK(Declared().check(c.source) == c.verdict);
  }
}

// As cel-go draws them: one space for a tab, wide dots and carets for what is not ASCII.
TEST_CASE("an error points at its place below the line") {
  auto messageOf = [](std::string_view source) { return Program::compile(source, Environment()).error().message(); };
  CHECK(messageOf("true &&\n\t\tfoo") == "ERROR: <input>:2:3: undeclared reference to 'foo' (in container '')\n |   foo\n | ..^");
  CHECK(messageOf("'é日' == 1") ==
        "ERROR: <input>:1:6: found no matching overload for '_==_' applied to '(string, int)'\n | 'é日' == 1\n | .．．..^");
  CHECK(messageOf("1 + 日").ends_with("\n | ....＾"));
}

// Names of what is within a type are paths.
TEST_CASE("built-in kinds have the types of their tables") {
  codec::Arena arena;
  Environment environment{.variables = {"object"}, .types = {&typeOfTable(*api::findKind("", "v1", "Pod"), "Pod", arena)}};
  auto verdict = [&](std::string_view source) {
    auto program = Program::compile(source, environment);
    return program.ok() ? typeText((*program)->resultType()) : std::string(split(program.error().message(), '\n')[0].substr(15));
  };
  CHECK(verdict("object.spec.containers") == "list(Pod.spec.containers.@idx)");
  CHECK(verdict("object.metadata.labels") == "map(string, string)");
  CHECK(verdict("object.metadata.creationTimestamp") == "timestamp");
  CHECK(verdict("object.metadata.namespace + object.metadata.__namespace__ + object.kind") == "string");
  CHECK(verdict("object.spec.containers[0].ports[0].containerPort") == "int");
  CHECK(verdict("object.spec.containers[0].livenessProbe.httpGet.port") == "dyn");
  CHECK(verdict("object.spec.overhead") == "1:12: undefined field 'overhead'");
}

// Objects within a policy's variables are not looked into, as upstream does not.
TEST_CASE("a variable keeps the outline of its type") {
  codec::Arena arena;
  const Type& object = objectType("o", {}, arena);
  const Type& text = simpleType(StaticType::String);
  CHECK(typeText(variableTypeOf(mapType(text, listType(object, arena), arena), arena)) == "map(string, list(dyn))");
  CHECK(typeText(variableTypeOf(optionalType(text, arena), arena)) == "dyn");
  CHECK(typeText(variableTypeOf(simpleType(StaticType::Timestamp), arena)) == "timestamp");
}

}  // namespace
}  // namespace skiff::cel
