#include "api/patch.h"

#include <doctest/doctest.h>

#include "base/strings.h"
#include "codec/json.h"

using namespace skiff;
using namespace skiff::api;
using codec::Arena;

namespace {
std::string outcome(const Result<codec::Value>& result) {
  return result.ok() ? codec::toJson(*result) : concat(result.error().code(), " ", result.error().message());
}
std::string json(std::string_view object, std::string_view patch) {
  Arena arena;
  return outcome(applyJsonPatch(*codec::parseJson(object, arena), *codec::parseJson(patch, arena), arena));
}
std::string merge(std::string_view object, std::string_view patch) {
  Arena arena;
  return outcome(applyMergePatch(*codec::parseJson(object, arena), *codec::parseJson(patch, arena), arena));
}
std::string strategic(std::string_view type, std::string_view object, std::string_view patch) {
  Arena arena;
  const TypeInfo* info = findType("core/v1", type);
  REQUIRE(info != nullptr);
  return outcome(
      applyStrategicMergePatch(*info, *codec::parseJson(object, arena), *codec::parseJson(patch, arena), arena));
}
const std::string kRefused = "422 the server rejected our request due to an error in our request";
}  // namespace

TEST_CASE("JSON patch: every operation") {
  CHECK(json(R"({"a":1})", R"([{"op":"add","path":"/b","value":{"c":[1]}}])") == R"({"a":1,"b":{"c":[1]}})");
  CHECK(json(R"({"l":[1,3]})", R"([{"op":"add","path":"/l/1","value":2},{"op":"add","path":"/l/-","value":4}])") == R"({"l":[1,2,3,4]})");
  CHECK(json(R"({"l":[1,2]})", R"([{"op":"add","path":"/l/2","value":3},{"op":"add","path":"/l/-1","value":4}])") == R"({"l":[1,2,3,4]})");
  CHECK(json(R"({"a":1,"l":[1,2]})", R"([{"op":"remove","path":"/a"},{"op":"remove","path":"/l/0"}])") == R"({"l":[2]})");
  CHECK(json(R"({"a":1})", R"([{"op":"replace","path":"/a","value":2},{"op":"replace","path":"/b","value":3}])") == R"({"a":2,"b":3})");
  CHECK(json(R"({"a":{"b":1}})", R"([{"op":"move","from":"/a/b","path":"/c"}])") == R"({"a":{},"c":1})");
  CHECK(json(R"({"a":{"b":1}})", R"([{"op":"copy","from":"/a","path":"/c"},{"op":"add","path":"/c/b","value":2}])") == R"({"a":{"b":1},"c":{"b":2}})");
  CHECK(json(R"({"a":{"b":1.0}})", R"([{"op":"test","path":"/a","value":{"b":1}},{"op":"test","path":"/x","value":null}])") == R"({"a":{"b":1}})");
  CHECK(json(R"({"a":1})", R"([{"op":"replace","path":"","value":{"b":2}}])") == R"({"b":2})");
  CHECK(json(R"({"a/b":1,"m~n":2})", R"([{"op":"remove","path":"/a~1b"},{"op":"replace","path":"/m~0n","value":3}])") == R"({"m~n":3})");
}

TEST_CASE("JSON patch: what cannot be applied") {
  for (std::string_view patch :
       {R"([{"op":"remove","path":"/x"}])", R"([{"op":"add","path":"/x/y","value":1}])", R"([{"op":"add","path":"/l/3","value":1}])",
        R"([{"op":"replace","path":"/l/2","value":1}])", R"([{"op":"remove","path":"/l/-"}])", R"([{"op":"test","path":"/a","value":2}])",
        R"([{"op":"frob","path":"/a"}])", R"([{"op":"add","value":1}])", R"([{"op":"move","path":"/b"}])", R"([null])",
        R"([{"op":"move","from":"/x","path":"/b"}])", R"([{"op":"remove","path":""}])", R"([{"op":"add","path":"/a/b","value":1}])"})
    CHECK(json(R"({"a":1,"l":[1,2]})", patch) == kRefused);
  CHECK(json("{}", R"({"op":"add"})") ==
        "400 error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp");
  CHECK(json("{}", "[1]") == "400 error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp");
}

