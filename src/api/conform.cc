// conform(): Go's JSON decoder and encoder in one step over the tree, driven by the tables.
#include <algorithm>
#include <limits>

#include "api/convert.h"
#include "api/form.h"
#include "api/scalar_text.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Arena;
using codec::Member;
using codec::Value;

namespace {
// Types nest this deep at most; only JSONSchemaProps and unpruned trees come near.
constexpr int kMaxDepth = 1000;

std::string_view kindWord(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Bool:
      return "bool";
    case Value::Kind::String:
      return "string";
    case Value::Kind::List:
      return "array";
    case Value::Kind::Map:
    case Value::Kind::Raw:
      return "object";
    case Value::Kind::Null:
      return "null";
    default:
      return "number";
  }
}

// "v1": a type's Go package is named after the version.
std::string_view goPackage(const TypeInfo& type) {
  auto slash = type.package.rfind('/');
  return type.package.substr(slash == type.package.npos ? 0 : slash + 1);
}
std::string goTypeName(const TypeInfo& type) { return concat(goPackage(type), ".", type.name); }

std::string goElementType(const FieldInfo& field, const TypeInfo& owner) {
  switch (field.kind) {
    case FieldKind::Bool:
      return "bool";
    case FieldKind::Int32:
      return "int32";
    case FieldKind::Int64:
      return "int64";
    case FieldKind::Double:
      return "float64";
    case FieldKind::Bytes:
      return "[]uint8";
    case FieldKind::Quantity:
      return "resource.Quantity";
    case FieldKind::Message:
      return field.type ? goTypeName(*field.type) : "interface {}";
    default:
      return field.enumInfo ? concat(goPackage(owner), ".", field.enumInfo->name) : "string";
  }
}

std::string goFieldType(const FieldInfo& field, const TypeInfo& owner) {
  std::string element = goElementType(field, owner);
  if (field.cardinality == Cardinality::List) return "[]" + element;
  if (field.cardinality != Cardinality::Map) return element;
  return field.kind == FieldKind::Quantity ? "v1.ResourceList" : "map[string]" + element;
}

// What a Go type is underneath, as far as converters tell types apart. Own: it decodes its own JSON.
enum class GoKind { Basic, Slice, Map, Struct, Own };

// reflect.Kind of a decoded value.
std::string_view unstructuredKind(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Bool: return "bool";
    case Value::Kind::String: return "string";
    case Value::Kind::List: return "slice";
    case Value::Kind::Map:
    case Value::Kind::Raw: return "map";
    case Value::Kind::Double: return "float64";
    default: return "int64";
  }
}

std::string_view basicKind(std::string_view goType) {
  for (std::string_view kind : {"bool", "int32", "int64", "float64"})
    if (goType == kind) return kind;
  return "string";  // named types are enumerations
}

std::string unstructuredMismatch(const Value& found, std::string_view goType, GoKind wanted) {
  std::string_view kind = unstructuredKind(found), basic = basicKind(goType);
  if (wanted == GoKind::Slice) return concat("cannot restore slice from ", kind);
  if (wanted == GoKind::Map) return concat("cannot restore map from ", kind);
  if (wanted == GoKind::Struct) return concat("cannot restore struct from: ", kind);
  // Kinds that Go converts into each other, but not this way.
  bool convertible = (kind == "int64" && basic == "string") || (kind == "float64" && basic.starts_with("int"));
  return convertible ? concat("cannot convert ", kind, " to ", basic) : concat("unrecognized type: ", basic);
}

void sortMembers(Value& map) {
  auto members = map.members();
  auto byKey = [](const Member& a, const Member& b) { return a.key < b.key; };
  if (!std::is_sorted(members.begin(), members.end(), byKey))
    std::sort(members.begin(), members.end(), byKey);
}

class Conformer {
 public:
  Conformer(Arena& arena, DecodeReport& report) : arena_(arena), report_(report) {}

