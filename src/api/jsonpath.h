// kubectl's JSONPath: text with {expressions}.
// https://kubernetes.io/docs/reference/kubectl/jsonpath/
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

struct JsonPathNode;

class JsonPath {
 public:
  // A template: "{range .items[*]}{.metadata.name}{"\n"}{end}".
  static Result<JsonPath> parse(std::string_view text);
  // One path without braces, as CustomResourceDefinitions and --sort-by write it: ".spec.replicas".
  static Result<JsonPath> parsePath(std::string_view path);

  // The values that the (first) path selects. With allowMissing an absent field selects nothing,
  // else it is an error.
  Result<std::vector<const codec::Value*>> find(const codec::Value& root,
                                                bool allowMissing = true) const;
  // The text that the template makes; values of one expression are parted by spaces.
  Result<std::string> print(const codec::Value& root, bool allowMissing = true) const;

 private:
  std::shared_ptr<const std::vector<JsonPathNode>> nodes_;
};

// A value as the template prints it: strings bare, maps and lists as JSON.
std::string jsonPathText(const codec::Value& value);

}  // namespace skiff::api
