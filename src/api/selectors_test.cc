#include "api/selectors.h"

#include <doctest/doctest.h>

#include "codec/json.h"

using namespace skiff;
using namespace skiff::api;

TEST_CASE("label selectors match as written") {
  Labels labels{{"app", "web"}, {"tier", "a"}, {"n", "5"}};
  for (const char* text :
       {"", "app=web", "app==web,tier in (a,b)", "!canary", "tier notin (x)", "app", "n>4", "n<6",
        "missing!=1", "in=1,notin" /* words are keys too */}) {
    auto selector = LabelSelector::parse(text);
    REQUIRE_MESSAGE(selector.ok(), text);
    CHECK_MESSAGE(selector->matches(labels) == (std::string_view(text) != "in=1,notin"), text);
  }
  for (const char* text : {"app=db", "tier in (x,y)", "!app", "n>5", "missing in (a)", "missing"})
    CHECK_FALSE_MESSAGE(LabelSelector::parse(text)->matches(labels), text);
  CHECK_FALSE(LabelSelector::nothing().matches(labels));
  CHECK(LabelSelector::parse("b in (y,x), a=1 ,!c")->str() == "a=1,b in (x,y),!c");
}

TEST_CASE("a malformed label selector is refused in upstream's words") {
  const std::pair<const char*, const char*> cases[] = {
      {"a in b", "unable to parse requirement: found 'b' expected: '('"},
      {"a,", "found '', expected: identifier after ','"},
      {"=", "found '=', expected: !, identifier, or 'end of string'"},
      {"a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"},
      {"a in (b", "unable to parse requirement: found '', expected: ',' or ')'"},
      {"a>b",
       "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, "
       "the value must be an integer"},
      {"a=b c", "found 'c', expected: ',' or 'end of string'"},
  };
  for (const auto& [text, error] : cases) {
    auto selector = LabelSelector::parse(text);
    REQUIRE_MESSAGE(!selector.ok(), text);
    CHECK(selector.error().message() == error);
  }
  CHECK(LabelSelector::parse("-a-=b").error().message().starts_with(
      "unable to parse requirement: <nil>: Invalid value: \"-a-\": name part must consist of"));
  CHECK(LabelSelector::parse("a=-b-").error().message().starts_with(
      "unable to parse requirement: values[0][a]: Invalid value: \"-b-\": a valid label must be"));
}

TEST_CASE("field selectors compare dotted paths") {
  codec::Arena arena;
  auto pod = *codec::parseJson(
      R"({"status":{"phase":"Running"},"spec":{"hostNetwork":true,"n":3}})", arena);
  CHECK(FieldSelector::parse("status.phase=Running,spec.nodeName=")->matches(pod));
  CHECK(FieldSelector::parse("spec.hostNetwork==true,spec.n!=4")->matches(pod));
  CHECK_FALSE(FieldSelector::parse("status.phase!=Running")->matches(pod));
  CHECK(FieldSelector::parse("frob").error().message() ==
        "invalid selector: 'frob'; can't understand 'frob'");
  CHECK(FieldSelector::parse(R"(a=b\,c)")->requirements().front().value == "b,c");
  CHECK(FieldSelector::parse(R"(a=b\,c,d!=e)")->str() == R"(a=b\,c,d!=e)");
}
