// version, cluster-info, api-resources, api-versions: what the server is and has.
#include <cstdio>
#include <set>

#include "base/strings.h"
#include "codec/json.h"
#include "ctl/commands.h"

namespace skiff::ctl {
namespace {
constexpr const char* kClientVersion = "v1.37.2";
}

int runVersion(const Args& args) {
  bool clientOnly = false;
  std::string output;
  Flags flags;
  Session session(flags);
  flags.boolean("client", &clientOnly, "do not ask the server").text("output", &output, "json or yaml", 'o');
  if (auto rest = flags.parse(args); !rest.ok()) return printError(rest.error());
  codec::Document document;
  auto& arena = document.arena;
  auto& own = document.root.child(arena, "clientVersion");
  own.set(arena, "major", codec::Value::string("1"));
  own.set(arena, "minor", codec::Value::string("37"));
  own.set(arena, "gitVersion", codec::Value::string(kClientVersion));
  if (!clientOnly) {
    if (auto connected = session.connect(); !connected.ok()) return printError(connected.error());
    auto server = session.get("/version");
    if (!server.ok()) return printError(server.error());
    document.root.set(arena, "serverVersion", (*server)->root.clone(arena));
  }
  if (!output.empty()) {
    auto text = printObject(document.root, output);
    if (!text.ok()) return printError(text.error());
    return std::fputs(text->c_str(), stdout), 0;
  }
  std::printf("Client Version: %s\n", kClientVersion);
  if (!clientOnly) std::printf("Server Version: %s\n", document.root["serverVersion"]["gitVersion"].str().c_str());
  return 0;
}

int runClusterInfo(const Args& args) {
  Flags flags;
  Session session(flags);
  if (auto rest = flags.parse(args); !rest.ok()) return printError(rest.error());
  if (auto connected = session.connect(); !connected.ok()) return printError(connected.error());
  if (auto ready = session.text("/readyz"); !ready.ok()) return printError(ready.error());
  std::printf("Kubernetes control plane is running at %s\n", session.config().server.c_str());
  return 0;
}

int runApiResources(const Args& args) {
  std::string output, group;
  bool noHeaders = false;
  Flags flags;
  Session session(flags);
  flags.text("output", &output, "name or wide", 'o')
      .text("api-group", &group, "only of this group")
      .boolean("no-headers", &noHeaders, "no header line");
  if (auto rest = flags.parse(args); !rest.ok()) return printError(rest.error());
  if (auto connected = session.connect(); !connected.ok()) return printError(connected.error());
  auto resources = session.resources();
  if (!resources.ok()) return printError(resources.error());
  std::vector<std::vector<std::string>> rows;
  if (!noHeaders && output != "name") rows.push_back({"NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"});
  for (const auto& r : **resources) {
    if (flags.changed("api-group") && r.group != group) continue;
    if (output == "name") {
      rows.push_back({r.group.empty() ? r.plural : concat(r.plural, ".", r.group)});
    } else {
      rows.push_back({r.plural, join(r.shortNames, ","), r.apiVersion(), r.namespaced ? "true" : "false", r.kind});
      if (output == "wide") rows.back().push_back(join(r.verbs, ","));
    }
  }
  std::fputs(alignColumns(rows).c_str(), stdout);
  return 0;
}

int runApiVersions(const Args& args) {
  Flags flags;
  Session session(flags);
  if (auto rest = flags.parse(args); !rest.ok()) return printError(rest.error());
  if (auto connected = session.connect(); !connected.ok()) return printError(connected.error());
  auto resources = session.resources();
  if (!resources.ok()) return printError(resources.error());
  std::set<std::string> versions;
  for (const auto& r : **resources) versions.insert(r.apiVersion());
  for (const auto& version : versions) std::printf("%s\n", version.c_str());
  return 0;
}

}  // namespace skiff::ctl
