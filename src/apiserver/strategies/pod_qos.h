// Quality of service class of a pod, from its requests and limits.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
#pragma once
#include <string_view>

#include "codec/value.h"

namespace skiff::apiserver {

std::string_view qosClassOf(const codec::Value& podSpec);

}  // namespace skiff::apiserver
