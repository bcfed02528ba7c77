// Server-side apply as a run of requests by a few managers: owners stay readable, and what was just said changes nothing
// when it is said again.
//   schema, then lines: how ('a'..'d' one of two managers, forced or not; others update), object
#include <algorithm>

#include "api/apply.h"
#include "api/convert.h"
#include "base/result.h"
#include "base/strings.h"
#include "codec/json.h"
#include "fuzz/input.h"

using namespace skiff;
using namespace skiff::api;
using codec::Arena;
using codec::Value;

namespace {

// A custom resource's tables, as a CustomResourceDefinition makes them.
const std::string_view kItemKeys[] = {"name", "port"};
const FieldInfo kItemFields[] = {
    {.json = "name", .cardinality = Cardinality::Optional},
    {.json = "port", .kind = FieldKind::Int64, .cardinality = Cardinality::Optional, .defaultJson = "80"},
    {.json = "v", .kind = FieldKind::Int64, .cardinality = Cardinality::Optional},
};
const TypeInfo kItem{.name = "Item", .fields = kItemFields};
const FieldInfo kSpecFields[] = {
    {.json = "replicas", .kind = FieldKind::Int64, .cardinality = Cardinality::Optional},
    {.json = "items", .kind = FieldKind::Message, .cardinality = Cardinality::List, .listType = ListType::Map,
     .type = &kItem, .listMapKeys = kItemKeys},
    {.json = "tags", .cardinality = Cardinality::List, .listType = ListType::Set},
    {.json = "atom", .cardinality = Cardinality::Map, .atomicMap = true},
    {.json = "map", .kind = FieldKind::Message, .cardinality = Cardinality::Map, .type = &kItem},
    {.json = "free", .kind = FieldKind::Json, .cardinality = Cardinality::Optional, .preserveUnknown = true},
};
const TypeInfo kSpec{.name = "Spec", .fields = kSpecFields};

struct Endpoint {
  const TypeInfo* type;
  FieldManager manager;
};

Endpoint endpointOf(uint8_t choice) {
  static const FieldInfo customFields[] = {
      {.json = "kind"},
      {.json = "apiVersion"},
      {.json = "metadata", .kind = FieldKind::Message, .type = findType("meta/v1", "ObjectMeta")},
      {.json = "spec", .kind = FieldKind::Message, .cardinality = Cardinality::Optional, .type = &kSpec}};
  static const TypeInfo custom{.name = "Ac", .isKind = true, .fields = customFields};
  const TypeInfo* type = choice % 3 == 0 ? findType("apps/v1", "Deployment") : choice % 3 == 1 ? &custom : nullptr;
  return {type, FieldManager({.type = type, .apiVersion = "x/v1", .kind = "K"})};
}

// An item whose key is null is not the one with an empty key that it becomes: each apply adds one more, until validation
// refuses the object.
bool hasNullInItems(const Value& value) {
  auto isNull = [](const codec::Member& member) { return member.value.isNull(); };
  auto below = [](const codec::Member& member) { return hasNullInItems(member.value); };
  for (const Value& item : value.items())
    if (std::ranges::any_of(item.members(), isNull) || hasNullInItems(item)) return true;
  return std::ranges::any_of(value.members(), below);
}

class Session {
 public:
  explicit Session(uint8_t choice) : endpoint_(endpointOf(choice)) {}

  void step(uint8_t how, std::string_view text) {
    auto config = codec::parseJson(text, arena_, {.maxDepth = 100});
    if (!config.ok() || !config->isMap() || hasNullInItems(*config)) return;
    config->set(arena_, "apiVersion", Value::string("x/v1"));
    config->set(arena_, "kind", Value::string("K"));
    if (how >= 'a' && how <= 'd') {
      FieldManager::ApplyRequest request{how <= 'b' ? "one" : "two", (how - 'a') % 2 == 1, now_};
      if (!take(endpoint_.manager.apply(current(), *config, request, arena_))) return;
      // An empty map that was emptied by this apply is there only after the next one, which takes it from others: as upstream.
      std::string before = substance(live_), whole = codec::toJson(withoutOwners(live_)), owners = ownersOf(live_);
      MUST(take(endpoint_.manager.apply(current(), *config, request, arena_)));
      unchanged(before, substance(live_));
      if (codec::toJson(withoutOwners(live_)) == whole) unchanged(owners, ownersOf(live_));
      before = codec::toJson(live_);
      MUST(take(endpoint_.manager.apply(current(), *config, request, arena_)));
      unchanged(before, codec::toJson(live_));
    } else if (normalized(*config)) {
      // As the API server: metadata is a map there, and what a request does not say of its owners is as it was.
      Value proposed = *config;
      if (proposed.has("metadata") && !proposed["metadata"].isMap()) return;
      if (live_.isMap() && live_["metadata"].has("managedFields"))
        proposed.child(arena_, "metadata").set(arena_, "managedFields", live_["metadata"]["managedFields"]);
      Value owners = endpoint_.manager.update(current(), proposed, "three", now_, arena_);
      proposed.child(arena_, "metadata").set(arena_, "managedFields", owners);
      MUST(take(proposed) || !endpoint_.type);
    }
    now_ += seconds(1);
  }

 private:
  static void unchanged(const std::string& before, const std::string& after) {
    if (before == after) return;
    fprintf(stderr, "%s\n%s\n", before.c_str(), after.c_str());
    MUST(!"the same apply changed the object");
  }

  Value withoutOwners(const Value& object) {
    Value copy = object.clone(arena_);
    if (Value* metadata = copy.find("metadata")) metadata->erase("managedFields");
    return copy;
  }
  static std::string ownersOf(const Value& object) { return codec::toJson(object["metadata"]["managedFields"]); }

  std::string substance(const Value& object) {
    Value copy = withoutOwners(object);
    dropEmpty(copy);
    return codec::toJson(copy);
  }
  static void dropEmpty(Value& value) {
    for (Value& item : value.items()) dropEmpty(item);
    for (size_t i = value.members().size(); i-- > 0;) {
      auto& [key, member] = value.members()[i];
      dropEmpty(member);
      if (member.isNull() || ((member.isMap() || member.isList()) && member.empty())) value.erase(key);
    }
  }

  const Value* current() const { return live_.isMap() ? &live_ : nullptr; }

  bool normalized(Value& object) {
    DecodeReport report;
    return endpoint_.type == nullptr || conform(object, *endpoint_.type, arena_, report).ok();
  }

  bool take(const Result<Value>& result) {
    if (!result.ok()) return false;
    Value object = result->clone(arena_);
    if (!normalized(object)) return false;
    MUST(decodeManagedFields(object["metadata"]["managedFields"]).ok());
    live_ = object;
    return true;
  }

  Endpoint endpoint_;
  Arena arena_;
  Value live_;
  WallTime now_ = *parseRfc3339("2026-11-22T10:00:01Z");
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  Session session(input.byte());
  for (int steps = 0; steps < 10 && !input.empty(); ++steps) {
    std::string_view line = input.until('\n');
    if (!line.empty()) session.step(uint8_t(line[0]), line.substr(1));
  }
  return 0;
}
