#include "api/apply_schema.h"

#include <algorithm>
#include <set>

#include "api/patch.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Arena;
using codec::Member;
using codec::Value;
using Form = ApplyShape::Form;

namespace {

const Value kNullValue = Value::null(), kEmptyMap = Value::map(), kEmptyString = Value::string(""), kZero = Value::integer(0),
                        kFalse = Value::boolean(false);

// What Go writes for a zero value that is not left out.
const Value* zeroOf(const FieldInfo& field) {
  if (field.cardinality != Cardinality::Single) return &kNullValue;
  switch (field.kind) {
    case FieldKind::Bool:
      return &kFalse;
    case FieldKind::Int32:
    case FieldKind::Int64:
    case FieldKind::Double:
    case FieldKind::IntOrString:
      return &kZero;
    case FieldKind::String:
      return &kEmptyString;
    default:
      return &kNullValue;
  }
}

bool isUntyped(FieldKind kind) {
  return kind == FieldKind::FieldsV1 || kind == FieldKind::Json;
}

ApplyShape shapeOfSingle(const FieldInfo& field) {
  if (field.kind == FieldKind::Message) {
    if (field.type == nullptr) return {Form::Deduced};
    if (field.type->isWrapper || (field.type->atomic && !field.granularMap)) return {Form::Leaf};
    return {Form::Struct, field.type, &field};
  }
  return {isUntyped(field.kind) || field.preserveUnknown ? Form::Deduced : Form::Leaf, nullptr, &field};
}

// A list or map that counts as nothing.
bool isNothing(const Value* value) { return !value || value->isNull() || ((value->isMap() || value->isList()) && value->empty()); }

// The path element of a list item; an error for items that have none.
Result<std::string> itemElement(const ApplyShape& list, const Value& item) {
  if (list.form == Form::Set) {
    if (item.isMap() || item.isList() || item.isNull())
      return badRequest("associative list with values may not have map, list or null elements");
    return valueElement(item);
  }
  if (item.isNull()) return badRequest("associative list with keys may not have a null element");
  if (!item.isMap()) return badRequest("associative list with keys may not have non-map elements");
  Arena arena;
  std::vector<Member> keys;
  for (std::string_view name : list.field->listMapKeys) {
    if (const Value* value = item.find(name)) {
      keys.push_back({name, *value});
      continue;
    }
    const FieldInfo* key = list.type ? list.type->field(name) : nullptr;
    if (!key || key->defaultJson.empty()) continue;
    if (auto value = codec::parseJson(key->defaultJson, arena); value.ok()) keys.push_back({name, *value});
  }
  if (!keys.empty()) return keyElement(std::move(keys));
  std::vector<std::string> names;
  for (std::string_view name : list.field->listMapKeys) names.push_back(quoted(name));
  return badRequest(concat("associative list with keys has an element that omits all key fields [", join(names, " "),
                           "] (and doesn't have default values for any key fields)"));
}

// The items of a list under their elements, the first of duplicates. Items without an element are left out: only live
// objects get here unchecked.
struct Items {
  struct Item {
    std::string element;
    const Value* value;
  };
  std::vector<Item> order;
  std::vector<const Item*> byElement;  // sorted; of duplicates the first comes first

  Items(const ApplyShape& shape, const Value* list) {
    if (!list || !list->isList()) return;
    order.reserve(list->size());  // pointers to the items must stay valid
    for (const Value& item : list->items())
      if (auto element = itemElement(shape, item); element.ok()) order.push_back({std::move(*element), &item});
    byElement.reserve(order.size());
    for (const Item& item : order) byElement.push_back(&item);
    std::ranges::sort(byElement, {}, [](const Item* item) { return std::pair(std::string_view(item->element), item); });
  }
  const Value* find(std::string_view element) const {
    auto found = std::ranges::lower_bound(byElement, element, {}, &Item::element);
    return found == byElement.end() || (*found)->element != element ? nullptr : (*found)->value;
  }
};

// ---- fieldSetOf

class SetWalker {
 public:
  enum class Mode { Strict, Lenient };
  explicit SetWalker(Mode mode) : mode_(mode) {}

  // Puts the paths at and below `value` into `set`, whose node is the value's own.
  Status walk(const Value& value, const ApplyShape& shape, FieldSet& set) {
    switch (shape.form) {
      case Form::Leaf:
        set.member = true;
        return okStatus();
      case Form::Struct:
      case Form::Map:
        if (!value.isMap() && !value.isNull()) return refuse(concat("expected map, got ", goText(value)));
        return walkMap(value, shape, set);
      case Form::Deduced:
        if (value.isMap()) return walkMap(value, shape, set);
        set.member = true;
        return okStatus();
      default:
        if (!value.isList() && !value.isNull()) return refuse(concat("expected list, got ", goText(value)));
        return walkList(value, shape, set);
    }
  }

