// The ConfigMap by which aggregated API servers learn whom to trust: kube-system/extension-apiserver-authentication.
#pragma once
#include "apiserver/registry.h"
#include "apiserver/security.h"

namespace skiff::apiserver {

// Creates it, or corrects what this server's options say otherwise. Keys of others stay.
Status publishAuthenticationConfig(Registry& registry, const SecurityOptions& options);

}  // namespace skiff::apiserver
