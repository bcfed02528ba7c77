// The AdmissionRequest of admission.k8s.io/v1: what webhooks are sent, and (without the objects) what expressions see as
// `request`.
#pragma once
#include <string>

#include "apiserver/extension/request_match.h"
#include "apiserver/request.h"
#include "codec/value.h"

namespace skiff::apiserver::extension {

codec::Value requestAttributes(const AdmissionRequest& request, const MatchedResource& matched, codec::Arena& arena);

}  // namespace skiff::apiserver::extension
