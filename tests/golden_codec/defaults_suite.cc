// An object as a client sends it -> the object as the server answers, less what the registry and
// admission fill in.
#include <algorithm>
#include <filesystem>

#include "api/convert.h"
#include "base/strings.h"
#include "codec/json.h"
#include "suites.h"

namespace skiff::golden {
namespace {
using codec::Value;

bool isPlaceholder(const Value& value) {
  auto text = value.asString();
  return text.size() > 2 && text.front() == '<' && text.back() == '>';
}

// Paths at which the recorded object is not what defaulting made of the input.
void compare(const Value& ours, const Value& want, const std::string& path,
             std::vector<std::string>& out) {
  if (ours.isMap() && want.isMap()) {
    for (const auto& member : ours.members())
      if (!want.has(member.key))
        out.push_back(concat("+", path, ".", member.key, "=", codec::toJson(member.value)));
    for (const auto& member : want.members()) {
      std::string below = concat(path, ".", member.key);
      if (const Value* mine = ours.find(member.key))
        compare(*mine, member.value, below, out);
      else if (!isPlaceholder(member.value))
        out.push_back(concat("-", below, "=", codec::toJson(member.value)));
    }
    return;
  }
  if (ours.isList() && want.isList() && ours.size() == want.size()) {
    for (size_t i = 0; i < ours.size(); ++i)
      compare(ours.at(i), want.at(i), concat(path, "[", i, "]"), out);
    return;
  }
  if (!(ours == want) && !isPlaceholder(want))
    out.push_back(concat("~", path, " ", codec::toJson(ours), " want ", codec::toJson(want)));
}
// What the registry's strategies add to an object on creation, beyond defaulting.
bool isOfRegistry(std::string_view difference) {
  for (std::string_view prefix :
       {"-.metadata.namespace=", "-.metadata.generation=", "-.status.phase=", "-.status.qosClass=",
        "-.status.conditions=", "~.status.storedVersions ",
        "-.spec.finalizers=", "-.metadata.annotations={\"deprecated.daemonset",
        "-.metadata.labels={\"batch.kubernetes.io/",
        "-.spec.selector={\"matchLabels\":{\"batch.kubernetes.io/",
        "-.spec.template.metadata.labels={\"batch.kubernetes.io/",
        "-.spec.clusterIPs=", "-.spec.ipFamilies=", "-.spec.ipFamilyPolicy=",
        "-.spec.dataSourceRef=", "-.spec.resources.requests=", "~.spec.topologySpreadConstraints[1].labelSelector",
        "-.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]."
        "labelSelector.matchExpressions="})
    if (difference.starts_with(prefix)) return true;
  return false;
}
}  // namespace

void runDefaults(const std::string& facts, Tally& tally) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(facts + "/golden/defaults"))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::string name = path.stem().string();
    // Reviews and signing requests are answered with what the server knows of the caller.
    if (name.starts_with("review-") || name == "csr" || !wanted(tally, name)) continue;
    codec::Arena arena;
    auto parsed = codec::parseJson(readFile(path.string()), arena);
    if (!parsed.ok()) {
      tally.fail(name, parsed.error().message());
      continue;
    }
    const Value& recorded = *parsed;
    const Value* want = recorded.find("outputWithoutMutatingAdmission");
    if (!want) want = recorded.find("output");
    if ((*want)["kind"].asString() == "Status") continue;  // needs admission to be valid
    Value object = recorded["input"].clone(arena);
    std::string_view version = object["apiVersion"].asString(), group;
    if (auto parts = cut(version, "/")) std::tie(group, version) = *parts;
    const api::TypeInfo* type = api::findKind(group, version, object["kind"].asString());
    if (!type) {
      tally.fail(name, "no such kind");
      continue;
    }
    api::DecodeReport report;
    if (auto status = api::conform(object, *type, arena, report); !status.ok()) {
      tally.fail(name, status.error().message());
      continue;
    }
    api::applyDefaults(object, *type, arena);
    std::vector<std::string> differences;
    compare(object, *want, "", differences);
    std::erase_if(differences, [](const std::string& d) { return isOfRegistry(d); });
    if (differences.empty())
      tally.pass();
    else
      tally.fail(name, join(differences, "\n    "));
  }
}

}  // namespace skiff::golden
