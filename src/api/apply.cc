#include "api/apply.h"

#include <algorithm>

#include "api/patch.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Arena;
using codec::Value;

namespace {

constexpr std::string_view kBeforeFirstApply = "before-first-apply";
// `kubectl apply` keeps its last configuration in this annotation; with --server-side it takes over what it says.
constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr std::string_view kKubectl = "kubectl";

// What the server itself sets, and what names the object, belongs to nobody.
FieldSet neverOwned() {
  FieldSet set;
  set.at("f:apiVersion").member = true;
  set.at("f:kind").member = true;
  FieldSet& metadata = set.at("f:metadata");
  metadata.member = true;
  for (std::string_view name : {"name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
                                "managedFields", "resourceVersion"})
    metadata.at(fieldElement(name)).member = true;
  return set;
}

// A shallow copy without managedFields.
Value bare(const Value& object, Arena& arena) {
  Value out = Value::mapOf(arena, object.members());
  if (Value* metadata = out.find("metadata"); metadata && metadata->isMap()) {
    *metadata = Value::mapOf(arena, std::as_const(*metadata).members());
    metadata->erase("managedFields");
  }
  return out;
}

// A deep copy with these managers.
Value finished(const Value& object, const Managers& managers, Arena& arena) {
  Value out = object.clone(arena);
  Value list = encodeManagedFields(managers, arena);
  if (!list.empty())
    out.child(arena, "metadata").set(arena, "managedFields", list);
  else if (Value* metadata = out.find("metadata"))
    metadata->erase("managedFields");
  return out;
}

void dropEmpty(Managers& managers) {
  std::erase_if(managers, [](const auto& manager) { return manager.second.set.empty(); });
}

std::string gvkText(std::string_view apiVersion, std::string_view kind) {
  bool core = apiVersion.find('/') == apiVersion.npos;
  return concat(core ? "/" : "", apiVersion, ", Kind=", kind);
}

std::string_view lastAppliedOf(const Value& object) { return object["metadata"]["annotations"][kLastApplied].asString(); }

void setLastApplied(Value& object, const Value& config, Arena& arena) {
  Value copy = config.clone(arena);
  if (Value* metadata = copy.find("metadata"))
    if (Value* annotations = metadata->find("annotations")) annotations->erase(kLastApplied);
  Value text = Value::text(arena, codec::toJsonSorted(copy) + "\n");
  object.child(arena, "metadata").child(arena, "annotations").set(arena, kLastApplied, text);
}

}  // namespace

ManagerId FieldManager::idOf(std::string_view manager, bool applied) const {
  return {applied, manager.empty() ? std::string("unknown") : std::string(manager),
          applied ? std::string() : options_.apiVersion, options_.subresource};
}

FieldSet FieldManager::ownable(FieldSet set) const {
  static const FieldSet never = neverOwned();
  set.subtractRecursively(options_.ignored);
  set.subtract(never);
  return set;
}

Status FieldManager::checkConfig(const Value& config) const {
  TRY(checkPatchDepth(config));
  std::string_view apiVersion = config["apiVersion"].asString(), kind = config["kind"].asString();
  if (apiVersion != options_.apiVersion || kind != options_.kind)
    return badRequest(concat("invalid object type: ", apiVersion.empty() ? "/, Kind=" : gvkText(apiVersion, kind)));
  const Value& metadata = config["metadata"];
  // With a schema its own words say so.
  if (!options_.type && !metadata.isNull() && !metadata.isMap()) return badRequest("metadata is not an object");
  if (!metadata["managedFields"].isNull()) return badRequest("metadata.managedFields must be nil");
  return okStatus();
}

Result<Value> FieldManager::apply(const Value* live, const Value& config, const ApplyRequest& request,
                                  Arena& arena) const {
  TRY(checkConfig(config));
  if (live) TRY(checkPatchDepth(*live));
  Managers managers;
  if (live) {
    auto decoded = decodeManagedFields((*live)["metadata"]["managedFields"]);
    if (!decoded.ok()) return internalError(concat("failed to decode managed fields: ", decoded.error().message()));
    managers = std::move(*decoded);
  }
  Value current = live ? bare(*live, arena) : Value::map();
  if (live && managers.empty()) trackUpdate(Value::map(), current, managers, kBeforeFirstApply, request.now, arena);

  bool mayRepeat = request.manager == kKubectl && !lastAppliedOf(current).empty();
  Managers first = mayRepeat ? managers : std::exchange(managers, {});
  Outcome outcome = TRY(applyOnce(current, config, std::move(first), request, request.force, arena));
  if (!outcome.conflicts.empty() && mayRepeat) {
    FieldSet allowed = allowedByLastApplied(current);
    for (Conflict& conflict : outcome.conflicts) conflict.set.subtract(allowed);
    std::erase_if(outcome.conflicts, [](const Conflict& conflict) { return conflict.set.empty(); });
    if (outcome.conflicts.empty()) outcome = TRY(applyOnce(current, config, std::move(managers), request, true, arena));
  }
  if (!outcome.conflicts.empty()) return conflictError(outcome.conflicts);
  Value result = finished(outcome.object, outcome.managers, arena);
  if (request.manager == kKubectl && !lastAppliedOf(result).empty()) setLastApplied(result, config, arena);
  return result;
}

