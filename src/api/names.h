// Forms of names, keys and values that the API allows, with the sentences it refuses others with.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace skiff::api {

// What is wrong with the text; empty when nothing is.
std::vector<std::string> qualifiedNameErrors(
    std::string_view text);  // label and annotation keys: "prefix/name"
std::vector<std::string> labelValueErrors(std::string_view text);
std::vector<std::string> dns1123LabelErrors(std::string_view text);
std::vector<std::string> dns1123SubdomainErrors(std::string_view text);
std::vector<std::string> dns1035LabelErrors(std::string_view text);

}  // namespace skiff::api
