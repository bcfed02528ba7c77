#include "cmd/cluster_pki.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "cmd/files.h"

namespace skiff::cmd {
namespace {

constexpr seconds kCaLifetime = std::chrono::hours(24 * 3650);
constexpr seconds kLeafLifetime = std::chrono::hours(24 * 365);
constexpr seconds kRenewBefore = std::chrono::hours(24 * 30);

// What an earlier start left at the path; nullopt: nothing.
Result<std::optional<pki::Pair>> readPair(const std::string& path) {
  if (!exists(path + ".crt") || !exists(path + ".key")) return std::optional<pki::Pair>();
  // Named first: g++ 12 leaks what a TRY inside a braced list has made when a later one returns.
  std::string certificate = TRY(readFile(path + ".crt"));
  std::string key = TRY(readFile(path + ".key"));
  return std::optional(pki::Pair{std::move(certificate), std::move(key)});
}

Result<pki::Pair> keepCa(const std::string& path, std::string_view commonName, const Clock& clock) {
  auto kept = TRY(readPair(path));
  if (kept) return *std::move(kept);
  auto made = TRY(pki::selfSignedCa(commonName, kCaLifetime, clock));
  TRY(writeFile(path + ".key", made.keyPem));
  TRY(writeFile(path + ".crt", made.certificatePem, 0644));
  return made;
}

Result<pki::JwtKey> keepJwtKey(const std::string& path) {
  if (!exists(path)) TRY(writeFile(path, pki::newRsaKeyPem()));
  return pki::jwtKeyFromPem(TRY(readFile(path)));
}

bool sameSet(std::vector<std::string> a, std::vector<std::string> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return a == b;
}

}  // namespace

Result<ClusterPki> ClusterPki::open(const std::string& directory, const Clock& clock) {
  ClusterPki pki;
  pki.directory_ = directory;
  pki.clock_ = &clock;
  TRY(makeDirectories(directory));
  pki.ca_ = TRY(keepCa(directory + "/ca", "kubernetes-ca", clock));
  pki.frontProxyCa_ = TRY(keepCa(directory + "/front-proxy-ca", "front-proxy-ca", clock));
  pki::JwtKey signing = TRY(keepJwtKey(directory + "/sa.key"));
  pki.serviceAccountKeys_.push_back(std::move(signing));
  return pki;
}

Result<pki::Pair> ClusterPki::keep(const pki::Pair& ca, const std::string& name, const pki::IssueOptions& options) const {
  std::string path = directory_ + "/" + name;
  auto kept = TRY(readPair(path));
  if (kept) {
    auto info = pki::parseCertificatePem(kept->certificatePem);
    if (info.ok() && info->notAfter > clock_->now() + kRenewBefore && sameSet(info->dnsNames, options.dnsNames) &&
        sameSet(info->ipAddresses, options.ipAddresses))
      return *std::move(kept);
  }
  auto made = TRY(pki::issue(ca, options, *clock_));
  TRY(writeFile(path + ".key", made.keyPem));
  TRY(writeFile(path + ".crt", made.certificatePem, 0644));
  return made;
}

Result<pki::Pair> ClusterPki::serverCertificate(const std::string& name, std::vector<std::string> dnsNames,
                                                std::vector<std::string> ipAddresses) const {
  return keep(ca_, name, {.subject = {.commonName = name, .organizations = {}},
                     .dnsNames = std::move(dnsNames),
                     .ipAddresses = std::move(ipAddresses),
                     .clientAuth = true,
                     .serverAuth = true,
                     .lifetime = kLeafLifetime});
}

Result<pki::Pair> ClusterPki::clientCertificate(const std::string& name, pki::Subject subject) const {
  return keep(ca_, name, {.subject = std::move(subject), .clientAuth = true, .lifetime = kLeafLifetime});
}

Result<pki::Pair> ClusterPki::frontProxyCertificate() const {
  return keep(frontProxyCa_, std::string(kFrontProxyName),
              {.subject = {.commonName = std::string(kFrontProxyName), .organizations = {}},
               .clientAuth = true,
               .lifetime = kLeafLifetime});
}

Result<client::Config> ClusterPki::clientConfig(const std::string& name, pki::Subject subject,
                                                const std::string& server) const {
  auto pair = TRY(clientCertificate(name, std::move(subject)));
  client::Config config;
  config.server = server;
  config.caPem = ca_.certificatePem;
  config.certPem = pair.certificatePem;
  config.keyPem = pair.keyPem;
  config.userAgent = "skiff-" + name;
  return config;
}

}  // namespace skiff::cmd
