#include "api/openapi.h"

#include <doctest/doctest.h>

#include <functional>
#include <set>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/wire.h"

using namespace skiff;
using namespace skiff::api;
using codec::Value;

namespace {
Value parsed(codec::Arena& arena, const std::string& json) {
  auto value = codec::parseJson(json, arena);
  REQUIRE(value.ok());
  return *value;
}

// Ids that $refs name, anywhere below.
void refs(const Value& value, std::set<std::string>& out) {
  for (const auto& item : value.items()) refs(item, out);
  for (const auto& member : value.members()) {
    if (member.key == "$ref" && member.value.isString()) {
      auto text = member.value.str();
      out.insert(text.substr(text.rfind('/') + 1));
    }
    refs(member.value, out);
  }
}

// The schema without what it says to readers.
std::string undescribed(Value schema) {
  schema.erase("description");
  return codec::toJsonSorted(schema);
}
}  // namespace

TEST_CASE("version 2 holds every schema and parameter that it names, once") {
  codec::Arena arena;
  auto document = parsed(arena, openApiV2(builtinOpenApiVersions(), {}));
  std::set<std::string> named;
  refs(document, named);
  for (const auto& id : named) {
    CAPTURE(id);
    CHECK((document["definitions"].has(id) || document["parameters"].has(id)));
  }
  std::set<std::string> ids;
  for (const auto& path : document["paths"].members())
    for (const auto& operation : path.value.members())
      if (operation.value.isMap()) CHECK(ids.insert(operation.value["operationId"].str()).second);
  CHECK(ids.size() > 800);
}

TEST_CASE("schemas carry what patches and apply need") {
  codec::Arena arena;
  auto definitions = parsed(arena, openApiV2(builtinOpenApiVersions(), {}))["definitions"];
  CHECK(
      undescribed(definitions["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]) ==
      R"({"items":{"$ref":"#/definitions/io.k8s.api.core.v1.Container"},"type":"array","x-kubernetes-list-map-keys":["name"],)"
      R"("x-kubernetes-list-type":"map","x-kubernetes-patch-merge-key":"name","x-kubernetes-patch-strategy":"merge"})");
  CHECK(codec::toJsonSorted(
            definitions["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"]) ==
        R"([{"group":"","kind":"Pod","version":"v1"}])");
  CHECK(undescribed(definitions["io.k8s.api.core.v1.ServicePort"]["properties"]["protocol"]) ==
        R"({"enum":["SCTP","TCP","UDP"],"type":"string"})");
}

TEST_CASE("version 3 is one document for each group version") {
  auto served = builtinOpenApiVersions();
  auto names = openApiV3Names(served);
  for (const char* name : {"api", "api/v1", "apis", "apis/apps", "apis/apps/v1", "version"})
    CHECK(std::find(names.begin(), names.end(), name) != names.end());
  codec::Arena arena;
  auto apps = parsed(arena, *openApiV3(served, "apis/apps/v1", {}));
  std::set<std::string> named;
  refs(apps, named);
  for (const auto& id : named) CHECK_MESSAGE(apps["components"]["schemas"].has(id), id);
  const auto& patch =
      apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
  CHECK(patch["requestBody"]["content"].has("application/strategic-merge-patch+json"));
  CHECK(codec::toJsonSorted(patch["x-kubernetes-group-version-kind"]) ==
        R"({"group":"apps","kind":"Deployment","version":"v1"})");
  CHECK(openApiV3(served, "apis/nope/v1", {}).failedWith(Reason::NotFound));
}

TEST_CASE("custom resources are published with their schema") {
  codec::Arena arena;
  const std::string_view verbs[] = {"create", "delete", "deletecollection", "get",
                                    "list",   "patch",  "update",           "watch"};
  const std::string_view statusVerbs[] = {"get", "patch", "update"};
  const SubresourceInfo status[] = {{"status", "stable.example.com", "v1", "CronTab", statusVerbs}};
  ResourceInfo crontab;
  crontab.group = "stable.example.com";
  crontab.version = "v1";
  crontab.kind = "CronTab";
  crontab.plural = "crontabs";
  crontab.namespaced = true;
  crontab.verbs = verbs;
  crontab.subresources = status;
  OpenApiVersion version{"stable.example.com", "v1", {&crontab}, {}};
  version.customSchemas["CronTab"] =
      parsed(arena, R"({"type":"object","properties":{"spec":{"type":"object","properties":{
      "replicas":{"type":"integer","minimum":1,"default":1},"any":{"x-kubernetes-int-or-string":true,"type":"string"}}}}})");
  std::vector<OpenApiVersion> served{version};

  auto v3 = parsed(arena, *openApiV3(served, "apis/stable.example.com/v1", {}));
  const auto& schema = v3["components"]["schemas"]["com.example.stable.v1.CronTab"];
  CHECK(schema["properties"]["spec"]["properties"]["replicas"]["default"].asInt() == 1);
  CHECK(schema["properties"].has("metadata"));
  CHECK(v3["components"]["schemas"].has("com.example.stable.v1.CronTabList"));
  const auto& item =
      v3["paths"]["/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}"];
  CHECK(item["get"]["operationId"].asString() == "readStableExampleComV1NamespacedCronTab");
  CHECK(!item["patch"]["requestBody"]["content"].has("application/strategic-merge-patch+json"));
  CHECK(
      v3["paths"].has("/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}/status"));

  auto v2 = parsed(arena, openApiV2(served, {}));
  const auto& old =
      v2["definitions"]["com.example.stable.v1.CronTab"]["properties"]["spec"]["properties"];
  CHECK(codec::toJsonSorted(old["replicas"]) == R"({"minimum":1,"type":"integer"})");
  CHECK(codec::toJsonSorted(old["any"]) == R"({"x-kubernetes-int-or-string":true})");
}