  Status message(Value& value, const TypeInfo& type, int depth) {
    if (depth > kMaxDepth) return badRequest("exceeded max depth");
    if (type.custom) return customMessage(value, type, depth);
    if (type.isWrapper) {
      if (!value.isList()) return mismatch(value, goTypeName(type), GoKind::Slice);
      return elements(value, type.fields.front(), depth);
    }
    if (!value.isMap()) return mismatch(value, goTypeName(type), GoKind::Struct);
    const TypeInfo* outer = std::exchange(owner_, &type);
    bool inForm = true;
    size_t hint = 0, next = 0;  // fields before `next` are as they are to be written
    for (auto& member : value.members()) {
      if (const FieldInfo* field = type.field(member.key, &hint)) {
        TRY(conformField(member.value, *field, depth));
        size_t index = size_t(field - type.fields.data());
        inForm = inForm && !member.value.isNull() && isWritten(*field, &member.value) && mayMiss(type, next, index);
        next = index + 1;
      } else if (isTypeMeta(type, member.key)) {
        TRY(typeMeta(member));
      } else {
        noteUnknown(member.key, type);
        inForm = false;
      }
    }
    owner_ = outer;
    if (!inForm || !mayMiss(type, next, type.fields.size()) || !typeMetaInForm(value, type)) value = inTableOrder(value, type);
    return okStatus();
  }

 private:
  struct Step {
    std::string_view name;  // of a field, or a map's key
    size_t index = 0;       // in a list when the name is empty
    bool isField = false;
  };

  // A stack that is only ever grown: every field of every object enters and leaves it.
  class Path {
   public:
    void enter(const Step& step) {
      if (depth_ == steps_.size()) steps_.resize(depth_ + 16);
      steps_[depth_++] = step;
    }
    void leave() { --depth_; }
    bool empty() const { return depth_ == 0; }
    std::span<const Step> steps() const { return {steps_.data(), depth_}; }

   private:
    std::vector<Step> steps_;
    size_t depth_ = 0;
  };

  // The rest of a path's life ends with the caller's scope.
  struct Scope {
    Scope(Path& p, const Step& step) : path(p) { path.enter(step); }
    ~Scope() { path.leave(); }
    Path& path;
  };

  static bool isTypeMeta(const TypeInfo& type, std::string_view key) {
    return type.isKind && (key == "kind" || key == "apiVersion");
  }

  // Whether none of the fields [from, to) would be written when absent. False when they are in the wrong order.
  static bool mayMiss(const TypeInfo& type, size_t from, size_t to) {
    if (from > to) return false;
    auto fields = type.fields.subspan(from, to - from);
    return std::none_of(fields.begin(), fields.end(), [](const FieldInfo& field) { return isWritten(field, nullptr); });
  }

  // Whether kind and apiVersion come first, if at all, and say something.
  static bool typeMetaInForm(const Value& map, const TypeInfo& type) {
    if (!type.isKind) return true;
    auto members = std::as_const(map).members();
    size_t at = 0;
    for (std::string_view key : {"kind", "apiVersion"})
      if (at < members.size() && members[at].key == key && !members[at].value.asString().empty()) ++at;
    auto rest = members.subspan(at);
    return std::none_of(rest.begin(), rest.end(), [&](const Member& member) { return isTypeMeta(type, member.key); });
  }

  // A map of conformed members as it is to be written.
  Value inTableOrder(const Value& value, const TypeInfo& type) {
    std::vector<const Value*> slots(type.fields.size(), nullptr);
    std::vector<const Member*> unknown;
    size_t hint = 0;
    for (const auto& member : value.members()) {
      if (const FieldInfo* field = type.field(member.key, &hint)) slots[size_t(field - type.fields.data())] = &member.value;
      else if (!isTypeMeta(type, member.key)) unknown.push_back(&member);
    }
    Value out = Value::map();
    out.reserve(arena_, value.size());
    if (type.isKind)
      for (std::string_view key : {"kind", "apiVersion"})
        if (std::string_view text = value[key].asString(); !text.empty()) out.append(arena_, key, Value::string(text));
    for (size_t i = 0; i < slots.size(); ++i) emitField(out, type.fields[i], slots[i], arena_);
    if (!report_.keepUnknown && !type.preserveUnknown) return out;
    for (const Member* member : unknown) out.append(arena_, member->key, member->value);
    return out;
  }

  Status typeMeta(Member& member) {
    Scope scope(path_, {member.key, 0, true});
    if (member.value.isNull() || member.value.isString()) return okStatus();
    return mismatch(member.value, "string");
  }

  void noteUnknown(std::string_view key, const TypeInfo& type) {
    if (type.preserveUnknown || quiet_) return;
    report_.unknownFields.push_back(
        concat("unknown field \"", pathText(), path_.empty() ? "" : ".", key, "\""));
  }

