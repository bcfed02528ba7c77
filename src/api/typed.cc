#include "api/typed.h"

#include "api/form.h"
#include "api/scalars.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Arena;
using codec::Value;

namespace {
// Calls visit with a null pointer of the C++ type that holds a scalar field.
template <class Visit>
auto withScalar(FieldKind kind, Visit visit) {
  switch (kind) {
    case FieldKind::Bool:
      return visit(static_cast<bool*>(nullptr));
    case FieldKind::Int32:
      return visit(static_cast<int32_t*>(nullptr));
    case FieldKind::Int64:
      return visit(static_cast<int64_t*>(nullptr));
    case FieldKind::Double:
      return visit(static_cast<double*>(nullptr));
    case FieldKind::String:
    case FieldKind::Bytes:
      return visit(static_cast<std::string*>(nullptr));
    case FieldKind::Time:
      return visit(static_cast<Time*>(nullptr));
    case FieldKind::MicroTime:
      return visit(static_cast<MicroTime*>(nullptr));
    case FieldKind::Duration:
      return visit(static_cast<Duration*>(nullptr));
    case FieldKind::Quantity:
      return visit(static_cast<Quantity*>(nullptr));
    case FieldKind::IntOrString:
      return visit(static_cast<IntOrString*>(nullptr));
    default:
      return visit(static_cast<RawJson*>(nullptr));
  }
}

template <class T>
struct ScalarOf;
template <class T>
struct ScalarOf<T*> {
  using type = T;
};

// ---- tree -> struct -----------------------------------------------------------------------------
// --------------------------------------------------------------------------------------------------

bool read(const Value& v, FieldKind, bool& out) {
  out = v.asBool();
  return v.isBool();
}
bool read(const Value& v, FieldKind, int32_t& out) {
  out = int32_t(v.asInt());
  return v.isInt() && out == v.asInt();
}
bool read(const Value& v, FieldKind, int64_t& out) {
  out = v.asInt();
  return v.isInt();
}
bool read(const Value& v, FieldKind, double& out) {
  out = v.asDouble();
  return v.isNumber();
}
bool read(const Value& v, FieldKind kind, std::string& out) {
  if (!v.isString()) return false;
  if (kind != FieldKind::Bytes) {
    out = v.asString();
    return true;
  }
  auto bytes = base64Decode(v.asString());
  if (bytes) out = std::move(*bytes);
  return bytes.has_value();
}
template <class T>
bool readTime(const Value& v, T& out) {
  auto time = parseRfc3339(v.asString());
  if (time) out.value = *time;
  return time.has_value();
}
bool read(const Value& v, FieldKind, Time& out) { return readTime(v, out); }
bool read(const Value& v, FieldKind, MicroTime& out) { return readTime(v, out); }
bool read(const Value& v, FieldKind, Duration& out) {
  auto duration = parseDuration(v.asString());
  if (duration) out.value = *duration;
  return duration.has_value();
}
bool read(const Value& v, FieldKind, Quantity& out) {
  auto quantity = v.isString() ? Quantity::parse(v.asString()) : Quantity::parse(codec::toJson(v));
  if (quantity) out = *quantity;
  return quantity.has_value();
}
bool read(const Value& v, FieldKind, IntOrString& out) {
  if (v.isString()) {
    out = IntOrString::of(v.str());
    return true;
  }
  out = IntOrString::of(int32_t(v.asInt()));
  return v.isInt() && out.number == v.asInt();
}
bool read(const Value& v, FieldKind, RawJson& out) {
  out.json = codec::toJson(v);
  return true;
}

class StructReader {
 public:
  static Status message(const TypeBinding& binding, const Value& value, void* into) {
    const TypeInfo& type = *binding.type;
    if (type.isWrapper) return field(binding, 0, value, into);
    if (!value.isMap()) return badRequest(concat("an object is wanted for ", type.name));
    size_t hint = 0;
    for (const auto& member : value.members()) {
      const FieldInfo* info = type.field(member.key, &hint);
      if (!info || member.value.isNull()) continue;
      auto status = field(binding, size_t(info - type.fields.data()), member.value, into);
      if (!status.ok()) return std::move(status).error().wrap(member.key);
    }
    return okStatus();
  }

