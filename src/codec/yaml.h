// YAML 1.1 as kubectl's and the API server's sigs.k8s.io/yaml reads it, to and from the value tree.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace skiff::codec {

// The first document; Null when empty. Anchors, aliases (within a budget) and merge keys are resolved.
// The last of duplicate keys wins; each is reported in `duplicates` in the strict decoder's words
// (line 3: key "a" already set in map). Depth limit as JSON's. Errors read as "yaml: line 2: ...".
Result<Value> parseYaml(std::string_view text, Arena& arena, std::vector<std::string>* duplicates = nullptr);
// All of them as one error's text.
std::string yamlDuplicatesError(const std::vector<std::string>& duplicates);
// "---" separated documents; empty ones are left out.
Result<std::vector<std::shared_ptr<Document>>> parseYamlStream(std::string_view text);
std::string toYaml(const Value& value);  // map keys sorted, block style, as `kubectl -o yaml` prints

}  // namespace skiff::codec