  std::string pathText() const {
    std::string out;
    for (const Step& step : path_.steps()) {
      if (step.name.empty() && !step.isField) {
        out += concat('[', step.index, ']');
      } else {
        if (!out.empty()) out += '.';
        out += step.name;
      }
    }
    return out;
  }

  Error mismatch(const Value& found, std::string_view wanted, GoKind kind = GoKind::Basic) const {
    return mismatch(found, kindWord(found), wanted, kind);
  }

  Error mismatch(const Value& value, std::string_view found, std::string_view wanted, GoKind kind) const {
    bool unstructured = report_.words == DecodeWords::Unstructured;
    if (unstructured && kind != GoKind::Own) return badRequest(unstructuredMismatch(value, wanted, kind));
    std::string field;
    for (const Step& step : path_.steps())
      if (step.isField) field += concat(field.empty() ? "" : ".", step.name);
    if (field.empty() || !owner_ || unstructured)
      return badRequest(
          concat("json: cannot unmarshal ", found, " into Go value of type ", wanted));
    return badRequest(concat("json: cannot unmarshal ", found, " into Go struct field ",
                             owner_->name, ".", field, " of type ", wanted));
  }

  Status conformField(Value& value, const FieldInfo& field, int depth) {
    Scope scope(path_, {field.json, 0, true});
    if (value.isNull()) return okStatus();
    switch (field.cardinality) {
      case Cardinality::List:
        if (!value.isList()) return mismatch(value, goFieldType(field, *owner_), GoKind::Slice);
        return elements(value, field, depth);
      case Cardinality::Map:
        if (!value.isMap()) return mismatch(value, goFieldType(field, *owner_), GoKind::Map);
        for (auto& member : value.members()) {
          Scope key(path_, {member.key});
          TRY(element(member.value, field, depth));
        }
        sortMembers(value);
        return okStatus();
      default:
        return one(value, field, depth);
    }
  }

  Status elements(Value& list, const FieldInfo& field, int depth) {
    size_t index = 0;
    for (auto& item : list.items()) {
      Scope scope(path_, {{}, index++});
      TRY(element(item, field, depth));
    }
    return okStatus();
  }

  // Elements of lists and maps: null is the zero value.
  Status element(Value& value, const FieldInfo& field, int depth) {
    if (!value.isNull()) return one(value, field, depth);
    switch (field.kind) {
      case FieldKind::Bool:
        value = Value::boolean(false);
        break;
      case FieldKind::Int32:
      case FieldKind::Int64:
      case FieldKind::Double:
      case FieldKind::IntOrString:
        value = Value::integer(0);
        break;
      case FieldKind::String:
        value = Value::string("");
        break;
      case FieldKind::Quantity:
        value = Value::string("0");
        break;
      case FieldKind::Duration:
        value = Value::string("0s");
        break;
      case FieldKind::Message:
        if (field.type && !field.type->isWrapper) value = zeroMessage(*field.type, arena_);
        break;
      default:
        break;
    }
    return okStatus();
  }

  Status one(Value& value, const FieldInfo& field, int depth) {
    switch (field.kind) {
      case FieldKind::Bool:
        return value.isBool() ? okStatus() : mismatch(value, "bool");
      case FieldKind::Int32:
      case FieldKind::Int64:
        return integer(value, field);
      case FieldKind::Double:
        return value.isNumber() ? okStatus() : mismatch(value, "float64");
      case FieldKind::String:
        return value.isString() ? okStatus()
                                : mismatch(value, goElementType(field, *owner_));
      case FieldKind::Bytes:
        return text(value, "[]uint8", canonicalBase64);
      case FieldKind::Time:
        return text(value, "string", canonicalTime);
      case FieldKind::MicroTime:
        return text(value, "string", canonicalMicroTime);
      case FieldKind::Duration:
        return text(value, "string", canonicalDuration);
      case FieldKind::Quantity:
        return quantity(value);
      case FieldKind::IntOrString:
        return value.isString() ? okStatus() : integer(value, field);
      case FieldKind::FieldsV1:
        if (!value.isRaw()) value = Value::raw(arena_.copy(codec::toJson(value)));
        return okStatus();
      case FieldKind::RawExtension:
      case FieldKind::Json:
        return okStatus();
      case FieldKind::JsonSchemaOrArray:
      case FieldKind::JsonSchemaOrBool:
      case FieldKind::JsonSchemaOrStringArray:
        return schemaOr(value, field, depth);
      case FieldKind::Message:
        return field.type ? message(value, *field.type, depth + 1) : okStatus();
    }
    return okStatus();
  }