TEST_CASE("JSON patch: copies may not grow without bound") {
  std::string patch = R"([{"op":"add","path":"/a","value":"0123456789012345678901234567890123456789"})";
  for (int i = 0; i < 40; ++i) patch += concat(R"(,{"op":"copy","from":"","path":"/n)", i, R"("},{"op":"copy","from":"/a","path":"/b"},{"op":"add","path":"/c","value":{}})");
  CHECK(json("{}", patch + "]") == kRefused);
  std::string doubling = R"([{"op":"add","path":"/a","value":["xxxxxxxxxxxxxxxx"]})";
  for (int i = 0; i < 40; ++i) doubling += R"(,{"op":"copy","from":"/a","path":"/a/-"})";
  CHECK(json("{}", doubling + "]") == kRefused);
}

TEST_CASE("merge patch: the examples of RFC 7386, and lists with nulls") {
  struct Row {
    std::string_view object, patch, result;
  };
  for (Row row : std::initializer_list<Row>{
           {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
           {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
           {R"({"a":"b"})", R"({"a":null})", "{}"},
           {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
           {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
           {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
           {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
           {"{}", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
           {R"({"e":null,"m":{}})", R"({"a":[{"b":null}],"m":[{"b":null}]})", R"({"e":null,"m":[{"b":null}],"a":[{}]})"},
       })
    CHECK(merge(row.object, row.patch) == row.result);
  CHECK(merge("{}", "[1]") ==
        "400 error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}");
}

TEST_CASE("strategic merge: maps and their directives") {
  CHECK(strategic("Pod", R"({"spec":{"nodeSelector":{"a":"1","b":"2"}}})", R"({"spec":{"nodeSelector":{"a":null,"c":"3"}}})") ==
        R"({"spec":{"nodeSelector":{"b":"2","c":"3"}}})");
  CHECK(strategic("Pod", R"({"spec":{"nodeSelector":{"a":"1"}}})", R"({"spec":{"nodeSelector":{"$patch":"replace","c":"3"}}})") ==
        R"({"spec":{"nodeSelector":{"c":"3"}}})");
  CHECK(strategic("Pod", R"({"spec":{"nodeSelector":{"a":"1"}}})", R"({"spec":{"nodeSelector":{"$patch":"delete"}}})") ==
        R"({"spec":{"nodeSelector":{}}})");
  CHECK(strategic("Pod", R"({"metadata":{"name":"a"}})", R"({"metadata":{"$patch":"frob"}})") ==
        "400 unknown patch type: frob in map: map[$patch:frob]");
  CHECK(strategic("Pod", R"({"spec":{"a":1,"b":2}})", R"({"spec":{"$retainKeys":["b","c"],"c":3}})") == R"({"spec":{"b":2,"c":3}})");
  CHECK(strategic("Pod", R"({"spec":{"a":1}})", R"({"spec":{"$retainKeys":["b"],"c":3}})") == "400 invalid patch format of retainKeys");
}

TEST_CASE("strategic merge: lists by key, new items first") {
  std::string_view pod = R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}})";
  CHECK(strategic("Pod", pod, R"({"spec":{"containers":[{"name":"b","image":"2"},{"name":"c"}]}})") ==
        R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"},{"name":"c"}]}})");
  CHECK(strategic("Pod", pod, R"({"spec":{"containers":[{"name":"c"}]}})") ==
        R"({"spec":{"containers":[{"name":"c"},{"name":"a","image":"1"},{"name":"b","image":"1"}]}})");
  CHECK(strategic("Pod", pod, R"({"spec":{"containers":[{"name":"a","$patch":"delete"}]}})") ==
        R"({"spec":{"containers":[{"name":"b","image":"1"}]}})");
  CHECK(strategic("Pod", pod, R"({"spec":{"containers":[{"$patch":"replace"},{"name":"z"}]}})") ==
        R"({"spec":{"containers":[{"name":"z"}]}})");
  CHECK(strategic("Pod", pod, R"({"spec":{"containers":[{"$patch":"merge"}]}})") ==
        "400 merging lists cannot yet be specified in the patch");
  CHECK(strategic("Pod", pod, R"({"spec":{"containers":[{"image":"x"}]}})") ==
        "400 map: map[image:x] does not contain declared merge key: name");
  CHECK(strategic("Pod", pod, R"({"spec":{"containers":null}})") == R"({"spec":{}})");
  CHECK(strategic("Pod", R"({"spec":{}})", R"({"spec":{"containers":[{"name":"a","x":null},{"name":"b","$patch":"delete"}]}})") ==
        R"({"spec":{"containers":[{"name":"a"}]}})");
}

TEST_CASE("strategic merge: element order") {
  std::string_view pod = R"({"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}})";
  CHECK(strategic("Pod", pod, R"({"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"a"}],"containers":[{"name":"a","image":"2"}]}})") ==
        R"({"spec":{"containers":[{"name":"b"},{"name":"c"},{"name":"a","image":"2"}]}})");
  CHECK(strategic("Pod", pod, R"({"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"b"},{"name":"a"}]}})") ==
        R"({"spec":{"containers":[{"name":"c"},{"name":"b"},{"name":"a"}]}})");
  CHECK(strategic("Pod", pod, R"({"spec":{"$setElementOrder/containers":[{"name":"c"}],"containers":[{"name":"d","image":"i:2"}]}})") ==
        "400 The order in patch list:\n[map[image:i:2 name:d]]\n doesn't match $setElementOrder list:\n[map[name:c]]\n");
}

