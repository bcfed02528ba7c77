#include "apiserver/strategies/service_families.h"

#include <doctest/doctest.h>

#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

const std::vector<std::string_view> kDual{"IPv4", "IPv6"}, kSingle{"IPv4"};

std::string told(const FieldErrors& errors) {
  std::vector<std::string> texts;
  for (const Cause& cause : errors.causes()) texts.push_back(concat(cause.field, ": ", cause.message));
  return join(texts, " | ");
}

// "IPv4,IPv6 PreferDualStack" of the completed spec, or what is wrong with it.
std::string completed(std::string_view json, const std::vector<std::string_view>& configured, std::string_view oldJson = "") {
  codec::Arena arena;
  Value spec = codec::parseJson(json, arena).value();
  Value old = oldJson.empty() ? Value() : codec::parseJson(oldJson, arena).value();
  FieldErrors errors;
  completeFamilies(spec, oldJson.empty() ? nullptr : &old, configured, arena, errors);
  if (!errors.empty()) return told(errors);
  std::vector<std::string> families;
  for (const Value& family : spec["ipFamilies"].items()) families.push_back(family.str());
  return concat(join(families, ","), " ", spec["ipFamilyPolicy"].asString());
}

TEST_CASE("families and policy are filled in from what the service says and the cluster has") {
  struct Case {
    std::string_view spec;
    const std::vector<std::string_view>& configured;
    std::string_view expected;
  };
  const Case cases[] = {
      {R"({"selector":{"a":"b"}})", kDual, "IPv4 SingleStack"},
      {R"({"selector":{"a":"b"},"clusterIPs":["fd00::5"]})", kDual, "IPv6 SingleStack"},
      {R"({"ipFamilyPolicy":"PreferDualStack"})", kDual, "IPv4,IPv6 PreferDualStack"},
      {R"({"ipFamilyPolicy":"PreferDualStack"})", kSingle, "IPv4 PreferDualStack"},
      {R"({"ipFamilyPolicy":"RequireDualStack","ipFamilies":["IPv6"]})", kDual, "IPv6,IPv4 RequireDualStack"},
      {R"({"ipFamilyPolicy":"RequireDualStack","clusterIPs":["fd00::5","10.96.0.5"]})", kDual, "IPv6,IPv4 RequireDualStack"},
      {R"({"clusterIPs":["None"],"selector":{"a":"b"}})", kDual, "IPv4 SingleStack"},
      {R"({"clusterIPs":["None"]})", kSingle, "IPv4,IPv6 RequireDualStack"},
      {R"({"clusterIPs":["None"],"ipFamilies":["IPv6"]})", kSingle, "IPv6,IPv4 RequireDualStack"},
      {R"({"clusterIPs":["None"],"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv6"]})", kSingle, "IPv6 SingleStack"},
      {R"({"ipFamilyPolicy":"RequireDualStack","ipFamilies":["IPv6"]})", kSingle,
       "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services | "
       "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster"},
      {R"({"ipFamilyPolicy":"RequireDualStack","clusterIPs":["fd00::5"]})", kSingle,
       "spec.clusterIPs[0]: Invalid value: [\"fd00::5\"]: IPv6 is not configured on this cluster"},
      {R"({"clusterIPs":["10.96.0.5","fd00::5"],"ipFamilies":["IPv4","IPv6"]})", kDual,
       "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are "
       "specified | spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP "
       "families are specified"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.spec);
    CHECK(completed(one.spec, one.configured) == one.expected);
  }
}

TEST_CASE("a secondary family comes and goes with the policy") {
  constexpr std::string_view kOne = R"({"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"],"clusterIPs":["10.96.0.5"]})";
  constexpr std::string_view kBoth =
      R"({"ipFamilyPolicy":"PreferDualStack","ipFamilies":["IPv4","IPv6"],"clusterIPs":["10.96.0.5","fd00::5"]})";
  CHECK(completed(R"({"ipFamilyPolicy":"PreferDualStack","ipFamilies":["IPv4"],"clusterIPs":["10.96.0.5"]})", kDual, kOne) ==
        "IPv4,IPv6 PreferDualStack");
  CHECK(completed(R"({"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4","IPv6"],"clusterIPs":["10.96.0.5","fd00::5"]})", kDual, kBoth) ==
        "IPv4 SingleStack");
  CHECK(completed(R"({"ipFamilyPolicy":"PreferDualStack","ipFamilies":["IPv4"],"clusterIPs":["10.96.0.5"]})", kDual, kBoth) ==
        "spec.ipFamilyPolicy: Invalid value: \"PreferDualStack\": must be 'SingleStack' to release the secondary cluster IP | "
        "spec.ipFamilyPolicy: Invalid value: \"PreferDualStack\": must be 'SingleStack' to release the secondary IP family");
}

