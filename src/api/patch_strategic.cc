#include <algorithm>

#include "api/patch.h"
#include "base/strings.h"

namespace skiff::api {
using codec::Arena;
using codec::Member;
using codec::Value;

namespace {

// Merging two lists compares every pair of items; no list with a merge key comes near this size.
constexpr size_t kMaxMergedItems = 10000;
constexpr std::string_view kPatch = "$patch", kRetainKeys = "$retainKeys", kOrder = "$setElementOrder/",
                           kDelete = "$deleteFromPrimitiveList/";

bool isDirective(std::string_view key) {
  return key == kPatch || key == kRetainKeys || key.starts_with(kOrder) || key.starts_with(kDelete);
}

// The texts are upstream's, which blames itself for them: 500. Here they are what they are, bad requests.

// How the table says a field's value is patched. Absent fields and untyped values: maps merge, lists are replaced.
struct Strategy {
  const TypeInfo* type = nullptr;  // of the value, or of a list's items
  bool mergeList = false;
  std::string_view mergeKey;       // "" for lists of scalars
  const FieldInfo* valuesOf = nullptr;  // of a map: each value is one of these
};

// Where in the schema a map of the object stands: a message, or a map whose values are all alike.
struct Place {
  const TypeInfo* type = nullptr;
  const FieldInfo* mapField = nullptr;

  Strategy strategyOf(std::string_view key) const {
    if (mapField) return {.type = mapField->kind == FieldKind::Message ? mapField->type : nullptr};
    const FieldInfo* field = type ? type->field(key) : nullptr;
    if (!field) return {};
    Strategy strategy;
    if (field->cardinality == Cardinality::Map)
      strategy.valuesOf = field;
    else if (field->kind == FieldKind::Message)
      strategy.type = field->type;
    if (field->cardinality == Cardinality::List && field->patchMerge) {
      strategy.mergeList = true;
      strategy.mergeKey = field->patchMergeKey;
    }
    return strategy;
  }
};
Place placeOf(const Strategy& strategy) { return {strategy.type, strategy.valuesOf}; }

class Merger {
 public:
  explicit Merger(Arena& arena) : arena_(arena) {}

  Result<Value> mergeMap(const Value& original, const Value& patch, Place place) {
    if (const Value* directive = patch.find(kPatch)) return directiveOfMap(*directive, patch);
    Value out = original.isMap() ? Value::mapOf(arena_, original.members()) : Value::map();
    TRY(retainKeys(out, patch));
    TRY(deleteFromLists(out, patch));
    for (const Member& member : patch.members()) {
      if (isDirective(member.key)) continue;
      std::string order = concat(kOrder, member.key);
      if (patch.has(order)) continue;  // with its order, below
      TRY(mergeMember(out, member, place.strategyOf(member.key)));
    }
    for (const Member& member : patch.members())
      if (member.key.starts_with(kOrder))
        TRY(mergeOrdered(out, patch, member.key.substr(kOrder.size()), member.value, place));
    return out;
  }

 private:
  Result<Value> directiveOfMap(const Value& directive, const Value& patch) {
    if (directive.asString() == "replace") {
      Value out = Value::mapOf(arena_, patch.members());
      out.erase(kPatch);
      return out;
    }
    if (directive.asString() == "delete") return Value::map();
    return badRequest(concat("unknown patch type: ", goText(directive), " in map: ", goText(patch)));
  }

  // Fields of the original that $retainKeys does not name go away.
  Status retainKeys(Value& out, const Value& patch) {
    const Value* keep = patch.find(kRetainKeys);
    if (!keep) return okStatus();
    if (!keep->isList()) return badRequest("invalid patch format of retainKeys");
    auto kept = [&](std::string_view key) {
      return std::ranges::any_of(keep->items(), [&](const Value& name) { return name.asString() == key; });
    };
    for (const Member& member : patch.members())
      if (!isDirective(member.key) && !member.value.isNull() && !kept(member.key))
        return badRequest("invalid patch format of retainKeys");
    std::vector<Member> left;
    for (const Member& member : out.members())
      if (kept(member.key)) left.push_back(member);
    out = Value::mapOf(arena_, left);
    return okStatus();
  }

  Status deleteFromLists(Value& out, const Value& patch) {
    for (const Member& member : patch.members()) {
      if (!member.key.starts_with(kDelete)) continue;
      if (!member.value.isList()) return badRequest("invalid patch format of primitive list");
      Value* list = out.find(member.key.substr(kDelete.size()));
      if (!list || !list->isList()) continue;
      std::vector<Value> left;
      for (const Value& item : list->items())
        if (!contains(member.value, item)) left.push_back(item);
      *list = Value::listOf(arena_, left);
    }
    return okStatus();
  }

