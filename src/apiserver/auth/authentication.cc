// Who asks: front proxy, client certificate, bearer token, in upstream's order; the first that knows its credentials wins.
#include <algorithm>
#include <fstream>
#include <mutex>
#include <unordered_map>

#include "apiserver/auth/authentication.h"
#include "apiserver/auth/service_account_tokens.h"
#include "apiserver/security.h"
#include "base/log.h"
#include "base/strings.h"
#include "pki/x509.h"

namespace skiff::apiserver {

namespace {

using Found = Result<std::optional<UserInfo>>;

Error unauthorized(std::string why) { return {Reason::Unauthorized, std::move(why)}; }

// Verified chains by their leaf's bytes: a client with one certificate is checked once in a while, not each time.
class ChainVerifier {
 public:
  ChainVerifier(std::string caPem, const Clock& clock) : caPem_(std::move(caPem)), clock_(clock) {}

  bool configured() const { return !caPem_.empty(); }

  Result<pki::CertificateInfo> verify(const std::vector<std::string>& chain) {
    WallTime now = clock_.now();
    {
      std::lock_guard lock(mutex_);
      auto known = known_.find(chain[0]);
      if (known != known_.end() && now < known->second.until && now >= known->second.info.notBefore) {
        return known->second.info;
      }
    }
    pki::CertificateInfo info = TRY(pki::verifyClientChain(chain, caPem_, clock_));
    std::lock_guard lock(mutex_);
    if (known_.size() >= kMaxKnown) known_.clear();
    known_[chain[0]] = {info, std::min(info.notAfter, now + kTrust)};
    return info;
  }

 private:
  static constexpr size_t kMaxKnown = 1024;  // a certificate is about 1 KiB
  static constexpr auto kTrust = std::chrono::minutes(10);
  struct Known {
    pki::CertificateInfo info;
    WallTime until;
  };
  const std::string caPem_;
  const Clock& clock_;
  std::mutex mutex_;  // guards known_
  std::unordered_map<std::string, Known> known_;
};

class CertificateAuthenticator final : public Authenticator {
 public:
  CertificateAuthenticator(const SecurityOptions& options)
      : verifier_(options.clientCaPem, *options.clock) {}

  Found authenticate(const net::Request& request) override {
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

 private:
  ChainVerifier verifier_;
};

// An aggregating proxy shows a certificate of its own CA and tells whom it speaks for.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#authenticating-proxy
class FrontProxyAuthenticator final : public Authenticator {
 public:
  FrontProxyAuthenticator(const SecurityOptions& options)
      : verifier_(options.requestHeaderCaPem, *options.clock), allowedNames_(options.requestHeaderAllowedNames) {}

  Found authenticate(const net::Request& request) override {
    std::optional<UserInfo> none;
    if (!verifier_.configured() || request.peer.certificateChain.empty()) return none;
    std::string_view name = request.headers.get("x-remote-user");
    if (name.empty()) return none;
    auto proxy = verifier_.verify(request.peer.certificateChain);
    if (!proxy.ok() || !isAllowed(proxy->subject.commonName)) return none;
    UserInfo user;
    user.name = std::string(name);
    user.uid = std::string(request.headers.get("x-remote-uid"));
    for (std::string_view group : request.headers.all("x-remote-group")) {
      user.groups.emplace_back(group);
    }
    constexpr std::string_view kExtra = "x-remote-extra-";
    for (const auto& [header, value] : request.headers.items()) {
      std::string lower = toLower(header);
      if (!lower.starts_with(kExtra)) continue;
      std::string key = lower.substr(kExtra.size());
      user.extra[percentDecode(key).value_or(key)].push_back(value);
    }
    return std::optional<UserInfo>(std::move(user));
  }

 private:
  bool isAllowed(const std::string& name) const {
    return allowedNames_.empty() || std::ranges::find(allowedNames_, name) != allowedNames_.end();
  }
  ChainVerifier verifier_;
  const std::vector<std::string> allowedNames_;
};

// Lines of "token,user,uid,"group1,group2"".
class TokenFile {
 public:
  explicit TokenFile(const std::string& path) {
    if (path.empty()) return;
    std::ifstream file(path);
    if (!file) log::error("Cannot read the file of static tokens", {{"path", path}});
    std::string text{std::istreambuf_iterator<char>(file), {}};
    for (std::string_view line : splitNonEmpty(text, '\n')) {
      line = trim(line);
      if (line.empty() || line.front() == '#') continue;
      auto columns = parseCsv(line);
      if (columns.size() < 3 || columns[0].empty()) continue;
      UserInfo user;
      user.name = columns[1];
      user.uid = columns[2];
      if (columns.size() > 3) {
        for (std::string_view group : splitNonEmpty(columns[3], ',')) user.groups.emplace_back(trim(group));
      }
      users_.emplace(columns[0], std::move(user));
    }
  }

  const UserInfo* find(std::string_view token) const {
    auto found = users_.find(token);
    return found == users_.end() ? nullptr : &found->second;
  }

 private:
  static std::vector<std::string> parseCsv(std::string_view line) {
    std::vector<std::string> columns(1);
    bool inQuotes = false;
    for (char c : line) {
      if (c == '"') {
        inQuotes = !inQuotes;
      } else if (c == ',' && !inQuotes) {
        columns.emplace_back();
      } else {
        columns.back() += c;
      }
    }
    for (std::string& column : columns) column = std::string(trim(column));
    return columns;
  }

