// Inside of conversion.h.
#pragma once
#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// autoscaling/v1 and v2 of a HorizontalPodAutoscaler.
Status autoscalerToV1(codec::Value& object, codec::Arena& arena);
Status autoscalerToV2(codec::Value& object, codec::Arena& arena);

}  // namespace skiff::api
