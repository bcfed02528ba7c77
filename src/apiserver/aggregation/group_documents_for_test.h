// What an aggregated server of one group answers, for tests.
#pragma once
#include <string_view>

namespace skiff::apiserver {

inline constexpr std::string_view kFlunderEvent =
    R"({"type":"ADDED","object":{"apiVersion":"wardle.example.com/v1","kind":"Flunder","metadata":{"name":"f"}}})" "\n";

inline std::string_view documentFor(std::string_view path) {
  if (path == "/apis/wardle.example.com/v1")
    return R"({"kind":"APIResourceList","apiVersion":"v1","groupVersion":"wardle.example.com/v1","resources":[
      {"name":"flunders","singularName":"flunder","namespaced":true,"kind":"Flunder","verbs":["get","list"]},
      {"name":"flunders/status","singularName":"","namespaced":true,"kind":"Flunder","verbs":["get"]}]})";
  if (path == "/apis/wardle.example.com/v1/flunders")
    return R"({"kind":"FlunderList","apiVersion":"wardle.example.com/v1","metadata":{},"items":[{"metadata":{"name":"f"}}]})";
  if (path == "/openapi/v2")
    return R"({"swagger":"2.0","paths":{"/apis/other":{},"/apis/wardle.example.com/v1/flunders":{"get":{"responses":{"200":
      {"description":"OK","schema":{"$ref":"#/definitions/com.example.Flunder"}}}}}},"definitions":{
      "com.example.Flunder":{"type":"object","properties":{"spec":{"$ref":"#/definitions/com.example.FlunderSpec"}}},
      "com.example.FlunderSpec":{"type":"object"},"com.example.Unused":{"type":"object"}}})";
  if (path == "/openapi/v3")
    return R"({"paths":{"apis/wardle.example.com/v1":{"serverRelativeURL":"/openapi/v3/apis/wardle.example.com/v1?hash=AB"}}})";
  if (path == "/openapi/v3/apis/wardle.example.com/v1") return R"({"openapi":"3.0.0","paths":{}})";
  return {};
}

}  // namespace skiff::apiserver