  Status mergeMember(Value& out, const Member& member, const Strategy& strategy) {
    if (member.value.isNull()) {
      out.erase(member.key);
      return okStatus();
    }
    Value* existing = out.find(member.key);
    Value value;
    if (!existing && isVoid(member.value)) return okStatus();
    if (!existing || existing->kind() != member.value.kind())
      value = plainPart(member.value);
    else if (member.value.isMap())
      value = TRY(mergeMap(*existing, member.value, placeOf(strategy)));
    else if (member.value.isList() && strategy.mergeList)
      value = TRY(mergeList(*existing, member.value, strategy));
    else
      value = member.value;
    out.set(arena_, member.key, value);
    return okStatus();
  }

  static bool isVoid(const Value& fresh) { return fresh.isNull() || fresh.has(kPatch); }

  // A patch's value where nothing was before: without nulls and without maps that carry a $patch, whatever it says. The
  // other directives stay, to be dropped and warned of as unknown fields. All as upstream does.
  Value plainPart(const Value& value) {
    if (value.isList()) {
      Value list = Value::list();
      for (const Value& item : value.items())
        if (!item.has(kPatch)) list.push(arena_, plainPart(item));
      return list;
    }
    if (!value.isMap()) return value;
    Value map = Value::map();
    for (const Member& member : value.members())
      if (!isVoid(member.value)) map.append(arena_, member.key, plainPart(member.value));
    return map;
  }

  // List x of the patch together with $setElementOrder/x.
  Status mergeOrdered(Value& out, const Value& patch, std::string_view key, const Value& order, Place place) {
    if (!order.isList() || order.size() > kMaxMergedItems)
      return badRequest("invalid patch format of setElementOrder list");
    Strategy strategy = place.strategyOf(key);
    const Value* changes = patch.find(key);
    if (changes && changes->isNull()) {
      out.erase(key);
      return okStatus();
    }
    if (changes && !changes->isList()) return badRequest("invalid patch format of setElementOrder list");
    if (changes) TRY(checkOrder(*changes, order, strategy.mergeKey));
    const Value* existing = out.find(key);
    if (existing && !existing->isList()) existing = nullptr;
    if (!existing && !changes) return okStatus();
    Value before = existing ? *existing : Value::list();
    Value merged = before;
    if (changes) merged = existing ? TRY(mergeList(before, *changes, strategy)) : plainPart(*changes);
    out.set(arena_, key, ordered(merged, order, before, strategy.mergeKey));
    return okStatus();
  }

  // The items of the patch must come in the order that it asks for.
  Status checkOrder(const Value& changes, const Value& order, std::string_view mergeKey) {
    std::vector<Value> plain;
    for (const Value& item : changes.items())
      if (item[kPatch].asString() != "delete") plain.push_back(item);
    size_t next = 0;
    for (const Value& item : plain) {
      if (item.has(kPatch)) continue;
      while (next < order.size() && !sameItem(order.at(next), item, mergeKey)) ++next;
      if (next++ < order.size()) continue;
      return badRequest(concat("The order in patch list:\n", goText(Value::listOf(arena_, plain)),
                               "\n doesn't match $setElementOrder list:\n", goText(order), "\n"));
    }
    return okStatus();
  }

  Result<Value> mergeList(const Value& original, const Value& patch, const Strategy& strategy) {
    if (original.empty() && patch.empty()) return original;
    bool maps = false;
    TRY(checkItems(original, patch, &maps));
    if (!maps) {
      Value merged = Value::list();
      for (const Value* list : {&original, &patch})
        for (const Value& item : list->items())
          if (!contains(merged, item)) merged.push(arena_, item);
      return ordered(merged, patch, original, "");
    }
    if (strategy.mergeKey.empty())
      return badRequest(concat("cannot merge lists without merge key for ",
                               strategy.type ? strategy.type->name : std::string_view("map")));
    Value merged = Value::listOf(arena_, original.items());
    Value changes = TRY(applyItemDirectives(merged, patch, strategy.mergeKey));
    for (const Value& change : changes.items()) TRY(mergeItem(merged, change, strategy));
    return ordered(merged, changes, original, strategy.mergeKey);
  }

