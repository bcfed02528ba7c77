#include "controllers/policy_type_check.h"

#include <doctest/doctest.h>
#include <re2/re2.h>

#include "base/read_file.h"
#include "base/strings.h"
#include "codec/json.h"
#include "controllers/registry.h"
#include "controllers/testing.h"

namespace skiff::controllers {
namespace {

using codec::Value;
using testing::Cluster;

// Names of types hold a number that is another one every time.
std::string withoutNumbers(std::string text) {
  RE2::GlobalReplace(&text, "[0-9]{6,}", "");
  return text;
}

codec::DocumentPtr readCases() {
  auto text = readFile("testdata/policy_type_check.json");
  MUST(text.ok());
  auto document = std::make_shared<codec::Document>();
  auto root = codec::parseJson(*text, document->arena);
  MUST(root.ok());
  document->root = *root;
  return document;
}

ValidatingAdmissionPolicy policyOf(const Value& spec) {
  auto policy = api::fromJson<ValidatingAdmissionPolicy>(concat(R"({"metadata":{"name":"p"},"spec":)", codec::toJson(spec), "}"));
  MUST(policy.ok());
  return std::move(policy).value();
}

// Each text is what kube-controller-manager 1.37 puts in the status of such a policy.
TEST_CASE("warnings are upstream's, word by word") {
  codec::DocumentPtr cases = readCases();
  std::vector<api::ObjectPtr> definitions;
  for (const Value& definition : cases->root["definitions"].items())
    definitions.push_back(api::Object::fromDocument(codec::cloneDocument(definition), nullptr));
  KindCatalog catalog(std::move(definitions));
  for (const Value& each : cases->root["policies"].items()) {
    CAPTURE(each["name"].str());
    std::vector<std::string> wanted, got;
    for (const Value& warning : each["warnings"].items())
      wanted.push_back(concat(warning["fieldRef"].asString(), "\n", warning["warning"].asString()));
    for (const ExpressionWarning& warning : checkPolicyTypes(policyOf(each["spec"]), catalog, 123456789))
      got.push_back(concat(warning.fieldRef, "\n", withoutNumbers(warning.warning)));
    CHECK(join(got, "\n") == join(wanted, "\n"));
  }
}

TEST_CASE("a policy's status is written once for each generation") {
  Cluster cluster;
  auto controller = createPolicyStatusController(cluster.context);
  cluster.createJson<ValidatingAdmissionPolicy>(R"({"metadata":{"name":"p"},"spec":{
    "matchConstraints":{"resourceRules":[{"apiGroups":["apps"],"apiVersions":["v1"],"operations":["*"],"resources":["deployments"]}]},
    "validations":[{"expression":"object.spec.replicas > 1"},{"expression":"object.x == 1"}]}})");
  REQUIRE(cluster.run(*controller).ok());
  auto first = cluster.get<ValidatingAdmissionPolicy>("p", "");
  CHECK(first.status.observedGeneration == 1);
  REQUIRE(first.status.typeChecking);
  REQUIRE(first.status.typeChecking->expressionWarnings.size() == 1);
  CHECK(first.status.typeChecking->expressionWarnings[0].fieldRef == "spec.validations[1].expression");

  controller->queue().add("p");
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.get<ValidatingAdmissionPolicy>("p", "").metadata.resourceVersion == first.metadata.resourceVersion);

  first.spec.validations[1].expression = "object.y == 1";
  REQUIRE(cluster.client->update(first).ok());
  REQUIRE(cluster.run(*controller).ok());
  auto second = cluster.get<ValidatingAdmissionPolicy>("p", "");
  CHECK(second.status.observedGeneration == 2);
  CHECK(second.status.typeChecking->expressionWarnings[0].warning.find("undefined field 'y'") != std::string::npos);
}

}  // namespace
}  // namespace skiff::controllers
