// Upstream keeps CustomResourceDefinitions in the form of their first version, v1beta1, as JSON: older servers read it.
#pragma once
#include "codec/value.h"

namespace skiff::apiserver {

// Between apiextensions.k8s.io/v1 and the stored form. The fields are left in no particular order.
void definitionToStored(codec::Value& object, codec::Arena& arena);
void definitionFromStored(codec::Value& object, codec::Arena& arena);

}  // namespace skiff::apiserver