TEST_CASE("strategic merge: lists of scalars, and lists without a merge strategy") {
  CHECK(strategic("ConfigMap", R"({"metadata":{"finalizers":["a","b"]}})", R"({"metadata":{"finalizers":["c","a"]}})") ==
        R"({"metadata":{"finalizers":["c","a","b"]}})");
  CHECK(strategic("ConfigMap", R"({"metadata":{"finalizers":["a","b"]}})", R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a","x"]}})") ==
        R"({"metadata":{"finalizers":["b"]}})");
  CHECK(strategic("ConfigMap", R"({"metadata":{"finalizers":["a","b"]}})",
                  R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"$setElementOrder/finalizers":["c","b"],"finalizers":["c"]}})") ==
        R"({"metadata":{"finalizers":["c","b"]}})");
  CHECK(strategic("Pod", R"({"spec":{"tolerations":[{"key":"a"}]}})", R"({"spec":{"tolerations":[{"key":"b"}]}})") ==
        R"({"spec":{"tolerations":[{"key":"b"}]}})");
}

TEST_CASE("patches leave their inputs alone") {
  Arena arena;
  codec::Value object = *codec::parseJson(R"({"spec":{"containers":[{"name":"a","env":[{"name":"x","value":"1"}]}]}})", arena);
  std::string before = codec::toJson(object);
  codec::Value patch = *codec::parseJson(R"({"spec":{"containers":[{"name":"a","env":[{"name":"x","value":"2"}]}]}})", arena);
  std::string patchBefore = codec::toJson(patch);
  Arena other;
  REQUIRE(applyStrategicMergePatch(*findType("core/v1", "Pod"), object, patch, other).ok());
  REQUIRE(applyMergePatch(object, patch, other).ok());
  CHECK(codec::toJson(object) == before);
  CHECK(codec::toJson(patch) == patchBefore);
}

TEST_CASE("Go's text of values") {
  Arena arena;
  CHECK(goText(*codec::parseJson(R"({"b":[1,"x",null,true,1.5],"a":{}})", arena)) == "map[a:map[] b:[1 x <nil> true 1.5]]");
}
