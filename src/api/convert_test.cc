#include "api/convert.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/wire.h"

using namespace skiff;
using namespace skiff::api;
using codec::Value;

namespace {
struct Conformed {
  std::string json, error;
  std::vector<std::string> unknown;
};
Conformed conformed(const char* package, const char* kind, std::string_view json,
                    DecodeWords words = DecodeWords::Json) {
  codec::Arena arena;
  auto value = codec::parseJson(json, arena);
  REQUIRE(value.ok());
  DecodeReport report;
  report.words = words;
  auto status = conform(*value, *findType(package, kind), arena, report);
  if (!status.ok()) return {"", status.error().message(), {}};
  return {codec::toJson(*value), "", report.unknownFields};
}
}  // namespace

TEST_CASE("an object takes the form in which Go would write it") {
  auto service =
      conformed("core/v1", "Service", R"({"status":null,"spec":{"ports":[{"port":80,"name":""}],
      "selector":{},"type":"ClusterIP"},"metadata":{"creationTimestamp":null,"labels":{"b":"1","a":"2"}},"apiVersion":"v1",
      "kind":"Service"})");
  CHECK(
      service.json ==
      R"({"kind":"Service","apiVersion":"v1","metadata":{"labels":{"a":"2","b":"1"}},)"
      R"("spec":{"ports":[{"port":80,"targetPort":0}],"type":"ClusterIP"},"status":{"loadBalancer":{}}})");
  // Pointers keep their zero, values without omitempty are always there.
  CHECK(
      conformed("apps/v1", "StatefulSet", R"({"spec":{"replicas":0}})").json ==
      R"({"metadata":{},"spec":{"replicas":0,"selector":null,"template":{"metadata":{},"spec":{"containers":null}},)"
      R"("serviceName":"","updateStrategy":{}},"status":{"replicas":0,"availableReplicas":0}})");
}

TEST_CASE("unknown fields are dropped and reported in the order met") {
  auto pod = conformed("core/v1", "Pod", R"({"spec":{"containers":[{"name":"c","frob":1,
      "ports":[{"containerPort":80,"x":2}]}]},"Metadata":{},"other":1})");
  CHECK(pod.unknown == std::vector<std::string>{"unknown field \"spec.containers[0].frob\"",
                                                "unknown field \"spec.containers[0].ports[0].x\"",
                                                "unknown field \"Metadata\"",
                                                "unknown field \"other\""});
  CHECK(pod.json.find("frob") == std::string::npos);
}

TEST_CASE("what a strategic merge patch made is refused in the words of the converter from maps") {
  struct {
    const char *json, *error;
  } cases[] = {
      {R"({"spec":"x"})", "cannot restore struct from: string"},
      {R"({"spec":{"ports":"x"}})", "cannot restore slice from string"},
      {R"({"spec":{"selector":[]}})", "cannot restore map from slice"},
      {R"({"spec":{"clusterIP":5}})", "cannot convert int64 to string"},
      {R"({"spec":{"type":{}}})", "unrecognized type: string"},
      {R"({"spec":{"healthCheckNodePort":5.5}})", "cannot convert float64 to int32"},
      {R"({"spec":{"healthCheckNodePort":"x"}})", "unrecognized type: int32"},
      {R"({"spec":{"publishNotReadyAddresses":3}})", "unrecognized type: bool"},
      {R"({"spec":{"ports":[{"targetPort":true}]}})", "json: cannot unmarshal bool into Go value of type int32"},
      {R"({"metadata":{"creationTimestamp":5}})", "json: cannot unmarshal number into Go value of type string"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.json);
    CHECK(conformed("core/v1", "Service", c.json, DecodeWords::Unstructured).error == c.error);
  }
}

