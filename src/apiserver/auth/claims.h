// From the claims of a token to a user: rules and mappings by claim or by expression, compiled once.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/request.h"
#include "cel/program.h"
#include "codec/value.h"

namespace skiff::apiserver {

using Program = std::shared_ptr<const cel::Program>;

struct ClaimRule {
  std::string claim, requiredValue;  // or
  Program expression;
  std::string message;
};
// A claim with a prefix, or an expression, or (all empty) nothing.
struct ClaimSource {
  std::string claim, prefix;
  Program expression;
  bool isSet() const { return !claim.empty() || expression; }
};
struct ExtraSource {
  std::string key;
  Program value;
};
struct ClaimMapping {
  std::vector<ClaimRule> claimRules;  // over `claims`
  ClaimSource username, groups, uid;
  std::vector<ExtraSource> extra;
  std::vector<ClaimRule> userRules;  // over `user`
};

// Compiles an expression over one variable, "claims" or "user".
Result<Program> compileOver(std::string_view variable, std::string_view source);

// The error says which rule or mapping refused, for the log.
Result<UserInfo> userFromClaims(const ClaimMapping& mapping, const codec::Value& claims);

}  // namespace skiff::apiserver