  Status integer(Value& value, const FieldInfo& field) {
    std::string_view type = field.kind == FieldKind::Int64 ? "int64" : "int32";
    GoKind kind = field.kind == FieldKind::IntOrString ? GoKind::Own : GoKind::Basic;
    if (!value.isNumber()) return mismatch(value, type, kind);
    auto narrow = int64_t(std::numeric_limits<int32_t>::max());
    bool fits = value.isInt() && (field.kind == FieldKind::Int64 ||
                                  (value.asInt() >= -narrow - 1 && value.asInt() <= narrow));
    if (!fits) return mismatch(value, concat("number ", codec::toJson(value)), type, kind);
    return okStatus();
  }

  Status text(Value& value, std::string_view type,
              Result<Value> (*canonical)(std::string_view, Arena&)) {
    if (!value.isString()) return mismatch(value, type, type == "string" ? GoKind::Own : GoKind::Slice);
    value = TRY(canonical(value.asString(), arena_));
    return okStatus();
  }

  Status quantity(Value& value) {
    if (value.isString()) {
      value = TRY(canonicalQuantityValue(trim(value.asString()), arena_));
    } else {
      std::string number = codec::toJson(value);
      value = Value::text(arena_, TRY(canonicalQuantityValue(number, arena_)).asString());
    }
    return okStatus();
  }

  // A schema where another form may stand as well; the decoder of these is not strict, whatever the
  // request says.
  Status schemaOr(Value& value, const FieldInfo& field, int depth) {
    bool outer = std::exchange(quiet_, true);
    const TypeInfo& schema = *field.type;
    Status status = okStatus();
    if (value.isMap()) {
      status = message(value, schema, depth + 1);
    } else if (field.kind == FieldKind::JsonSchemaOrBool) {
      if (!value.isBool()) status = badRequest("boolean or JSON schema expected");
    } else if (value.isList()) {
      for (auto& item : value.items()) {
        bool strings = field.kind == FieldKind::JsonSchemaOrStringArray;
        if (strings && !item.isString()) status = mismatch(item, "string", GoKind::Own);
        if (!strings) status = message(item, schema, depth + 1);
        if (!status.ok()) break;
      }
    } else {
      value = Value::null();
    }
    quiet_ = outer;
    return status;
  }

  // Custom resources: what the schema does not know goes, all else stays as it was sent.
  Status customMessage(Value& value, const TypeInfo& type, int depth) {
    if (!value.isMap()) return okStatus();
    size_t hint = 0;
    std::vector<std::string_view> drop;
    for (auto& member : value.members()) {
      const FieldInfo* field = type.field(member.key, &hint);
      if (!field) {
        if (type.preserveUnknown ||
            (type.isKind && (member.key == "kind" || member.key == "apiVersion")))
          continue;
        noteUnknown(member.key, type);
        if (!report_.keepUnknown) drop.push_back(member.key);
        continue;
      }
      Scope scope(path_, {field->json, 0, true});
      TRY(customField(member.value, *field, depth));
    }
    for (auto key : drop) value.erase(key);
    sortMembers(value);
    return okStatus();
  }

  Status customField(Value& value, const FieldInfo& field, int depth) {
    if (!field.type || value.isNull()) return okStatus();
    if (field.cardinality == Cardinality::List) {
      size_t index = 0;
      for (auto& item : value.items()) {
        Scope scope(path_, {{}, index++});
        if (!item.isNull()) TRY(message(item, *field.type, depth + 1));
      }
    } else if (field.cardinality == Cardinality::Map) {
      for (auto& member : value.members()) {
        Scope scope(path_, {member.key});
        if (!member.value.isNull()) TRY(message(member.value, *field.type, depth + 1));
      }
      sortMembers(value);
    } else {
      TRY(message(value, *field.type, depth + 1));
    }
    return okStatus();
  }

  Arena& arena_;
  DecodeReport& report_;
  Path path_;
  const TypeInfo* owner_ = nullptr;  // the message whose field is being read
  bool quiet_ = false;
};
}  // namespace

Status conform(Value& object, const TypeInfo& type, Arena& arena, DecodeReport& report) {
  if (object.isNull()) object = Value::map();
  return Conformer(arena, report).message(object, type, 0);
}

}  // namespace skiff::api