std::string changes(std::string_view json, std::string_view oldJson) {
  codec::Arena arena;
  Value spec = codec::parseJson(concat(R"({"spec":)", json, "}"), arena).value();
  FieldErrors errors;
  checkFamilyChanges(rootField(spec)["spec"], codec::parseJson(oldJson, arena).value(), errors);
  return told(errors);
}

TEST_CASE("the primary address stays, the secondary only comes and goes") {
  constexpr std::string_view kBoth = R"({"ipFamilies":["IPv4","IPv6"],"clusterIPs":["10.96.0.5","fd00::5"]})";
  CHECK(changes(R"({"ipFamilies":["IPv4"],"clusterIPs":["10.96.0.5"]})", kBoth).empty());
  CHECK(changes(kBoth, R"({"ipFamilies":["IPv4"],"clusterIPs":["10.96.0.5"]})").empty());
  CHECK(changes(R"({"ipFamilies":["IPv4","IPv6"],"clusterIPs":["10.96.0.5","fd00::6"]})", kBoth) ==
        "spec.clusterIPs[1]: Invalid value: [\"10.96.0.5\",\"fd00::6\"]: may not change once set");
  CHECK(changes(R"({"ipFamilies":["IPv6"],"clusterIPs":["fd00::5"]})", kBoth) ==
        "spec.clusterIPs[0]: Invalid value: [\"fd00::5\"]: may not change once set | "
        "spec.ipFamilies[0]: Invalid value: [\"fd00::5\"]: may not change once set");
  CHECK(changes(R"({"ipFamilies":["IPv6"],"clusterIPs":["None"]})", R"({"ipFamilies":["IPv4"],"clusterIPs":["None"]})").empty());
  CHECK(changes(R"({"type":"ExternalName"})", kBoth).empty());
}

std::string fieldErrors(std::string_view json) {
  codec::Arena arena;
  Value spec = codec::parseJson(concat(R"({"spec":)", json, "}"), arena).value();
  FieldErrors errors;
  checkFamilyFields(rootField(spec)["spec"], errors);
  return told(errors);
}

TEST_CASE("addresses and families of a service agree") {
  CHECK(fieldErrors(R"({"clusterIP":"10.96.0.5","clusterIPs":["10.96.0.5","fd00::5"],"ipFamilies":["IPv4","IPv6"]})").empty());
  CHECK(fieldErrors(R"({"clusterIP":"10.96.0.5","clusterIPs":["10.96.0.5","10.96.0.6"],"ipFamilies":["IPv6"]})") ==
        "spec.clusterIPs: Invalid value: [\"10.96.0.5\",\"10.96.0.6\"]: may specify no more than one IP for each IP family | "
        "spec.clusterIPs[0]: Invalid value: \"10.96.0.5\": expected an IPv6 value as indicated by `ipFamilies[0]`");
  CHECK(fieldErrors(R"({"clusterIP":"None","clusterIPs":["None","10.96.0.6"],"ipFamilies":["IPv4","IPv4"]})") ==
        "spec.ipFamilies[1]: Duplicate value: \"IPv4\" | "
        "spec.clusterIPs: Invalid value: [\"None\",\"10.96.0.6\"]: 'None' must be the first and only value");
  CHECK(fieldErrors(R"({"clusterIPs":["10.96.0.6"]})") ==
        "spec.clusterIPs: Invalid value: [\"10.96.0.6\"]: must be empty when `clusterIP` is not specified");
  CHECK(fieldErrors(R"({"type":"ExternalName","ipFamilyPolicy":"SingleStack"})") ==
        "spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services");
}

}  // namespace
}  // namespace skiff::apiserver
