// What a strict decoder has to say of a JSON body: unknown and duplicate fields, in the order in which they stand there.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace skiff::apiserver {

// `duplicates` are paths ("spec.replicas"), `unknown` are problems (`unknown field "spec.foo"`). The text is known to parse.
std::vector<std::string> strictProblems(std::string_view json, std::vector<std::string> duplicates,
                                        std::vector<std::string> unknown);

}  // namespace skiff::apiserver
