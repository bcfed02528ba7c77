#include "kubelet/pod_dns.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::kubelet {
namespace {

// The kernel's resolver libraries take no more.
constexpr size_t kMaxServers = 3;
constexpr size_t kMaxSearches = 32;

cri::DNSConfig parseResolvConf(std::string_view text) {
  cri::DNSConfig out;
  for (std::string_view line : split(text, '\n')) {
    std::string clean = replaceAll(trim(line), "\t", " ");
    auto words = splitNonEmpty(clean, ' ');
    if (words.size() < 2) continue;
    if (words[0] == "nameserver") out.servers.emplace_back(words[1]);
    if (words[0] == "search" || words[0] == "domain") out.searches.assign(words.begin() + 1, words.end());
    if (words[0] == "options") out.options.assign(words.begin() + 1, words.end());
  }
  return out;
}

void addNew(std::vector<std::string>& list, const std::string& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

void mergeOption(std::vector<std::string>& options, const api::core::v1::PodDNSConfigOption& option) {
  std::erase_if(options, [&](const std::string& now) { return now == option.name || now.starts_with(option.name + ":"); });
  options.push_back(option.value && !option.value->empty() ? concat(option.name, ":", *option.value) : option.name);
}

}  // namespace

cri::DNSConfig podDns(const Pod& pod, std::string_view clusterDns, std::string_view clusterDomain,
                      std::string_view hostResolvConf) {
  cri::DNSConfig out;
  const std::string& policy = pod.spec.dnsPolicy;
  bool cluster = policy == "ClusterFirstWithHostNet" || (policy != "Default" && policy != "None" && !pod.spec.hostNetwork);
  if (policy != "None") out = parseResolvConf(hostResolvConf);
  if (cluster && !clusterDns.empty()) {
    auto hostSearches = std::move(out.searches);
    out.servers = {std::string(clusterDns)};
    out.searches = {concat(pod.metadata.namespace_, ".svc.", clusterDomain), concat("svc.", clusterDomain),
                    std::string(clusterDomain)};
    for (const auto& search : hostSearches) addNew(out.searches, search);
    out.options = {"ndots:5"};
  }
  if (pod.spec.dnsConfig) {
    for (const auto& server : pod.spec.dnsConfig->nameservers) addNew(out.servers, server);
    for (const auto& search : pod.spec.dnsConfig->searches) addNew(out.searches, search);
    for (const auto& option : pod.spec.dnsConfig->options) mergeOption(out.options, option);
  }
  if (out.servers.size() > kMaxServers) out.servers.resize(kMaxServers);
  if (out.searches.size() > kMaxSearches) out.searches.resize(kMaxSearches);
  return out;
}

std::string podHostsFile(const Pod& pod, const std::vector<std::string>& podIPs, std::string_view clusterDomain,
                         std::string_view hostHosts) {
  std::string out;
  if (pod.spec.hostNetwork) {
    out = concat("# Kubernetes-managed hosts file (host network).\n", hostHosts);
  } else {
    out = "# Kubernetes-managed hosts file.\n"
          "127.0.0.1\tlocalhost\n"
          "::1\tlocalhost ip6-localhost ip6-loopback\n"
          "fe00::\tip6-localnet\n"
          "fe00::\tip6-mcastprefix\n"
          "fe00::1\tip6-allnodes\n"
          "fe00::2\tip6-allrouters\n";
    auto [host, domain] = hostnameOf(pod, clusterDomain);
    for (const auto& ip : podIPs) {
      out += concat(ip, "\t");
      if (!domain.empty()) out += concat(host, ".", domain, "\t");
      out += concat(host, "\n");
    }
  }
  if (!pod.spec.hostAliases.empty()) {
    out += "\n# Entries added by HostAliases.\n";
    for (const auto& alias : pod.spec.hostAliases) out += concat(alias.ip, "\t", join(alias.hostnames, "\t"), "\n");
  }
  return out;
}

}  // namespace skiff::kubelet
