#include "apiserver/encryption/encryption_at_rest.h"

#include <algorithm>

#include "api/schema.h"
#include "apiserver/resource_map.h"
#include "base/strings.h"
#include "store/etcd/key_prefix.h"

namespace skiff::apiserver::encryption {
namespace {

struct KeyPrefix {
  std::string prefix;
  GroupResource of;
};

// Where the objects of built-in resources lie, longest prefix first: "/registry/services/specs/" before shorter ones.
const std::vector<KeyPrefix>& builtinPrefixes() {
  static const std::vector<KeyPrefix> made = [] {
    std::vector<KeyPrefix> out;
    for (const api::GroupVersionInfo& version : api::builtinGroupVersions())
      for (const api::ResourceInfo& info : version.resources) {
        std::string_view group = info.storageVersion.empty() ? info.group : info.storageGroup;
        out.push_back({storagePrefix(group, info.plural), {group, info.plural}});
      }
    std::ranges::sort(out, [](const KeyPrefix& a, const KeyPrefix& b) { return a.prefix.size() > b.prefix.size(); });
    return out;
  }();
  return made;
}

bool matches(std::string_view pattern, std::string_view group, std::string_view resource) {
  if (pattern == "*.*") return true;
  auto parts = cut(pattern, ".");
  std::string_view wantedResource = parts ? parts->first : pattern, wantedGroup = parts ? parts->second : std::string_view();
  return wantedGroup == group && (wantedResource == "*" || wantedResource == resource);
}

}  // namespace

GroupResource resourceOfKey(std::string_view key) {
  for (const KeyPrefix& known : builtinPrefixes())
    if (key.starts_with(known.prefix)) return known.of;
  // A custom resource: /registry/GROUP/RESOURCE/...
  constexpr std::string_view kRoot = "/registry/";
  if (!key.starts_with(kRoot)) return {};
  auto group = cut(key.substr(kRoot.size()), "/");
  if (!group) return {};
  auto resource = cut(group->second, "/");
  if (!resource || group->first.find('.') == std::string_view::npos) return {};
  return {group->first, resource->first};
}

bool Rule::covers(std::string_view group, std::string_view resource) const {
  return std::ranges::any_of(resources, [&](const std::string& pattern) { return matches(pattern, group, resource); });
}

Result<std::shared_ptr<EncryptionAtRest>> EncryptionAtRest::create(Options options) {
  std::shared_ptr<EncryptionAtRest> made(new EncryptionAtRest(std::move(options)));
  ReloadedFile::Apply onChange = [raw = made.get()](const std::string& text) { return raw->apply(text); };
  auto mode = made->options_.reload ? ReloadedFile::Mode::Watched : ReloadedFile::Mode::Once;
  made->file_ = TRY(ReloadedFile::start(made->options_.configFile, std::move(onChange), mode));
  return made;
}

Status EncryptionAtRest::apply(std::string_view text) {
  auto fresh = std::make_shared<const Rules>(TRY(parseEncryptionConfiguration(text, *options_.clock)));
  std::lock_guard lock(mutex_);
  rules_.swap(fresh);
  return okStatus();
}

std::shared_ptr<const Rules> EncryptionAtRest::rules() const {
  std::lock_guard lock(mutex_);
  return rules_;
}

const Rule* EncryptionAtRest::ruleOf(const Rules& all, std::string_view key) const {
  store::etcd::KeyPrefix prefix(options_.prefix);
  if (!key.starts_with(prefix.outside())) return nullptr;
  std::string own = prefix.fromEtcd(key);
  GroupResource of = resourceOfKey(own);
  if (of.resource.empty()) return nullptr;
  for (const Rule& rule : all)
    if (rule.covers(of.group, of.resource)) return &rule;
  return nullptr;
}

Result<std::string> EncryptionAtRest::seal(std::string_view key, std::string_view value) {
  auto now = rules();
  const Rule* rule = ruleOf(*now, key);
  return rule ? rule->providers[0]->seal(key, value) : std::string(value);
}

Result<std::string> EncryptionAtRest::open(std::string_view key, std::string_view stored) {
  auto now = rules();
  const Rule* rule = ruleOf(*now, key);
  if (!rule) {
    if (stored.starts_with(kSealedPrefix)) return Error(Reason::InternalError, "identity transformer tried to read encrypted data");
    return std::string(stored);
  }
  // Two providers of a kind may stand there with different keys: what one cannot open the next may.
  std::optional<Error> problem;
  for (const auto& provider : rule->providers) {
    auto opened = provider->open(key, stored);
    if (opened.ok() && *opened) return **std::move(opened);
    if (!opened.ok() && !problem) problem = opened.error();
  }
  return problem ? *std::move(problem) : Error(Reason::InternalError, "no matching prefix found");
}

bool EncryptionAtRest::isStale(std::string_view key, std::string_view seal) {
  auto now = rules();
  const Rule* rule = ruleOf(*now, key);
  return rule && rule->providers[0]->currentSeal() != seal;
}

Status EncryptionAtRest::healthy() const {
  auto now = rules();
  for (const Rule& rule : *now)
    for (const auto& provider : rule.providers) TRY(provider->healthy());
  return okStatus();
}

}  // namespace skiff::apiserver::encryption