 private:
  Status refuse(std::string_view message) const {
    if (mode_ == Mode::Lenient) return okStatus();
    std::string path;
    for (const Step& step : path_) path += step.element.empty() ? concat(".", step.field) : pathElementText(step.element);
    return badRequest(concat(path, ": ", message));
  }

  Status walkMap(const Value& map, const ApplyShape& shape, FieldSet& set) {
    set.children.reserve(map.size());
    for (const Member& member : map.members()) {
      path_.push_back({.field = member.key});
      TRY(walkMember(member, shape, set));
      path_.pop_back();
    }
    set.settle();
    return okStatus();
  }

  Status walkMember(const Member& member, const ApplyShape& shape, FieldSet& set) {
    ApplyShape childShape;
    if (!shape.child(member.key, &childShape)) return refuse("field not declared in schema");
    FieldSet child;
    TRY(walk(member.value, childShape, child));
    bool emptyMap = member.value.isMap() && member.value.empty();
    if (member.value.isNull() || emptyMap || shape.form != Form::Struct) child.member = true;
    if (!child.empty()) set.append(fieldElement(member.key)) = std::move(child);
    return okStatus();
  }

  Status walkList(const Value& list, const ApplyShape& shape, FieldSet& set) {
    std::vector<std::string> elements;
    elements.reserve(list.size());  // views into them must stay valid
    std::set<std::string_view> seen;
    for (const Value& item : list.items()) {
      auto element = itemElement(shape, item);
      if (!element.ok()) {
        TRY(refuse(element.error().message()));
        continue;
      }
      const std::string& known = elements.emplace_back(std::move(*element));
      if (!seen.insert(known).second && mode_ == Mode::Strict)
        TRY(refuse(concat("duplicate entries for key ", pathElementText(known))));
      FieldSet& child = set.append(known);
      child.member = true;
      if (shape.form != Form::Keyed) continue;
      path_.push_back({.element = known});
      TRY(walk(item, shape.element(), child));
      path_.pop_back();
    }
    set.settle();
    return okStatus();
  }

  // A field, or the element of a list's item.
  struct Step {
    std::string_view field, element;
  };

  Mode mode_;
  std::vector<Step> path_;
};

// ---- mergeByShape

class MergeWalker {
 public:
  explicit MergeWalker(Arena& arena) : arena_(arena) {}

  Value walk(const Value* live, const Value* config, const ApplyShape& shape) {
    if (!config) return *live;
    if (!live || (isNothing(live) && isNothing(config))) return *config;
    switch (shape.form) {
      case Form::Leaf:
        return *config;
      case Form::Set:
      case Form::Keyed:
        return config->isList() && live->isList() ? walkList(*live, *config, shape) : config->isNull() ? *live : *config;
      default:
        if (config->isNull() && live->isMap()) return *live;
        return config->isMap() && live->isMap() ? walkMap(*live, *config, shape) : *config;
    }
  }

 private:
  Value walkMap(const Value& live, const Value& config, const ApplyShape& shape) {
    Value out = Value::mapOf(arena_, live.members());
    for (const Member& member : config.members()) {
      ApplyShape childShape;
      if (!shape.child(member.key, &childShape)) continue;
      Value merged = walk(live.find(member.key), &member.value, childShape);
      out.set(arena_, member.key, merged);
    }
    return out;
  }

  // Shared items come in config's order; the live list's other items stay where they are among them.
  Value walkList(const Value& live, const Value& config, const ApplyShape& shape) {
    Items theirs(shape, &live), ours(shape, &config);
    Value out = Value::list();
    size_t next = 0;  // of ours
    auto takeOurs = [&] {
      const auto& item = ours.order[next++];
      out.push(arena_, walk(theirs.find(item.element), item.value, shape.element()));
    };
    for (const auto& item : theirs.order) {
      if (!ours.find(item.element)) {
        out.push(arena_, *item.value);
        continue;
      }
      size_t shared = next;
      while (shared < ours.order.size() && !theirs.find(ours.order[shared].element)) ++shared;
      if (shared == ours.order.size() || ours.order[shared].element != item.element) continue;
      while (next <= shared) takeOurs();
    }
    while (next < ours.order.size()) takeOurs();
    return out;
  }

  Arena& arena_;
};

// ---- compareByShape

class CompareWalker {
 public:
  // The three nodes are the value's own.
  struct Nodes {
    FieldSet added, modified, removed;
    bool same() const { return added.empty() && modified.empty() && removed.empty(); }
    void settle() {
      for (FieldSet* set : {&added, &modified, &removed}) set->settle();
    }
  };