 private:
  static Error wrongKind(const FieldInfo& info) {
    return badRequest(concat("wrong kind of value for ", info.json));
  }

  static Status field(const TypeBinding& binding, size_t index, const Value& value, void* into) {
    const FieldInfo& info = binding.type->fields[index];
    const TypeBinding::Field& at = binding.fields[index];
    void* to = static_cast<char*>(into) + at.offset;
    return at.binding ? messages(info, *at.binding, value, to) : scalars(info, value, to);
  }

  static Status messages(const FieldInfo& info, const TypeBinding& binding, const Value& value,
                         void* to) {
    switch (info.cardinality) {
      case Cardinality::Single:
        return message(binding, value, to);
      case Cardinality::Optional: {
        auto& box = *static_cast<BoxBase*>(to);
        if (!box.raw()) box.adopt(binding.create());
        return message(binding, value, box.raw());
      }
      case Cardinality::List:
        if (!value.isList()) return wrongKind(info);
        for (const auto& item : value.items()) {
          void* element = binding.push(to);
          if (!item.isNull()) TRY(message(binding, item, element));
        }
        return okStatus();
      case Cardinality::Map:
        if (!value.isMap()) return wrongKind(info);
        for (const auto& member : value.members()) {
          void* element = binding.insert(to, member.key);
          if (!member.value.isNull()) TRY(message(binding, member.value, element));
        }
        return okStatus();
    }
    return okStatus();
  }

  static Status scalars(const FieldInfo& info, const Value& value, void* to) {
    bool ok = withScalar(info.kind, [&](auto* tag) {
      using T = typename ScalarOf<decltype(tag)>::type;
      switch (info.cardinality) {
        case Cardinality::Single:
          return read(value, info.kind, *static_cast<T*>(to));
        case Cardinality::Optional:
          return read(value, info.kind, static_cast<std::optional<T>*>(to)->emplace());
        case Cardinality::List:
          for (const auto& item : value.items()) {
            T element{};
            if (!item.isNull() && !read(item, info.kind, element)) return false;
            static_cast<std::vector<T>*>(to)->push_back(std::move(element));
          }
          return value.isList();
        case Cardinality::Map:
          for (const auto& member : value.members()) {
            T& element = (*static_cast<std::map<std::string, T>*>(to))[std::string(member.key)];
            if (!member.value.isNull() && !read(member.value, info.kind, element)) return false;
          }
          return value.isMap();
      }
      return false;
    });
    return ok ? okStatus() : Status(wrongKind(info));
  }
};

// ---- struct -> tree -----------------------------------------------------------------------------
// --------------------------------------------------------------------------------------------------

class TreeWriter {
 public:
  explicit TreeWriter(Arena& arena) : arena_(arena) {}

  Value message(const TypeBinding& binding, const void* from) {
    const TypeInfo& type = *binding.type;
    if (type.isWrapper) {
      Value items = field(binding, 0, from);
      return items.isNull() ? Value::list() : items;
    }
    Value out = Value::map();
    write(binding, from, out);
    return out;
  }

  void write(const TypeBinding& binding, const void* from, Value& out) {
    for (size_t i = 0; i < binding.fields.size(); ++i) {
      Value value = field(binding, i, from);
      emitField(out, binding.type->fields[i], &value, arena_);
    }
  }

 private:
  // Null when the field is absent or empty.
  Value field(const TypeBinding& binding, size_t index, const void* from) {
    const FieldInfo& info = binding.type->fields[index];
    const TypeBinding::Field& at = binding.fields[index];
    const void* value = static_cast<const char*>(from) + at.offset;
    return at.binding ? messages(info, *at.binding, value) : scalars(info, value);
  }

  Value messages(const FieldInfo& info, const TypeBinding& binding, const void* value) {
    switch (info.cardinality) {
      case Cardinality::Single:
        return message(binding, value);
      case Cardinality::Optional: {
        const void* boxed = static_cast<const BoxBase*>(value)->raw();
        return boxed ? message(binding, boxed) : Value::null();
      }
      case Cardinality::List: {
        size_t count = binding.count(value);
        if (count == 0) return Value::null();
        Value list = Value::list();
        list.reserve(arena_, count);
        for (size_t i = 0; i < count; ++i)
          list.push(arena_, message(binding, binding.element(value, i)));
        return list;
      }
      case Cardinality::Map: {
        struct Context {
          TreeWriter& writer;
          const TypeBinding& binding;
          Value map;
        } context{*this, binding, Value::null()};
        binding.each(value, &context, [](void* opaque, std::string_view key, const void* element) {
          auto& c = *static_cast<Context*>(opaque);
          c.map.append(c.writer.arena_, c.writer.arena_.copy(key),
                       c.writer.message(c.binding, element));
        });
        return context.map;
      }
    }
    return Value::null();
  }

