// What a kind and its fields are for, out of an OpenAPI v3 document, in kubectl's layout.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace skiff::ctl {

struct ExplainOptions {
  bool recursive = false;  // names and types of all fields below, instead of descriptions
  int maxDepth = 0;        // of these; 0: no limit
};

// `document` is the OpenAPI of the kind's group version; `path` leads from the kind to the field that is meant.
Result<std::string> explain(const codec::Value& document, std::string_view group, std::string_view version,
                            std::string_view kind, const std::vector<std::string_view>& path,
                            const ExplainOptions& options);

}  // namespace skiff::ctl