Result<FieldManager::Outcome> FieldManager::applyOnce(const Value& live, const Value& config, Managers managers,
                                                      const ApplyRequest& request, bool force, Arena& arena) const {
  auto shape = ApplyShape::ofObject(options_.type);
  auto set = fieldSetOf(config, shape);
  if (!set.ok()) {
    const Value& metadata = config["metadata"];
    return badRequest(concat("failed to create typed patch object (", metadata["namespace"].asString(), "/",
                                         metadata["name"].asString(), "; ", gvkText(options_.apiVersion, options_.kind),
                                         "): ", set.error().message()));
  }
  ManagerId self = idOf(request.manager, true);
  auto found = managers.find(self);
  std::optional<ManagerEntry> last;
  if (found != managers.end()) last = std::move(found->second);
  // Names count as applied until the end: they keep metadata when the manager drops all else of it.
  set->subtractRecursively(options_.ignored);
  // Most applies say again all that they have said before: there is nothing to take out.
  bool drops = last && !last->set.empty() && !set->covers(last->set);
  managers[self] = {std::move(*set), options_.apiVersion, last ? last->time : ""};

  Outcome outcome;
  outcome.object = mergeByShape(live, config, shape, arena);
  if (drops) outcome.object = prune(outcome.object, managers, last->set, arena);
  outcome.conflicts = takeFields(live, outcome.object, &self, force, managers, nullptr, arena);
  if (!outcome.conflicts.empty()) return outcome;
  ManagerEntry& own = managers[self];
  own.set = ownable(std::move(own.set));
  // The time is that of the manager's last change of the object: to own more or less of it is none.
  if (!(outcome.object == live)) own.time = formatRfc3339(request.now);
  dropEmpty(managers);
  outcome.managers = std::move(managers);
  return outcome;
}

// Takes out what the manager applied last time, does not apply any more, and nobody else owns.
Value FieldManager::prune(const Value& merged, const Managers& managers, const FieldSet& last, Arena& arena) const {
  auto shape = ApplyShape::ofObject(options_.type);
  auto named = [&](const FieldSet& set) { return withNamedFields(set, shape); };
  auto namedOf = [&](const Value& value) { return named(knownFieldsOf(value, shape)); };
  FieldSet owned;
  for (const auto& [id, entry] : managers) owned.add(entry.set);
  FieldSet all = namedOf(merged), lastNamed = named(last);
  Value withoutLast = removeByShape(merged, lastNamed, shape, arena);
  FieldSet unowned = all;
  unowned.subtract(namedOf(withoutLast));
  unowned.subtract(named(owned));
  Value withoutUnowned = removeByShape(merged, unowned, shape, arena);
  // What hung below a removed item, but was not in the last set, stays.
  all.subtract(namedOf(withoutUnowned));
  return removeByShape(merged, all.intersectionWith(lastNamed), shape, arena);
}

std::optional<FieldManager::Difference> FieldManager::compareAt(const Value& before, const Value& after,
                                                                std::string_view apiVersion, Arena& arena) const {
  Comparison comparison;
  if (apiVersion == options_.apiVersion || !options_.convert) {
    comparison = compareByShape(before, after, ApplyShape::ofObject(options_.type));
  } else {
    auto old = options_.convert(before, apiVersion, arena), now = options_.convert(after, apiVersion, arena);
    if (!old || !now) return std::nullopt;
    comparison = compareByShape(old->value, now->value, ApplyShape::ofObject(now->type));
  }
  Difference difference{std::move(comparison.added), std::move(comparison.removed)};
  difference.changed.add(std::move(comparison.modified));
  difference.changed.subtractRecursively(options_.ignored);
  difference.removed.subtractRecursively(options_.ignored);
  return difference;
}