  Status checkItems(const Value& original, const Value& patch, bool* maps) {
    if (original.size() + patch.size() > kMaxMergedItems)
      return badRequest(concat("lists of more than ", kMaxMergedItems, " items cannot be merged"));
    bool scalars = false;
    for (const Value* list : {&original, &patch})
      for (const Value& item : list->items()) {
        if (item.isList()) return badRequest("lists of lists are not supported");
        (item.isMap() ? *maps : scalars) = true;
      }
    if (*maps && scalars) return badRequest("list element types are not identical");
    return okStatus();
  }

  // Carries out the patch's items with $patch on `merged`; returns the other items.
  Result<Value> applyItemDirectives(Value& merged, const Value& patch, std::string_view mergeKey) {
    Value rest = Value::list();
    bool replace = false;
    for (const Value& item : patch.items()) {
      const Value* directive = item.find(kPatch);
      if (!directive) {
        rest.push(arena_, item);
      } else if (directive->asString() == "delete") {
        const Value* key = item.find(mergeKey);
        if (!key) return noMergeKey(item, mergeKey);
        for (size_t i = merged.size(); i-- > 0;)
          if (merged.at(i)[mergeKey] == *key) merged.eraseAt(i);
      } else if (directive->asString() == "replace") {
        replace = true;
      } else if (directive->asString() == "merge") {
        return badRequest("merging lists cannot yet be specified in the patch");
      } else {
        return badRequest(concat("unknown patch type: ", goText(*directive), " in map: ", goText(item)));
      }
    }
    if (replace) merged = Value::list();
    return rest;
  }

  Status mergeItem(Value& merged, const Value& change, const Strategy& strategy) {
    const Value* key = change.find(strategy.mergeKey);
    if (!key) return noMergeKey(change, strategy.mergeKey);
    for (Value& item : merged.items()) {
      if (!sameItem(item, change, strategy.mergeKey)) continue;
      item = TRY(mergeMap(item, change, {strategy.type}));
      return okStatus();
    }
    merged.push(arena_, change);
    return okStatus();
  }

  static Error noMergeKey(const Value& item, std::string_view mergeKey) {
    return badRequest(concat("map: ", goText(item), " does not contain declared merge key: ", mergeKey));
  }

  static bool contains(const Value& list, const Value& item) {
    return std::ranges::any_of(list.items(), [&](const Value& other) { return other == item; });
  }

  static bool sameItem(const Value& a, const Value& b, std::string_view mergeKey) {
    if (mergeKey.empty()) return a == b;
    const Value *keyA = a.find(mergeKey), *keyB = b.find(mergeKey);
    return keyA && keyB && *keyA == *keyB;
  }

  static size_t positionIn(const Value& list, const Value& item, std::string_view mergeKey) {
    size_t at = 0;
    while (at < list.size() && !sameItem(list.at(at), item, mergeKey)) ++at;
    return at;
  }

  // Items that `wanted` names stand in its order, all others in the order of the live list. An other goes before the
  // first wanted item that follows it in the live list.
  Value ordered(const Value& merged, const Value& wanted, const Value& live, std::string_view mergeKey) {
    struct Placed {
      Value value;
      size_t inWanted, inLive;
    };
    std::vector<Placed> named, others;
    for (const Value& item : merged.items()) {
      Placed placed{item, positionIn(wanted, item, mergeKey), positionIn(live, item, mergeKey)};
      (placed.inWanted < wanted.size() ? named : others).push_back(placed);
    }
    std::ranges::stable_sort(named, {}, &Placed::inWanted);
    std::ranges::stable_sort(others, {}, &Placed::inLive);
    Value out = Value::list();
    out.reserve(arena_, merged.size());
    size_t next = 0;
    for (const Placed& other : others) {
      auto follows = [&](const Placed& item) {
        return item.inLive < live.size() && other.inLive < live.size() && other.inLive < item.inLive;
      };
      while (next < named.size() && !follows(named[next])) out.push(arena_, named[next++].value);
      out.push(arena_, other.value);
    }
    while (next < named.size()) out.push(arena_, named[next++].value);
    return out;
  }

  Arena& arena_;
};

}  // namespace

Result<Value> applyStrategicMergePatch(const TypeInfo& type, const Value& object, const Value& patch, Arena& arena) {
  TRY(checkPatchDepth(patch));
  if (!patch.isMap()) {
    if (patch.isNull()) return object.clone(arena);
    std::string_view kind = patch.isList() ? "array" : patch.isString() ? "string" : patch.isBool() ? "bool" : "number";
    return badRequest(concat("error decoding patch: json: cannot unmarshal ", kind,
                             " into Go value of type map[string]interface {}"));
  }
  Value merged = TRY(Merger(arena).mergeMap(object, patch, {&type}));
  return merged.clone(arena);
}

}  // namespace skiff::api
