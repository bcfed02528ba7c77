#include "api/table.h"

#include <doctest/doctest.h>

#include "base/strings.h"
#include "codec/json.h"

using namespace skiff;
using namespace skiff::api;

namespace {
const WallTime kNow = *parseRfc3339("2020-01-10T00:00:00Z");

std::string cellsOf(std::string_view group, std::string_view plural, std::string_view json) {
  codec::Arena arena;
  auto object = codec::parseJson(json, arena);
  REQUIRE(object.ok());
  codec::Value cells;
  rowOf(*findResource(group, "v1", plural), *object, kNow, arena, cells);
  return codec::toJson(cells);
}
std::string podCells(std::string_view rest) {
  auto cells = cellsOf(
      "", "pods",
      concat(R"({"metadata":{"name":"p","creationTimestamp":"2020-01-09T23:59:00Z"},)", rest, "}"));
  auto end = cells.find(",\"60s\"");
  REQUIRE(end != cells.npos);
  return cells.substr(0, end) + "]";
}
}  // namespace

TEST_CASE("time spans are told as kubectl tells them") {
  const std::pair<int64_t, const char*> cases[] = {
      {-5, "<invalid>"},  {0, "0s"},        {119, "119s"},    {120, "2m"},     {150, "2m30s"},
      {600, "10m"},       {10799, "179m"},  {10800, "3h"},    {11100, "3h5m"}, {28800, "8h"},
      {172799, "47h"},    {172800, "2d"},   {180000, "2d2h"}, {691200, "8d"},  {63072000, "2y"},
      {63158400, "2y1d"}, {252288000, "8y"}};
  for (const auto& [span, text] : cases) CHECK(humanDuration(seconds(span)) == text);
  CHECK(humanAge("", kNow) == "<unknown>");
}

TEST_CASE("a pod's status tells what its containers do") {
  CHECK(podCells(R"("spec":{"containers":[{},{}]},"status":{"phase":"Running","containerStatuses":[
      {"ready":true,"restartCount":3,"state":{"running":{}},"lastState":{"terminated":{"finishedAt":"2020-01-09T23:55:00Z"}}},
      {"restartCount":0,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]})") ==
        R"x(["p","1/2","CrashLoopBackOff","3 (5m ago)"])x");
  CHECK(
      podCells(
          R"("spec":{"initContainers":[{"name":"i"}],"containers":[{}]},"status":{"phase":"Pending",
      "initContainerStatuses":[{"name":"i","state":{"running":{}}}]})") ==
      R"(["p","0/1","Init:0/1","0"])");
  CHECK(
      podCells(
          R"("spec":{"initContainers":[{"name":"i"}],"containers":[{}]},"status":{"phase":"Pending",
      "initContainerStatuses":[{"name":"i","restartCount":2,"state":{"terminated":{"exitCode":1,"reason":"Error"}}}]})") ==
      R"(["p","0/1","Init:Error","2"])");
  CHECK(
      podCells(
          R"("spec":{"initContainers":[{"name":"s","restartPolicy":"Always"}],"containers":[{}]},"status":{
      "phase":"Running","initContainerStatuses":[{"name":"s","ready":true,"started":true,"state":{"running":{}}}],
      "containerStatuses":[{"ready":true,"state":{"running":{}}}]})") ==
      R"(["p","2/2","Running","0"])");
  CHECK(podCells(R"("spec":{"containers":[{}]},"status":{"phase":"Succeeded","containerStatuses":[
      {"state":{"terminated":{"reason":"Completed"}}}]})") == R"(["p","0/1","Completed","0"])");
  CHECK(podCells(R"("spec":{"containers":[{}]},"status":{"phase":"Failed","containerStatuses":[
      {"state":{"terminated":{"exitCode":137,"signal":9}}}]})") == R"(["p","0/1","Signal:9","0"])");
  CHECK(podCells(R"("spec":{"containers":[{}]},"status":{"phase":"Failed","reason":"Evicted"})") ==
        R"(["p","0/1","Evicted","0"])");
  CHECK(cellsOf("", "pods", R"({"metadata":{"name":"p","deletionTimestamp":"2020-01-10T00:00:00Z"},
      "spec":{"containers":[{}]},"status":{"phase":"Running"}})")
            .find("\"Terminating\"") != std::string::npos);
}

TEST_CASE("every resource has a cell for each of its columns") {
  for (const auto& gv : builtinGroupVersions())
    for (const auto& resource : gv.resources) {
      CAPTURE(resource.plural);
      codec::Arena arena;
      codec::Value cells, empty = codec::Value::map();
      rowOf(resource, empty, kNow, arena, cells);
      size_t more = resource.plural == "ipaddresses" ? 1 : 0;  // as upstream
      CHECK(cells.size() == columnsOf(resource).size() + more);
    }
}

TEST_CASE("rows of other kinds") {
  CHECK(
      cellsOf("batch", "jobs",
              R"({"metadata":{"name":"j"},"spec":{"parallelism":2,"template":{"spec":{}}},"status":{
      "startTime":"2020-01-09T23:50:00Z","succeeded":1,"conditions":[{"type":"Suspended","status":"True"}]}})") ==
      R"(["j","Suspended","1/1 of 2","10m","\u003cunknown\u003e","","","\u003cnone\u003e"])");
  CHECK(cellsOf("", "resourcequotas",
                R"({"metadata":{"name":"q","creationTimestamp":"2020-01-09T00:00:00Z"},"status":{
      "hard":{"limits.cpu":"2","pods":"3"},"used":{"pods":"1"}}})") ==
        R"(["q","pods: 1/3","limits.cpu: 0/2","24h"])");
  CHECK(cellsOf("autoscaling", "horizontalpodautoscalers",
                R"({"metadata":{"name":"h"},"spec":{"scaleTargetRef":{"kind":"D",
      "name":"d"},"targetCPUUtilizationPercentage":80,"minReplicas":1,"maxReplicas":2},"status":{
      "currentCPUUtilizationPercentage":40,"currentReplicas":1}})") ==
        R"(["h","D/d","cpu: 40%/80%","1",2,1,"\u003cunknown\u003e"])");
}

TEST_CASE("custom resources print their own columns") {
  codec::Arena arena;
  auto version = *codec::parseJson(R"({"additionalPrinterColumns":[
      {"name":"Replicas","type":"integer","jsonPath":".spec.replicas","priority":1},
      {"name":"When","type":"date","jsonPath":".status.at"},{"name":"Tags","type":"string","jsonPath":".spec.tags"},
      {"name":"None","type":"string","jsonPath":".spec.none"},{"name":"Ready","type":"boolean",
       "jsonPath":".status.conditions[?(@.type==\"Ready\")].ok"}]})",
                                   arena);
  CustomTable table(version);
  REQUIRE(table.columns().size() == 6);
  CHECK(table.columns()[1].priority == 1);
  auto object = *codec::parseJson(
      R"({"metadata":{"name":"a"},"spec":{"replicas":3,"tags":["x","y"]},"status":{
      "at":"2020-01-09T23:00:00Z","conditions":[{"type":"Ready","ok":true}]}})",
      arena);
  codec::Value cells;
  table.row(object, kNow, arena, cells);
  CHECK(codec::toJson(cells) == R"(["a",3,"60m","[\"x\",\"y\"]",null,true])");
  CHECK(CustomTable(codec::Value::map()).columns()[1].name == "Age");
}
