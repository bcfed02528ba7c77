// Conversion of custom resources by the webhook that their definition names: ConversionReview of apiextensions.k8s.io.
#pragma once
#include "apiserver/conversion.h"
#include "apiserver/request.h"

namespace skiff::apiserver {

// Makes the converters of all definitions of one server; they share its connections. `cluster` must outlive them.
MakeConverter webhookConverters(const ClusterReader& cluster);

}  // namespace skiff::apiserver
