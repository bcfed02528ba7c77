// Formats of names and values: each check gives what is wrong with a text, in upstream's words; empty when it is fine.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::apiserver::formats {

using Faults = std::vector<std::string>;

Faults dnsLabel(std::string_view text);                 // RFC 1123, 63
Faults dns1035Label(std::string_view text);             // starts with a letter, 63
Faults dnsSubdomain(std::string_view text);             // RFC 1123, 253
Faults wildcardDnsSubdomain(std::string_view text);     // "*.example.com"
Faults pathSegment(std::string_view text);              // may stand in a URL path: RBAC names
Faults qualifiedName(std::string_view text);            // label and annotation keys, taints, finalizers
Faults labelValue(std::string_view text);
Faults configMapKey(std::string_view text);
Faults environmentName(std::string_view text);          // relaxed: printable ASCII but '='
Faults portNumber(int64_t port);
Faults portName(std::string_view text);                 // IANA service name
Faults httpHeaderName(std::string_view text);
Faults fullyQualifiedName(std::string_view text);       // at least three segments
Faults domainPrefixedPath(std::string_view text);       // "example.com/path"
Faults ipAddress(std::string_view text);
Faults cidr(std::string_view text);
Faults uuid(std::string_view text);
Faults percent(std::string_view text);                  // "25%"

// An address in network order; v4 in the last four bytes of a mapped v6 form.
struct Ip {
  bool v6 = false;
  std::array<uint8_t, 16> bytes{};
  bool operator==(const Ip&) const = default;
  bool isLoopback() const;
  bool isUnspecified() const;
  bool isLinkLocalUnicast() const;
  bool isLinkLocalMulticast() const;
};
std::optional<Ip> parseIp(std::string_view text);  // strict: no leading zeros, no mapped forms
struct Network {
  Ip address;
  int bits = 0;
  bool contains(const Ip& ip) const;
};
std::optional<Network> parseCidr(std::string_view text);

// What is wrong with the form of a five-field cron schedule; "" when it is fine.
std::string cronFault(std::string_view schedule);
bool isKnownTimeZone(std::string_view name);

}  // namespace skiff::apiserver::formats
