// Selectors and JSONPath: what parses is written, parsed again and chooses the same.
//   kind, text
#include "api/jsonpath.h"
#include "api/selectors.h"
#include "base/result.h"
#include "codec/json.h"
#include "fuzz/input.h"

using namespace skiff;
using namespace skiff::api;

namespace {

const codec::Document& object() {
  static const auto document = *codec::parseJsonDocument(
      R"({"metadata":{"name":"n","labels":{"a":"1","app.io/b":"x"}},"spec":{"nodeName":"n1","on":true,"count":-3},
          "list":[{"b":1,"c":"x"},{"b":2.5,"c":"y"},[1,2]],"empty":{}})");
  return *document;
}

void labels(std::string_view text) {
  auto selector = LabelSelector::parse(text);
  if (!selector.ok()) return;
  auto again = LabelSelector::parse(selector->str());
  MUST(again.ok() && again->str() == selector->str() && again->empty() == selector->empty());
  const codec::Value& tree = object().root["metadata"]["labels"];
  Labels map;
  for (const auto& [key, value] : tree.members()) map.emplace(key, value.asString());
  bool matches = selector->matches(tree);
  MUST(matches == selector->matches(map) && matches == again->matches(tree));
}

void structuredLabels(std::string_view text) {
  codec::Arena arena;
  auto value = codec::parseJson(text, arena, {.maxDepth = 20});
  if (!value.ok()) return;
  auto selector = LabelSelector::fromValue(*value);
  if (selector.ok()) (void)selector->matches(object().root["metadata"]["labels"]);
}

void fields(std::string_view text) {
  auto selector = FieldSelector::parse(text);
  if (!selector.ok()) return;
  auto again = FieldSelector::parse(selector->str());
  MUST(again.ok() && again->str() == selector->str());
  MUST(again->matches(object().root) == selector->matches(object().root));
}

void paths(std::string_view text) {
  if (auto path = JsonPath::parse(text); path.ok()) (void)path->print(object().root).ok();
  if (auto path = JsonPath::parsePath(text); path.ok()) {
    (void)path->find(object().root).ok();
    (void)path->find(object().root, false).ok();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  switch (input.byte() % 4) {
    case 0:
      labels(input.rest());
      break;
    case 1:
      structuredLabels(input.rest());
      break;
    case 2:
      fields(input.rest());
      break;
    default:
      paths(input.rest());
  }
  return 0;
}
