// Which form the names of a resource's objects have.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
#pragma once
#include <string_view>

#include "api/schema.h"
#include "apiserver/strategies/formats.h"

namespace skiff::apiserver {

formats::Faults nameFaults(const api::ResourceInfo& resource, std::string_view name);

}  // namespace skiff::apiserver