  Value make(FieldKind, bool b) { return Value::boolean(b); }
  Value make(FieldKind, int32_t n) { return Value::integer(n); }
  Value make(FieldKind, int64_t n) { return Value::integer(n); }
  Value make(FieldKind, double d) { return Value::number(d); }
  Value make(FieldKind kind, const std::string& s) {
    return Value::text(arena_, kind == FieldKind::Bytes ? base64Encode(s) : s);
  }
  Value make(FieldKind, const Time& t) {
    return t.isZero() ? Value::null() : Value::text(arena_, formatRfc3339(t.value));
  }
  Value make(FieldKind, const MicroTime& t) {
    return t.isZero() ? Value::null() : Value::text(arena_, formatRfc3339Micro(t.value));
  }
  Value make(FieldKind, const Duration& d) { return Value::text(arena_, formatDuration(d.value)); }
  Value make(FieldKind, const Quantity& q) { return Value::text(arena_, q.str()); }
  Value make(FieldKind, const IntOrString& v) {
    return v.isString ? Value::text(arena_, v.text) : Value::integer(v.number);
  }
  Value make(FieldKind, const RawJson& raw) {
    if (raw.empty()) return Value::null();
    auto parsed = codec::parseJson(raw.json, arena_);
    return parsed.ok() ? *parsed : Value::null();
  }

  Value scalars(const FieldInfo& info, const void* value) {
    return withScalar(info.kind, [&](auto* tag) {
      using T = typename ScalarOf<decltype(tag)>::type;
      switch (info.cardinality) {
        case Cardinality::Single:
          return single(info, *static_cast<const T*>(value));
        case Cardinality::Optional: {
          const auto& optional = *static_cast<const std::optional<T>*>(value);
          return optional ? make(info.kind, *optional) : Value::null();
        }
        case Cardinality::List: {
          Value list;
          for (const auto& item : *static_cast<const std::vector<T>*>(value))
            list.push(arena_, make(info.kind, item));
          return list;
        }
        case Cardinality::Map: {
          Value map;
          for (const auto& [key, item] : *static_cast<const std::map<std::string, T>*>(value))
            map.append(arena_, arena_.copy(key), make(info.kind, item));
          return map;
        }
      }
      return Value::null();
    });
  }

  template <class T>
  Value single(const FieldInfo& info, const T& value) {
    // A struct cannot tell empty bytes from absent ones: both are written as Go writes nil.
    if constexpr (std::is_same_v<T, std::string>)
      if (info.kind == FieldKind::Bytes && value.empty()) return Value::null();
    return make(info.kind, value);
  }

  Arena& arena_;
};
}  // namespace

Status fromValue(const TypeBinding& binding, const Value& value, void* into) {
  return StructReader::message(binding, value, into);
}

Value toValue(const TypeBinding& binding, const void* from, Arena& arena) {
  TreeWriter writer(arena);
  const TypeInfo& type = *binding.type;
  if (!type.isKind || type.isWrapper) return writer.message(binding, from);
  Value out = Value::map();
  out.append(arena, "kind", Value::string(type.name));
  out.append(arena, "apiVersion", Value::text(arena, apiVersionOf(type)));
  writer.write(binding, from, out);
  return out;
}

bool equal(const TypeBinding& binding, const void* a, const void* b) {
  Arena arena;
  TreeWriter writer(arena);
  return writer.message(binding, a) == writer.message(binding, b);
}

Status fromJsonText(const TypeBinding& binding, std::string_view json, void* into) {
  Arena arena;
  Value value = TRY(codec::parseJson(json, arena, {.copyStrings = false}));
  return fromValue(binding, value, into);
}

std::string toJsonText(const TypeBinding& binding, const void* from) {
  Arena arena;
  return codec::toJson(toValue(binding, from, arena));
}

}  // namespace skiff::api
