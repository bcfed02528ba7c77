// The small part of JSONPath that printer columns and selectable fields use: .a.b, ['a.b'], [0], [*], [?(@.x=="y")].
// https://kubernetes.io/docs/reference/kubectl/jsonpath/
#pragma once
#include <string_view>
#include <vector>

#include "codec/value.h"

namespace skiff::apiserver {

// Every value that the path leads to; empty when there is none or the path is not understood.
std::vector<const codec::Value*> findJsonPath(const codec::Value& root, std::string_view path);

}  // namespace skiff::apiserver