TEST_CASE("a wrong kind of value is refused in Go's words") {
  struct {
    const char *package, *kind, *json, *error;
  } cases[] = {
      {"core/v1", "Pod", R"({"spec":{"containers":"x"}})",
       "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type "
       "[]v1.Container"},
      {"core/v1", "Pod", R"({"spec":{"hostNetwork":"yes"}})",
       "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"},
      {"core/v1", "ConfigMap", R"({"metadata":{"labels":{"a":true}}})",
       "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type "
       "string"},
      {"apps/v1", "Deployment", R"({"spec":{"replicas":1.5}})",
       "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of "
       "type int32"},
      {"apps/v1", "Deployment", R"({"spec":{"replicas":3000000000}})",
       "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas "
       "of type int32"},
      {"core/v1", "Service", R"({"spec":{"ports":[{"targetPort":[1]}]}})",
       "json: cannot unmarshal array into Go struct field ServicePort.spec.ports.targetPort of "
       "type int32"},
      {"core/v1", "Secret", R"({"data":{"k":"***"}})", "illegal base64 data at input byte 0"},
      {"core/v1", "ConfigMap", R"([])",
       "json: cannot unmarshal array into Go value of type v1.ConfigMap"},
  };
  for (const auto& c : cases) CHECK(conformed(c.package, c.kind, c.json).error == c.error);
}

TEST_CASE("quantities and times become canonical") {
  CHECK(conformed("core/v1", "ResourceRequirements",
                  R"({"limits":{"cpu":0.1,"memory":"1.5Gi","a":5}})")
            .json == R"({"limits":{"a":"5","cpu":"100m","memory":"1536Mi"}})");
  CHECK(conformed("coordination/v1", "LeaseSpec",
                  R"({"renewTime":"2020-01-01T02:00:00.123456+02:00"})")
            .json == R"({"renewTime":"2020-01-01T00:00:00.123456Z"})");
}

// testdata/protobuf.txt: "package Kind", a line of JSON in canonical form, a line of its protobuf
// in base64 as upstream's codec writes it; blank lines between.
TEST_CASE("objects go to protobuf and back unchanged") {
  std::ifstream in("testdata/protobuf.txt");
  std::stringstream text;
  text << in.rdbuf();
  auto all = text.str();
  auto lines = splitNonEmpty(all, '\n');
  REQUIRE(lines.size() >= 9);
  for (size_t i = 0; i + 2 < lines.size(); i += 3) {
    CAPTURE(lines[i]);
    auto name = cut(lines[i], " ");
    const TypeInfo* type = findType(name->first, name->second);
    REQUIRE(type);
    codec::Arena arena;
    Value value = *codec::parseJson(lines[i + 1], arena);
    DecodeReport report;
    REQUIRE(conform(value, *type, arena, report).ok());
    CHECK(codec::toJson(value) == lines[i + 1]);
    std::string raw;
    REQUIRE(encodeProtobuf(value, *type, raw).ok());
    std::string wrapped =
        wrapProtobuf(value["apiVersion"].asString(), value["kind"].asString(), raw);
    CHECK(base64Encode(wrapped) == lines[i + 2]);
    auto envelope = unwrapProtobuf(wrapped);
    REQUIRE(envelope.ok());
    CHECK(envelope->kind == value["kind"].asString());
    auto decoded = decodeProtobuf(envelope->raw, *type, arena);
    REQUIRE(decoded.ok());
    CHECK(codec::toJson(*decoded) == lines[i + 1]);
  }
}

TEST_CASE("of a schema and a list of schemas on the wire the list counts") {
  codec::Arena arena;
  const TypeInfo& type = *findType("apiextensions/v1", "JSONSchemaProps");
  using namespace std::string_view_literals;
  for (std::string_view items : {"\xC2\x01\x04\x0A\x00\x12\x00"sv, "\xC2\x01\x04\x12\x00\x0A\x00"sv}) {
    auto schema = decodeProtobuf(items, type, arena);
    REQUIRE(schema.ok());
    CHECK(codec::toJson(*schema) == R"({"items":[{}]})");
  }
}

TEST_CASE("hostile protobuf is refused") {
  codec::Arena arena;
  const TypeInfo& pod = *findType("core/v1", "Pod");
  CHECK(!decodeProtobuf("\x0a\xff", pod, arena).ok());  // length past the end
  CHECK(!decodeProtobuf("\x08\x01", pod, arena).ok());  // a number where metadata should be
  CHECK(!unwrapProtobuf("{}").ok());
  const TypeInfo& schema = *findType("apiextensions/v1", "JSONSchemaProps");
  std::string deep;
  for (int i = 0; i < 2000; ++i) {
    std::string outer;
    codec::writeBytesField(outer, schema.field("not")->number, deep);
    deep = std::move(outer);
  }
  auto refused = decodeProtobuf(deep, schema, arena);
  REQUIRE(!refused.ok());
  CHECK(refused.error().message() == "proto: exceeded max depth");
}
