#include "apiserver/auth/bootstrap_tokens.h"

#include <algorithm>

#include "base/log.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr size_t kIdSize = 6, kSecretSize = 16;
constexpr std::string_view kGroup = "system:bootstrappers";
constexpr size_t kMaxGroup = 256;  // after the prefix

bool isCode(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

std::string dataOf(const Value& secret, std::string_view key) {
  return base64Decode(secret["data"][key].asString()).value_or("");
}

// In a time that does not tell where the texts begin to differ.
bool sameSecret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= unsigned(uint8_t(a[i]) ^ uint8_t(b[i]));
  return difference == 0;
}

bool isBootstrapGroup(std::string_view group) {
  if (!group.starts_with("system:bootstrappers:")) return false;
  group.remove_prefix(std::string_view("system:bootstrappers:").size());
  if (group.empty() || group.size() > kMaxGroup || !isCode(group.substr(group.size() - 1))) return false;
  return std::ranges::all_of(group, [](char c) { return isCode({&c, 1}) || c == ':' || c == '-'; });
}

}  // namespace

TokenAnswer BootstrapTokens::authenticate(const std::string& token, const std::vector<std::string>& audiences) {
  std::optional<TokenIdentity> none;
  if (token.size() != kIdSize + 1 + kSecretSize || token[kIdSize] != '.') return none;
  std::string_view id = std::string_view(token).substr(0, kIdSize), secret = std::string_view(token).substr(kIdSize + 1);
  if (!isCode(id) || !isCode(secret)) return none;
  auto stored = cluster_.get("", "secrets", "kube-system", concat("bootstrap-token-", id));
  if (stored == nullptr) return none;
  const Value& root = stored->root;
  if (root["metadata"].has("deletionTimestamp") || root["type"].asString() != "bootstrap.kubernetes.io/token") return none;
  if (!sameSecret(dataOf(root, "token-secret"), secret) || dataOf(root, "token-id") != id) return none;
  if (std::string expiration = dataOf(root, "expiration"); !expiration.empty()) {
    auto time = parseRfc3339(expiration);
    if (!time || *time <= clock_.now()) return none;
  }
  if (dataOf(root, "usage-bootstrap-authentication") != "true") return none;

  TokenIdentity identity;
  identity.user.name = concat("system:bootstrap:", id);
  identity.user.groups.emplace_back(kGroup);
  std::string extra = dataOf(root, "auth-extra-groups");
  for (std::string_view group : splitNonEmpty(extra, ',')) {
    if (!isBootstrapGroup(group)) {
      log::warn("A bootstrap token names a group that it may not give", {{"token", id}, {"group", group}});
      return none;
    }
    if (std::ranges::find(identity.user.groups, group) == identity.user.groups.end()) identity.user.groups.emplace_back(group);
  }
  identity.audiences = commonAudiences(audiences, own_);
  if (identity.audiences.empty()) return none;
  return std::optional(std::move(identity));
}

}  // namespace skiff::apiserver