  std::unordered_map<std::string, UserInfo, StringHash, std::equal_to<>> users_;
};

// "Authorization: Bearer x", or for browsers' web sockets a protocol name that carries the token.
std::string bearerToken(const net::Request& request) {
  std::string_view header = trim(request.headers.get("authorization"));
  if (auto parts = cut(header, " "); parts && equalsIgnoreCase(parts->first, "bearer")) {
    return std::string(trim(parts->second));
  }
  constexpr std::string_view kProtocol = "base64url.bearer.authorization.k8s.io.";
  for (std::string_view line : request.headers.all("sec-websocket-protocol")) {
    for (std::string_view protocol : split(line, ',')) {
      protocol = trim(protocol);
      if (!protocol.starts_with(kProtocol)) continue;
      return base64UrlDecode(protocol.substr(kProtocol.size())).value_or("");
    }
  }
  return {};
}

class BearerAuthenticator final : public Authenticator {
 public:
  BearerAuthenticator(const SecurityOptions& options, const ClusterReader& cluster)
      : options_(options), cluster_(cluster), file_(options.tokenFile) {}

  Found authenticate(const net::Request& request) override {
    std::optional<UserInfo> none;
    std::string token = bearerToken(request);
    if (token.empty()) return none;
    auto reviewed = TRY(review(token, acceptedAudiences(options_)));
    return std::optional<UserInfo>(std::move(reviewed.user));
  }

  Result<TokenReviewer::Reviewed> review(const std::string& token,
                                         const std::vector<std::string>& audiences) {
    if (const UserInfo* user = file_.find(token)) {
      // Static tokens are meant for this server and nobody else.
      TokenReviewer::Reviewed out{.user = *user};
      for (const std::string& own : acceptedAudiences(options_)) {
        if (std::ranges::find(audiences, own) != audiences.end()) out.audiences.push_back(own);
      }
      if (out.audiences.empty()) return unauthorized("invalid bearer token");
      return out;
    }
    auto account = TRY(authenticateServiceAccount(token, audiences, options_, cluster_));
    if (!account) return unauthorized("invalid bearer token");
    return TokenReviewer::Reviewed{std::move(account->user), std::move(account->audiences)};
  }

  std::vector<std::string> ownAudiences() const { return acceptedAudiences(options_); }

 private:
  const SecurityOptions options_;
  const ClusterReader& cluster_;
  const TokenFile file_;
};

bool isHealthPath(std::string_view path) {
  for (std::string_view root : {"/healthz", "/livez", "/readyz"}) {
    if (path == root || (path.starts_with(root) && path[root.size()] == '/')) return true;
  }
  return false;
}

class UnionAuthenticator final : public Authenticator, public TokenReviewer {
 public:
  UnionAuthenticator(const SecurityOptions& options, const ClusterReader& cluster)
      : proxy_(options),
        certificate_(options),
        bearer_(options, cluster),
        anonymousHealth_(options.anonymousHealth),
        anonymous_(options.anonymous) {}

  Found authenticate(const net::Request& request) override {
    std::optional<Error> wrong;
    for (Authenticator* part : {static_cast<Authenticator*>(&proxy_),
                                static_cast<Authenticator*>(&certificate_),
                                static_cast<Authenticator*>(&bearer_)}) {
      auto found = part->authenticate(request);
      if (!found.ok()) {
        if (!wrong) wrong = found.error();
      } else if (found.value()) {
        return std::optional<UserInfo>(withAuthenticated(std::move(*found.value())));
      }
    }
    if (wrong) return unauthorized(wrong->message());
    std::optional<UserInfo> none;
    if (!anonymous_ && !(anonymousHealth_ && isHealthPath(request.path))) return none;
    return std::optional<UserInfo>(
        UserInfo{.name = "system:anonymous", .groups = {"system:unauthenticated"}});
  }

  Result<Reviewed> reviewToken(const std::string& token,
                               const std::vector<std::string>& audiences) override {
    Reviewed out = TRY(bearer_.review(token, audiences.empty() ? bearer_.ownAudiences() : audiences));
    out.user = withAuthenticated(std::move(out.user));
    return out;
  }

 private:
  static UserInfo withAuthenticated(UserInfo user) {
    constexpr std::string_view kAuthenticated = "system:authenticated";
    auto has = [&](std::string_view group) {
      return std::ranges::find(user.groups, group) != user.groups.end();
    };
    // A front proxy may speak for an anonymous user.
    if (!has(kAuthenticated) && !has("system:unauthenticated")) user.groups.emplace_back(kAuthenticated);
    return user;
  }

  FrontProxyAuthenticator proxy_;
  CertificateAuthenticator certificate_;
  BearerAuthenticator bearer_;
  const bool anonymousHealth_, anonymous_;
};

}  // namespace

std::unique_ptr<Authenticator> makeAuthenticator(const SecurityOptions& options,
                                                 const ClusterReader& cluster) {
  return std::make_unique<UnionAuthenticator>(options, cluster);
}

}  // namespace skiff::apiserver
