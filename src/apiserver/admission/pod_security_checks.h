// The Pod Security Standards. https://kubernetes.io/docs/concepts/security/pod-security-standards/
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"

namespace skiff::apiserver::admission {

enum class SecurityLevel { Privileged, Baseline, Restricted };
std::optional<SecurityLevel> securityLevel(std::string_view text);

// What a pod does that the level does not allow, as "reason (detail)"; empty when it is fine.
std::vector<std::string> violations(SecurityLevel level, const codec::Value& podMetadata, const codec::Value& podSpec);

}  // namespace skiff::apiserver::admission
