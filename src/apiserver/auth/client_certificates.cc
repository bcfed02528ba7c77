#include "apiserver/auth/client_certificates.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::apiserver {

Result<pki::CertificateInfo> ChainVerifier::verify(const std::vector<std::string>& chain) {
  WallTime now = clock_.now();
  {
    std::lock_guard lock(mutex_);
    auto known = known_.find(chain[0]);
    if (known != known_.end() && now < known->second.until && now >= known->second.info.notBefore) return known->second.info;
  }
  pki::CertificateInfo info = TRY(pki::verifyClientChain(chain, caPem_, clock_));
  std::lock_guard lock(mutex_);
  if (known_.size() >= kMaxKnown) known_.clear();
  known_[chain[0]] = {info, std::min(info.notAfter, now + kTrust)};
  return info;
}

Result<std::optional<UserInfo>> CertificateAuthenticator::authenticate(const net::Request& request) {
  std::optional<UserInfo> none;
  if (!verifier_.configured() || request.peer.certificateChain.empty()) return none;
  pki::CertificateInfo info = TRY(verifier_.verify(request.peer.certificateChain));
  if (info.subject.commonName.empty()) return none;
  UserInfo user;
  user.name = info.subject.commonName;
  user.groups = info.subject.organizations;
  user.extra["authentication.kubernetes.io/credential-id"] = {"X509SHA256=" + info.sha256Hex};
  return std::optional<UserInfo>(std::move(user));
}

Result<std::optional<UserInfo>> FrontProxyAuthenticator::authenticate(const net::Request& request) {
  std::optional<UserInfo> none;
  if (!verifier_.configured() || request.peer.certificateChain.empty()) return none;
  std::string_view name = request.headers.get("x-remote-user");
  if (name.empty()) return none;
  auto proxy = verifier_.verify(request.peer.certificateChain);
  if (!proxy.ok() || !isAllowed(proxy->subject.commonName)) return none;
  UserInfo user;
  user.name = std::string(name);
  user.uid = std::string(request.headers.get("x-remote-uid"));
  for (std::string_view group : request.headers.all("x-remote-group")) user.groups.emplace_back(group);
  constexpr std::string_view kExtra = "x-remote-extra-";
  for (const auto& [header, value] : request.headers.items()) {
    std::string lower = toLower(header);
    if (!lower.starts_with(kExtra)) continue;
    std::string key = lower.substr(kExtra.size());
    user.extra[percentDecode(key).value_or(key)].push_back(value);
  }
  return std::optional<UserInfo>(std::move(user));
}

bool FrontProxyAuthenticator::isAllowed(const std::string& name) const {
  return allowedNames_.empty() || std::ranges::find(allowedNames_, name) != allowedNames_.end();
}

}  // namespace skiff::apiserver