// Fields that differ between the two objects leave all managers but `self`: those are conflicts unless forced.
// `taken` gets the fields that were added or changed, unless it is null or there are conflicts.
std::vector<FieldManager::Conflict> FieldManager::takeFields(const Value& before, const Value& after,
                                                             const ManagerId* self, bool force, Managers& managers,
                                                             FieldSet* taken, Arena& arena) const {
  std::map<std::string, std::optional<Difference>, std::less<>> byVersion;
  auto differenceAt = [&](const std::string& version) -> std::optional<Difference>& {
    auto [at, fresh] = byVersion.try_emplace(version);
    if (fresh) at->second = compareAt(before, after, version, arena);
    return at->second;
  };
  std::vector<Conflict> conflicts;
  for (const auto& [id, entry] : managers) {
    if (force || (self && id == *self)) continue;
    const auto& difference = differenceAt(entry.apiVersion);
    if (!difference) continue;
    FieldSet conflict = entry.set.intersectionWith(difference->changed);
    if (!conflict.empty()) conflicts.push_back({id, std::move(conflict)});
  }
  if (!conflicts.empty()) return conflicts;
  for (auto& [id, entry] : managers) {
    if (self && id == *self) continue;
    if (const auto& difference = differenceAt(entry.apiVersion)) {
      entry.set.subtract(difference->changed);
      entry.set.subtract(difference->removed);
    } else {
      entry.set = {};  // of a version that is no longer served
    }
  }
  dropEmpty(managers);
  if (taken) *taken = std::move(differenceAt(options_.apiVersion)->changed);
  return {};
}

void FieldManager::trackUpdate(const Value& live, const Value& proposed, Managers& managers, std::string_view manager,
                               WallTime now, Arena& arena) const {
  FieldSet taken;
  takeFields(live, proposed, nullptr, true, managers, &taken, arena);
  taken = ownable(std::move(taken));
  if (!taken.empty()) {
    ManagerEntry& entry = managers[idOf(manager, false)];
    entry.set.add(std::move(taken));
    entry.apiVersion = options_.apiVersion;
    entry.time = options_.timed ? formatRfc3339(now) : "";
  }
  capUpdateManagers(managers);
}

Value FieldManager::update(const Value* live, const Value& proposed, std::string_view manager, WallTime now,
                           Arena& arena) const {
  const Value& wanted = proposed["metadata"]["managedFields"];
  Value current = live ? bare(*live, arena) : Value::map();
  Value next = bare(proposed, arena);
  // A request may edit the managers themselves, but not through a subresource.
  bool reset = options_.subresource.empty() && isManagedFieldsReset(wanted);
  bool edited = options_.subresource.empty() && !wanted.empty() && !reset;
  if (live && wanted == (*live)["metadata"]["managedFields"] && !wanted.empty() && current == next) return wanted;
  Result<Managers> managers = Managers{};
  if (edited) managers = decodeManagedFields(wanted);
  if (live && !reset && (!edited || !managers.ok())) managers = decodeManagedFields((*live)["metadata"]["managedFields"]);
  Managers owners = std::move(managers).valueOr({});
  // An object that lost its managers is tracked again only from its next apply on.
  bool untracked = owners.empty() && live && !(*live)["metadata"]["uid"].asString().empty();
  bool tooDeep = !checkPatchDepth(current).ok() || !checkPatchDepth(next).ok();
  if (!untracked && !tooDeep) trackUpdate(current, next, owners, manager, now, arena);
  return encodeManagedFields(owners, arena);
}

// Fields that the annotation set and that still are as it says.
FieldSet FieldManager::allowedByLastApplied(const Value& live) const {
  Arena arena;
  auto config = codec::parseJson(lastAppliedOf(live), arena);
  if (!config.ok() || !checkPatchDepth(*config).ok()) return {};
  auto shape = ApplyShape::ofObject(options_.type);
  Comparison comparison = compareByShape(*config, live, shape);
  FieldSet allowed = knownFieldsOf(*config, shape);
  for (const FieldSet* differs : {&comparison.modified, &comparison.added, &comparison.removed}) allowed.subtract(*differs);
  return allowed;
}

Error FieldManager::conflictError(const std::vector<Conflict>& conflicts) {
  ErrorDetails details;
  std::map<std::string, std::vector<std::string>> byManager;
  for (const Conflict& conflict : conflicts)
    for (std::string& path : conflict.set.paths()) {
      std::string name = conflict.manager.text();
      details.causes.push_back({"FieldManagerConflict", concat("conflict with ", name), path});
      byManager[name].push_back(std::move(path));
    }
  size_t count = details.causes.size();
  std::string message = concat("Apply failed with ", count, count == 1 ? " conflict: " : " conflicts: ");
  if (count == 1) {
    message += concat(details.causes[0].message, ": ", details.causes[0].field);
  } else {
    std::vector<std::string> lines;
    for (const auto& [name, paths] : byManager) {
      lines.push_back(concat("conflicts with ", name, ":"));
      for (const std::string& path : paths) lines.push_back(concat("- ", path));
    }
    message += join(lines, "\n");
  }
  return {Reason::Conflict, std::move(message), std::move(details)};
}

}  // namespace skiff::api
