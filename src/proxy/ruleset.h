// The nftables table as data, and the script that turns one state into another in a single transaction.
//
//   prerouting, output --> services --vmap--> service-X --numgen--> endpoint-Y: dnat
//   input, forward, output --> no-endpoints --vmap--> reject
//   postrouting: masquerade what is marked
//
// https://wiki.nftables.org
#pragma once
#include <map>
#include <string>
#include <vector>

#include "proxy/service_ports.h"

namespace skiff::proxy {

struct Ruleset {
  std::map<std::string, std::vector<std::string>> chains;  // name -> rules
  std::map<std::string, std::map<std::string, std::string>> maps;  // verdict map -> key -> verdict
  std::map<std::string, int> affinitySets;  // name -> timeout in seconds
};

Ruleset rulesetOf(const std::vector<ServicePortRules>& services, const std::string& clusterCidr);

// Makes the table from nothing, replacing whatever has its name.
std::string rebuildScript(const std::string& table, const Ruleset& wanted);
// From `applied` to `wanted`; "" when they are equal.
std::string deltaScript(const std::string& table, const Ruleset& applied, const Ruleset& wanted);

}  // namespace skiff::proxy