  static void walk(const Value& before, const Value& after, const ApplyShape& shape, Nodes& nodes) {
    if (before == after) return;
    if (isGranular(before, after, shape)) descend(before, after, shape, nodes);
    else nodes.modified.member = true;
  }

  // Of granular values: whole objects that are compared differ most often, which their members tell soon enough.
  static void descend(const Value& before, const Value& after, const ApplyShape& shape, Nodes& nodes) {
    if (isList(shape)) walkList(before, after, shape, nodes);
    else walkMap(before, after, shape, nodes);
    nodes.settle();
  }

  static bool isGranular(const Value& before, const Value& after, const ApplyShape& shape) {
    if (shape.form == Form::Leaf || (isNothing(&before) && isNothing(&after))) return false;
    auto fits = [&](const Value& value) { return value.isNull() || (isList(shape) ? value.isList() : value.isMap()); };
    return fits(before) && fits(after);
  }

 private:
  static bool isList(const ApplyShape& shape) { return shape.form == Form::Set || shape.form == Form::Keyed; }

  // In the order of the set that is made of them: pointers are sorted sooner than sets.
  static std::vector<const Member*> sortedMembers(const Value& map) {
    std::vector<const Member*> members;
    members.reserve(map.size());
    for (const Member& member : map.members()) members.push_back(&member);
    std::ranges::sort(members, {}, &Member::key);
    return members;
  }

  // All that is at and below a value which only one of the two sides has.
  static void takeAll(const Value& value, const ApplyShape& shape, FieldSet& set) {
    set.member = true;
    if (shape.form == Form::Leaf) return;
    set.children.reserve(value.size());
    if (isList(shape)) {
      for (const Value& item : value.items())
        if (auto element = itemElement(shape, item); element.ok()) takeAll(item, shape.element(), set.append(std::move(*element)));
    } else {
      ApplyShape childShape;
      for (const Member* member : sortedMembers(value))
        if (shape.child(member->key, &childShape)) takeAll(member->value, childShape, set.append(fieldElement(member->key)));
    }
    set.settle();
  }

  static void put(Nodes& nodes, Nodes&& child, std::string element) {
    if (!child.added.empty()) nodes.added.append(element) = std::move(child.added);
    if (!child.modified.empty()) nodes.modified.append(element) = std::move(child.modified);
    if (!child.removed.empty()) nodes.removed.append(std::move(element)) = std::move(child.removed);
  }

  static void walkMap(const Value& before, const Value& after, const ApplyShape& shape, Nodes& nodes) {
    auto visit = [&](std::string_view key, const Value* old, const Value* now) {
      ApplyShape childShape;
      if (!shape.child(key, &childShape)) return;
      if (!old) old = shape.implied(key);
      if (!now) now = shape.implied(key);
      if (!old) return takeAll(*now, childShape, nodes.added.append(fieldElement(key)));
      if (!now) return takeAll(*old, childShape, nodes.removed.append(fieldElement(key)));
      Nodes child;
      walk(*old, *now, childShape, child);
      if (!child.same()) put(nodes, std::move(child), fieldElement(key));
    };
    for (const Member& member : before.members()) visit(member.key, &member.value, after.find(member.key));
    for (const Member& member : after.members())
      if (!before.has(member.key)) visit(member.key, nullptr, &member.value);
  }

  static void walkList(const Value& before, const Value& after, const ApplyShape& shape, Nodes& nodes) {
    ApplyShape itemShape = shape.element();
    Items old(shape, &before), now(shape, &after);
    for (auto& item : old.order) {
      const Value* other = now.find(item.element);
      if (!other) {
        takeAll(*item.value, itemShape, nodes.removed.append(item.element));
        continue;
      }
      Nodes child;
      walk(*item.value, *other, itemShape, child);
      if (!child.same()) put(nodes, std::move(child), item.element);
    }
    for (auto& item : now.order)
      if (!old.find(item.element)) takeAll(*item.value, itemShape, nodes.added.append(item.element));
  }
};

// ---- removeByShape

class RemoveWalker {
 public:
  explicit RemoveWalker(Arena& arena) : arena_(arena) {}

  // A container that loses all it had becomes null.
  Value walk(const Value& value, const FieldSet& set, const ApplyShape& shape) {
    if (shape.form == Form::Leaf) return value;
    if ((shape.form == Form::Set || shape.form == Form::Keyed) && value.isList()) return walkList(value, set, shape);
    return value.isMap() ? walkMap(value, set, shape) : value;
  }

 private:
  Value walkMap(const Value& map, const FieldSet& set, const ApplyShape& shape) {
    Value out;
    for (const Member& member : map.members()) {
      const FieldSet* node = set.child(fieldElement(member.key));
      ApplyShape childShape;
      if (node && node->member) continue;
      bool descend = node && shape.child(member.key, &childShape);
      out.append(arena_, member.key, descend ? walk(member.value, *node, childShape) : member.value);
    }
    return out;
  }

