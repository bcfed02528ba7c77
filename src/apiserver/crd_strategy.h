// What CustomResourceDefinitions need beyond their tables: the versions that were ever stored, and
// validation.
#pragma once
#include <memory>

#include "apiserver/strategy.h"

namespace skiff::apiserver {

std::unique_ptr<Strategy> makeDefinitionStrategy();
inline constexpr std::string_view kDefinitionCleanup = "customresourcecleanup.apiextensions.k8s.io";

}  // namespace skiff::apiserver
