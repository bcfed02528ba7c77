// The Pod Security Standards, as they were in each minor version.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"

namespace skiff::apiserver::admission {

enum class SecurityLevel { Privileged, Baseline, Restricted };
std::optional<SecurityLevel> securityLevel(std::string_view text);

inline constexpr int kLatestSecurityVersion = 1 << 20;
std::optional<int> securityVersion(std::string_view text);  // the minor one of "v1.30"; "latest"

// What a pod does that the standard does not allow; empty when it is fine.
struct Violation {
  std::string reason, detail;
};
std::vector<Violation> violations(SecurityLevel level, int version, const codec::Value& podMetadata, const codec::Value& podSpec);

}  // namespace skiff::apiserver::admission
