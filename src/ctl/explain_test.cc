#include "ctl/explain.h"

#include <doctest/doctest.h>

#include "codec/json.h"

using namespace skiff;
using namespace skiff::ctl;

namespace {

constexpr std::string_view kDocument = R"({"components":{"schemas":{
 "com.example.v1.Web":{"type":"object","description":"Serves pages.",
  "x-kubernetes-group-version-kind":[{"group":"example.com","version":"v1","kind":"Web"}],
  "properties":{
   "spec":{"allOf":[{"$ref":"#/components/schemas/com.example.v1.WebSpec"}],"description":"What is wanted."},
   "kind":{"type":"string"}}},
 "com.example.v1.WebSpec":{"type":"object","description":"Pages.","required":["mode"],
  "properties":{
   "mode":{"type":"string","enum":["A","B","C","D","E"],"description":
     "A mode whose description is so long that it does not fit into one line of eighty columns."},
   "labels":{"type":"object","additionalProperties":{"type":"string"}},
   "children":{"type":"array","description":"Below.","items":{"$ref":"#/components/schemas/com.example.v1.WebSpec"}}}}}}})";

Result<std::string> about(const std::vector<std::string_view>& path, const ExplainOptions& options = {}) {
  codec::Arena arena;
  auto document = codec::parseJson(kDocument, arena);
  REQUIRE(document.ok());
  return explain(*document, "example.com", "v1", "Web", path, options);
}

constexpr std::string_view kHeader = "GROUP:      example.com\nKIND:       Web\nVERSION:    v1\n\n";

}  // namespace

TEST_CASE("a kind is explained by its description and those of its fields") {
  CHECK(*about({}) == std::string(kHeader) +
                          "DESCRIPTION:\n    Serves pages.\n    \nFIELDS:\n"
                          "  kind\t<string>\n    <no description>\n\n"
                          "  spec\t<WebSpec>\n    What is wanted.\n\n\n");
}

TEST_CASE("a field is explained by what it and its type say") {
  CHECK(*about({"spec"}) == std::string(kHeader) +
                                "FIELD: spec <WebSpec>\n\n\nDESCRIPTION:\n    What is wanted.\n    Pages.\n    \nFIELDS:\n"
                                "  children\t<[]WebSpec>\n    Below.\n\n"
                                "  labels\t<map[string]string>\n    <no description>\n\n"
                                "  mode\t<string> -required-\n  enum: A, B, C, D, ....\n"
                                "    A mode whose description is so long that it does not fit into one line of\n"
                                "    eighty columns.\n\n\n");
}

TEST_CASE("all values of an enumeration stand with the field alone, and a field without words is empty") {
  CHECK(about({"spec", "children", "mode"})->find("ENUM:\n    A\n    B\n    C\n    D\n    E\n\nDESCRIPTION:\n") != std::string::npos);
  CHECK(*about({"spec", "labels"}) ==
        std::string(kHeader) + "FIELD: labels <map[string]string>\n\n\nDESCRIPTION:\n    <empty>\n\n");
}

TEST_CASE("a tree of fields ends at the wanted depth, and where a type holds itself") {
  constexpr std::string_view top = "  kind\t<string>\n  spec\t<WebSpec>\n";
  constexpr std::string_view below =
      "    children\t<[]WebSpec>\n    labels\t<map[string]string>\n"
      "    mode\t<string> -required-\n    enum: A, B, C, D, ....\n";
  std::string head = std::string(kHeader) + "DESCRIPTION:\n    Serves pages.\n    \nFIELDS:\n" + std::string(top);
  CHECK(*about({}, {.recursive = true}) == head + std::string(below) + "\n");
  CHECK(*about({}, {.recursive = true, .maxDepth = 1}) == head + "\n");
}

TEST_CASE("what is not there is said") {
  auto missing = about({"spec", "nope"});
  REQUIRE(!missing.ok());
  CHECK(missing.error().message() == "field \"nope\" does not exist");
}
