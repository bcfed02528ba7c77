#include "api/jsonpath.h"

#include <doctest/doctest.h>

#include "codec/json.h"

using namespace skiff;
using namespace skiff::api;

namespace {
constexpr std::string_view kPod =
    R"({"metadata":{"name":"a","labels":{"app.kubernetes.io/name":"x","b":"c"}},"spec":{"hostNetwork":true,
  "priority":5,"containers":[{"name":"c1","image":"i1","ports":[{"containerPort":80},{"containerPort":81}]},
  {"name":"c2","image":"i2"},{"name":"c3","image":"i3"}]}})";

std::string print(std::string_view text, bool allowMissing = true) {
  codec::Arena arena;
  auto pod = *codec::parseJson(kPod, arena);
  auto path = JsonPath::parse(text);
  if (!path.ok()) return "parse error: " + path.error().message();
  auto out = path->print(pod, allowMissing);
  return out.ok() ? *out : "error: " + out.error().message();
}
}  // namespace

TEST_CASE("templates print what kubectl prints") {
  // Recorded with kubectl patch --local -o jsonpath=...
  const std::pair<const char*, const char*> cases[] = {
      {"{.metadata.name}", "a"},
      {"{$.metadata.name}", "a"},
      {"{@.metadata.name}", "a"},
      {"{.spec.containers[*].name}", "c1 c2 c3"},
      {"{.spec.containers[-1].name}", "c3"},
      {"{.spec.containers[0:2].name}", "c1 c2"},
      {"{.spec.containers[::2].name}", "c1 c3"},
      {"{.spec.containers[-2:].name}", "c2 c3"},
      {"{.spec.containers[0,2].name}", "c1 c3"},
      {"{.spec.containers[?(@.name==\"c2\")].image}", "i2"},
      {"{.spec.containers[?(@.name!='c2')].name}", "c1 c3"},
      {"{.spec.containers[?(@.ports)].name}", "c1"},
      {"{.spec.containers[?(@.ports[0].containerPort==80)].name}", "c1"},
      {"{.spec.containers[?(@.ports[0].containerPort>80)].name}", ""},
      {"{range .spec.containers[*]}{.name}{\"\\t\"}{.image}{\"\\n\"}{end}",
       "c1\ti1\nc2\ti2\nc3\ti3\n"},
      {"{range .spec.containers[*]}[{.name}{range .ports[*]}({.containerPort}){end}]{end}",
       "[c1(80)(81)][c2][c3]"},
      {"{.metadata.labels.app\\.kubernetes\\.io/name}", "x"},
      {"{.metadata.labels['app\\.kubernetes\\.io/name']}", "x"},
      {"{.metadata.labels}", R"({"app.kubernetes.io/name":"x","b":"c"})"},
      {"{.metadata.labels.*}", "x c"},
      {"{.spec.containers[0].ports}", R"([{"containerPort":80},{"containerPort":81}])"},
      {"{..name}", "a c1 c2 c3"},
      {"{..containerPort}", "80 81"},
      {"{.spec.nope}", ""},
      {"{.spec['priority','hostNetwork']}", "5 true"},
      {"{['metadata.name','spec.priority']}", "a 5"},
      {"{.spec.containers[*]['name','image']}", "c1 c2 c3 i1 i2 i3"},
      {"text {.metadata.name} more", "text a more"},
      {"{\"quoted\"}{'single'}", "quotedsingle"},
      {"{.metadata.name", "parse error: unclosed action"},
      {"{.spec.containers[a]}", "parse error: invalid array index a"},
      {"{.spec.containers[5].name}", "error: array index out of bounds: index 5, length 3"},
      {"{end}", "error: not in range, nothing to end"},
  };
  for (const auto& [text, want] : cases) {
    CAPTURE(text);
    CHECK(print(text) == want);
  }
  CHECK(print("{.spec.nope}", false) == "error: nope is not found");
}

TEST_CASE("hostile expressions end") {
  std::string deep = "{";
  for (int i = 0; i < 1000; ++i) deep += ".a[?(@";
  CHECK(print(deep).starts_with("parse error"));
  for (const char* text :
       {"{", "{[", "{.a[", "{.a[?(", "{.a[?(@.b==", "{'", "{..", "{.a[1:2:0]}", "{.a['", "{range"})
    print(text);
}