  Value walkList(const Value& list, const FieldSet& set, const ApplyShape& shape) {
    Value out;
    for (const Value& item : list.items()) {
      auto element = itemElement(shape, item);
      const FieldSet* node = element.ok() ? set.child(*element) : nullptr;
      if (node && node->member) continue;
      out.push(arena_, node ? walk(item, *node, shape.element()) : item);
    }
    return out;
  }

  Arena& arena_;
};

}  // namespace

ApplyShape ApplyShape::ofObject(const TypeInfo* type) {
  if (!type) return {Form::Deduced};
  return {type->atomic ? Form::Leaf : Form::Struct, type, nullptr};
}

ApplyShape ApplyShape::ofField(const FieldInfo& field) {
  switch (field.cardinality) {
    case Cardinality::List:
      if (field.listType == ListType::Set) return {Form::Set, nullptr, &field};
      if (field.listType == ListType::Map && !field.listMapKeys.empty()) return {Form::Keyed, field.type, &field};
      return {Form::Leaf, nullptr, &field};
    case Cardinality::Map:
      return {field.atomicMap ? Form::Leaf : Form::Map, field.type, &field};
    default:
      return field.atomicMap ? ApplyShape{Form::Leaf, nullptr, &field} : shapeOfSingle(field);
  }
}

ApplyShape ApplyShape::element() const {
  if (form == Form::Set) return {Form::Leaf, nullptr, field};
  // An item of a keyed list is a struct of its own, though its type may be atomic when it stands alone.
  if (form == Form::Keyed && type && !type->atomic) return {Form::Struct, type, field};
  return shapeOfSingle(*field);
}

bool ApplyShape::child(std::string_view key, ApplyShape* shape) const {
  if (form == Form::Map) {
    *shape = element();
    return true;
  }
  if (form == Form::Deduced) {
    *shape = {Form::Deduced};
    return true;
  }
  if (form != Form::Struct) return false;
  if (const FieldInfo* info = type->field(key)) {
    *shape = ofField(*info);
    return true;
  }
  if (type->isKind && (key == "apiVersion" || key == "kind")) {
    *shape = {Form::Leaf};
    return true;
  }
  *shape = {Form::Deduced};
  return type->preserveUnknown || (field && field->preserveUnknown);
}

const Value* ApplyShape::implied(std::string_view key) const {
  const FieldInfo* info = form == Form::Struct ? type->field(key) : nullptr;
  if (!info) return nullptr;
  if (info->cardinality == Cardinality::Single && info->kind == FieldKind::Message && !info->omitZero && info->type &&
      !info->type->isWrapper)
    return &kEmptyMap;
  return info->always ? zeroOf(*info) : nullptr;
}

Result<FieldSet> fieldSetOf(const Value& value, const ApplyShape& shape) {
  FieldSet set;
  TRY(SetWalker(SetWalker::Mode::Strict).walk(value, shape, set));
  set.member = false;
  return set;
}

FieldSet knownFieldsOf(const Value& value, const ApplyShape& shape) {
  FieldSet set;
  MUST(SetWalker(SetWalker::Mode::Lenient).walk(value, shape, set).ok());
  set.member = false;
  return set;
}

Value mergeByShape(const Value& live, const Value& config, const ApplyShape& shape, Arena& arena) {
  return MergeWalker(arena).walk(&live, &config, shape);
}

Comparison compareByShape(const Value& before, const Value& after, const ApplyShape& shape) {
  CompareWalker::Nodes nodes;
  if (CompareWalker::isGranular(before, after, shape)) CompareWalker::descend(before, after, shape, nodes);
  else CompareWalker::walk(before, after, shape, nodes);
  return {std::move(nodes.added), std::move(nodes.modified), std::move(nodes.removed)};
}

Value removeByShape(const Value& value, const FieldSet& set, const ApplyShape& shape, Arena& arena) {
  return RemoveWalker(arena).walk(value, set, shape);
}

FieldSet withNamedFields(const FieldSet& set, const ApplyShape& shape) {
  FieldSet out;
  out.member = set.member;
  for (const auto& [element, node] : set.children) {
    ApplyShape childShape{Form::Leaf};
    bool isField = element[0] == 'f';
    std::string_view name = std::string_view(element).substr(2);
    if (isField)
      shape.child(name, &childShape);
    else if (shape.form == Form::Keyed)
      childShape = shape.element();
    FieldSet child = withNamedFields(node, childShape);
    if (isField && shape.form == Form::Struct && shape.type->field(name)) child.member = true;
    out.append(element) = std::move(child);
  }
  return out;
}

}  // namespace skiff::api