// Read with upstream's own decoder, the whole document was the same as its JSON; this keeps the
// frame of it.
TEST_CASE("version 2 as protobuf holds the same schemas and paths") {
  codec::Arena arena;
  auto served = builtinOpenApiVersions();
  auto json = parsed(arena, openApiV2(served, {}));
  std::string bytes = openApiV2Protobuf(served, {});
  // The messages at a field of a message, in turn.
  auto children = [](std::string_view message, uint32_t field) {
    std::vector<std::string_view> out;
    codec::WireReader reader(message);
    while (reader.next())
      if (reader.field() == field) out.push_back(reader.bytes());
    CHECK(!reader.failed());
    return out;
  };
  CHECK(children(bytes, 1).at(0) == "2.0");
  auto schemas = children(children(bytes, 9).at(0), 1);
  CHECK(schemas.size() == json["definitions"].size());
  CHECK(children(children(bytes, 8).at(0), 2).size() == json["paths"].size());
  for (auto named : schemas) {
    if (children(named, 1).at(0) != "io.k8s.api.core.v1.ServicePort") continue;
    auto schema = children(named, 2).at(0);
    CHECK(children(schema, 19) == std::vector<std::string_view>{"port"});
    CHECK(children(children(schema, 25).at(0), 1).size() == 6);
  }
}

TEST_CASE("every kind, type and field is described") {
  codec::Arena arena;
  auto document = parsed(arena, openApiV2(builtinOpenApiVersions(), {}));
  size_t fields = 0;
  for (const auto& schema : document["definitions"].members()) {
    CAPTURE(schema.key);
    CHECK(schema.value["description"].str().ends_with('.'));
    for (const auto& property : schema.value["properties"].members()) {
      CAPTURE(property.key);
      CHECK(property.value["description"].str().ends_with('.'));
      ++fields;
    }
  }
  CHECK(fields > 2500);
}

TEST_CASE("the schema's comments are the descriptions of both versions") {
  codec::Arena arena;
  auto served = builtinOpenApiVersions();
  auto v2 = parsed(arena, openApiV2(served, {}))["definitions"]["io.k8s.api.apps.v1.RollingUpdateDeployment"];
  auto v3 = parsed(arena, *openApiV3(served, "apis/apps/v1", {}))["components"]["schemas"]
                  ["io.k8s.api.apps.v1.RollingUpdateDeployment"];
  const TypeInfo* type = findType("apps/v1", "RollingUpdateDeployment");
  REQUIRE(type->description.str().starts_with("How many pods may be missing"));
  for (const Value* schema : {&v2, &v3}) {
    CHECK((*schema)["description"].asString() == type->description.str());
    for (const FieldInfo& field : type->fields)
      CHECK((*schema)["properties"][field.json]["description"].asString() == field.description.str());
  }
}
