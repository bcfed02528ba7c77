// Objects in Kubernetes' protobuf, driven by the tables.
#include <algorithm>
#include <limits>

#include "api/convert.h"
#include "api/field_slots.h"
#include "api/form.h"
#include "api/scalars.h"
#include "base/clock.h"
#include "base/strings.h"
#include "codec/json.h"
#include "codec/wire.h"

namespace skiff::api {
using codec::Arena;
using codec::Member;
using codec::Value;
using codec::WireReader;
using codec::WireType;

namespace {
// Deeper input is refused: only JSONSchemaProps nests without bound.
constexpr int kMaxDepth = 500;

// ---- writing ------------------------------------------------------------------------------------
// ---------------------------------------------------------------------------------------------------------

bool isScalar(FieldKind kind) { return kind <= FieldKind::Bytes; }

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Status message(const Value& value, const TypeInfo& type) {
    if (type.isWrapper) return field(value, type.fields.front());
    FieldSlots fields(value, type);
    for (uint16_t entry : type.wireOrder) {
      if (entry & TypeInfo::kWireGroup) {
        const InlineGroup& group = type.groups[entry & ~TypeInfo::kWireGroup];
        size_t mark = codec::beginMessage(out_, group.number);
        TRY(message(value, *group.type));
        codec::endMessage(out_, mark);
      } else {
        TRY(field(fields[entry], type.fields[entry]));
      }
    }
    return okStatus();
  }

 private:
  Status field(const Value& value, const FieldInfo& info) {
    switch (info.cardinality) {
      case Cardinality::List:
        for (const auto& item : value.items()) TRY(one(item, info, info.number));
        return okStatus();
      case Cardinality::Map:
        return map(value, info);
      case Cardinality::Optional:
        return value.isNull() ? okStatus() : one(value, info, info.number);
      case Cardinality::Single:
        // Bytes are the one Go form held by value that knows "absent".
        if (value.isNull() && info.kind == FieldKind::Bytes) return okStatus();
        return one(value, info, info.number);
    }
    return okStatus();
  }

  Status map(const Value& value, const FieldInfo& info) {
    std::vector<const Member*> sorted;
    for (const auto& member : value.members()) sorted.push_back(&member);
    std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->key < b->key; });
    for (const auto* member : sorted) {
      size_t mark = codec::beginMessage(out_, info.number);
      codec::writeBytesField(out_, 1, member->key);
      TRY(one(member->value, info, 2));
      codec::endMessage(out_, mark);
    }
    return okStatus();
  }

  Status one(const Value& value, const FieldInfo& info, uint32_t number) {
    if (isScalar(info.kind)) return scalar(value, info, number);
    size_t mark = codec::beginMessage(out_, number);
    TRY(inner(value, info));
    codec::endMessage(out_, mark);
    return okStatus();
  }

  Status scalar(const Value& value, const FieldInfo& info, uint32_t number) {
    switch (info.kind) {
      case FieldKind::Bool:
        codec::writeVarintField(out_, number, value.asBool());
        break;
      case FieldKind::Double: {
        double d = value.asDouble();
        char bytes[8];
        std::memcpy(bytes, &d, 8);
        codec::writeTag(out_, number, WireType::Fixed64);
        out_.append(bytes, 8);
        break;
      }
      case FieldKind::Bytes: {
        auto bytes = base64Decode(value.asString());
        if (!bytes) return badRequest(concat("field ", info.json, ": illegal base64 data"));
        codec::writeBytesField(out_, number, *bytes);
        break;
      }
      case FieldKind::String:
        codec::writeBytesField(out_, number, value.asString());
        break;
      default:
        codec::writeVarintField(out_, number, uint64_t(value.asInt()));
    }
    return okStatus();
  }

  // The insides of a message-typed value.
  Status inner(const Value& value, const FieldInfo& info) {
    switch (info.kind) {
      case FieldKind::Time:
      case FieldKind::MicroTime:
        return time(value, info);
      case FieldKind::Duration: {
        auto duration = parseDuration(value.isNull() ? "0s" : value.asString());
        if (!duration) return badRequest(concat("field ", info.json, ": invalid duration"));
        codec::writeVarintField(out_, 1, uint64_t(duration->count()));
        return okStatus();
      }
      case FieldKind::Quantity:
        codec::writeBytesField(out_, 1, value.isNull() ? "0" : value.asString());
        return okStatus();
      case FieldKind::IntOrString:
        codec::writeVarintField(out_, 1, value.isString());
        codec::writeVarintField(out_, 2, uint64_t(value.asInt()));
        codec::writeBytesField(out_, 3, value.asString());
        return okStatus();
      case FieldKind::RawExtension:
      case FieldKind::FieldsV1:
      case FieldKind::Json:
        if (value.isRaw()) codec::writeBytesField(out_, 1, value.asRaw());
        else if (!value.isNull()) codec::writeBytesField(out_, 1, codec::toJson(value));
        return okStatus();
      case FieldKind::JsonSchemaOrArray:
      case FieldKind::JsonSchemaOrBool:
      case FieldKind::JsonSchemaOrStringArray:
        return schemaOr(value, info);
      case FieldKind::Message:
        return info.type ? message(value, *info.type) : okStatus();
      default:
        return okStatus();
    }
  }

  Status time(const Value& value, const FieldInfo& info) {
    if (value.isNull()) return okStatus();
    auto time = parseRfc3339(value.asString());
    if (!time) return badRequest(concat("field ", info.json, ": invalid time"));
    auto whole = std::chrono::floor<seconds>(*time);
    bool micro = info.kind == FieldKind::MicroTime;
    codec::writeVarintField(out_, 1, uint64_t(whole.time_since_epoch().count()));
    codec::writeVarintField(out_, 2, micro ? uint64_t((*time - whole).count()) * 1000 : 0);
    return okStatus();
  }

  Status schemaOr(const Value& value, const FieldInfo& info) {
    const TypeInfo& schema = *info.type;
    auto nested = [&](const Value& item, uint32_t number) -> Status {
      size_t mark = codec::beginMessage(out_, number);
      TRY(message(item, schema));
      codec::endMessage(out_, mark);
      return okStatus();
    };
    uint32_t schemaNumber = info.kind == FieldKind::JsonSchemaOrBool ? 2 : 1;
    if (info.kind == FieldKind::JsonSchemaOrBool)
      codec::writeVarintField(out_, 1, value.isMap() || value.asBool());
    if (value.isMap()) return nested(value, schemaNumber);
    for (const auto& item : value.items()) {
      if (info.kind == FieldKind::JsonSchemaOrStringArray)
        codec::writeBytesField(out_, 2, item.asString());
      else
        TRY(nested(item, 2));
    }
    return okStatus();
  }

  std::string& out_;
};

// ---- reading ------------------------------------------------------------------------------------
// ---------------------------------------------------------------------------------------------------------

Error malformed(const TypeInfo& type) { return badRequest(concat("proto: malformed ", type.name)); }

class Reader {
 public:
  explicit Reader(Arena& arena) : arena_(arena) {}

  Result<Value> message(std::string_view bytes, const TypeInfo& type, int depth) {
    if (depth > kMaxDepth) return badRequest("proto: exceeded max depth");
    std::vector<Value> slots(type.fields.size());
    TRY(fill(bytes, type, type, slots, depth));
    if (type.isWrapper) return slots.front().isNull() ? Value::list() : slots.front();
    Value out = Value::map();
    out.reserve(arena_, slots.size() < 16 ? slots.size() : 16);
    for (size_t i = 0; i < slots.size(); ++i)
      if (type.fields[i].cardinality == Cardinality::Map) normalise(slots[i]);
    for (size_t i = 0; i < slots.size(); ++i) emitField(out, type.fields[i], &slots[i], arena_);
    return out;
  }

 private:
  // Reads the fields of `type`, which is `root` or one of the messages inlined in it, into root's
  // slots.
  Status fill(std::string_view bytes, const TypeInfo& type, const TypeInfo& root,
              std::vector<Value>& slots, int depth) {
    WireReader reader(bytes);
    size_t at = 0;
    while (reader.next()) {
      for (size_t tried = 0; tried < type.wireOrder.size(); ++tried, ++at) {
        if (at >= type.wireOrder.size()) at = 0;
        if (numberAt(type, at) == reader.field()) break;
      }
      if (at >= type.wireOrder.size()) at = 0;
      if (type.wireOrder.empty() || numberAt(type, at) != reader.field())
        continue;  // of a newer version
      uint16_t entry = type.wireOrder[at];
      if (entry & TypeInfo::kWireGroup) {
        if (reader.type() != WireType::Bytes) return malformed(type);
        TRY(fill(reader.bytes(), *type.groups[entry & ~TypeInfo::kWireGroup].type, root, slots,
                 depth));
        continue;
      }
      const FieldInfo& info = type.fields[entry];
      const FieldInfo* slot = &type == &root ? &info : root.field(info.json);
      if (slot) TRY(field(reader, info, slots[size_t(slot - root.fields.data())], type, depth));
    }
    return reader.failed() ? Status(malformed(type)) : okStatus();
  }

  static uint32_t numberAt(const TypeInfo& type, size_t at) {
    uint16_t entry = type.wireOrder[at];
    if (entry & TypeInfo::kWireGroup) return type.groups[entry & ~TypeInfo::kWireGroup].number;
    return type.fields[entry].number;
  }

  Status field(const WireReader& reader, const FieldInfo& info, Value& slot, const TypeInfo& owner,
               int depth) {
    switch (info.cardinality) {
      case Cardinality::List: {
        Value item = TRY(one(reader, info, owner, depth));
        slot.push(arena_, item);
        return okStatus();
      }
      case Cardinality::Map:
        return mapEntry(reader, info, slot, owner, depth);
      default:
        slot = TRY(one(reader, info, owner, depth));
        return okStatus();
    }
  }

  Status mapEntry(const WireReader& reader, const FieldInfo& info, Value& slot,
                  const TypeInfo& owner, int depth) {
    if (reader.type() != WireType::Bytes) return malformed(owner);
    WireReader entry(reader.bytes());
    std::string_view key;
    Value value = emptyElement(info);
    while (entry.next()) {
      if (entry.field() == 1 && entry.type() == WireType::Bytes) key = entry.bytes();
      if (entry.field() == 2) value = TRY(one(entry, info, owner, depth));
    }
    if (entry.failed()) return malformed(owner);
    slot.append(arena_, arena_.copy(key), value);
    return okStatus();
  }

  // Keys in order, each once: of equal ones the last counts.
  static void normalise(Value& map) {
    auto members = map.members();
    auto unordered = [](const Member& a, const Member& b) { return a.key >= b.key; };
    if (std::adjacent_find(members.begin(), members.end(), unordered) == members.end()) return;
    std::stable_sort(members.begin(), members.end(),
                     [](const Member& a, const Member& b) { return a.key < b.key; });
    size_t kept = 0;
    for (size_t i = 0; i < members.size(); ++i) {
      if (i + 1 < members.size() && members[i].key == members[i + 1].key) continue;
      members[kept++] = members[i];
    }
    map.truncate(kept);
  }

  Value emptyElement(const FieldInfo& info) {
    switch (info.kind) {
      case FieldKind::String:
      case FieldKind::Bytes:
        return Value::string("");
      case FieldKind::Quantity:
        return Value::string("0");
      case FieldKind::Message:
        return info.type->isWrapper ? Value::list() : zeroMessage(*info.type, arena_);
      default:
        return Value::null();
    }
  }

  Result<Value> one(const WireReader& reader, const FieldInfo& info, const TypeInfo& owner,
                    int depth) {
    bool varint = info.kind == FieldKind::Bool || info.kind == FieldKind::Int32 ||
                  info.kind == FieldKind::Int64;
    WireType wanted = varint                           ? WireType::Varint
                      : info.kind == FieldKind::Double ? WireType::Fixed64
                                                       : WireType::Bytes;
    if (reader.type() != wanted) return malformed(owner);
    switch (info.kind) {
      case FieldKind::Bool:
        return Value::boolean(reader.varint() != 0);
      case FieldKind::Int32:
        return Value::integer(int32_t(reader.varint()));
      case FieldKind::Int64:
        return Value::integer(int64_t(reader.varint()));
      case FieldKind::Double: {
        uint64_t bits = reader.varint();
        double d;
        std::memcpy(&d, &bits, 8);
        return Value::number(d);
      }
      case FieldKind::String:
        return Value::text(arena_, reader.bytes());
      case FieldKind::Bytes:
        return Value::text(arena_, base64Encode(reader.bytes()));
      default:
        return inner(reader.bytes(), info, owner, depth);
    }
  }

  Result<Value> inner(std::string_view bytes, const FieldInfo& info, const TypeInfo& owner,
                      int depth) {
    switch (info.kind) {
      case FieldKind::Message:
        return message(bytes, *info.type, depth + 1);
      case FieldKind::JsonSchemaOrArray:
      case FieldKind::JsonSchemaOrBool:
      case FieldKind::JsonSchemaOrStringArray:
        return schemaOr(bytes, info, depth);
      default:
        return wellKnown(bytes, info, owner);
    }
  }

  Result<Value> wellKnown(std::string_view bytes, const FieldInfo& info, const TypeInfo& owner) {
    WireReader reader(bytes);
    int64_t numbers[4] = {};
    std::string_view texts[4];
    while (reader.next()) {
      if (reader.field() > 3) continue;
      numbers[reader.field()] = int64_t(reader.varint());
      texts[reader.field()] = reader.bytes();
    }
    if (reader.failed()) return malformed(owner);
    switch (info.kind) {
      case FieldKind::Time:
      case FieldKind::MicroTime:
        return time(bytes.empty(), numbers[1], numbers[2], info.kind == FieldKind::MicroTime,
                    owner);
      case FieldKind::Duration:
        return Value::text(arena_, formatDuration(std::chrono::nanoseconds(numbers[1])));
      case FieldKind::Quantity:
        return texts[1].empty() ? Value::string("0") : Value::text(arena_, texts[1]);
      case FieldKind::IntOrString:
        if (numbers[1] != 0) return Value::text(arena_, texts[3]);
        return Value::integer(int32_t(numbers[2]));
      case FieldKind::FieldsV1:
        return fieldsV1(texts[1]);
      default:
        return raw(texts[1]);
    }
  }

  // Checked once: what is written later is this text, spaces and what HTML would take amiss aside.
  Result<Value> fieldsV1(std::string_view json) {
    if (json.empty()) return Value::null();
    Arena scratch;
    Value tree = TRY(codec::parseJson(json, scratch, {.copyStrings = false}));
    bool plain = json.find_first_of(" \t\r\n<>&") == json.npos;
    return Value::raw(arena_.copy(plain ? json : codec::toJson(tree)));
  }

  Result<Value> time(bool unset, int64_t secondsCount, int64_t nanos, bool micro,
                     const TypeInfo& owner) {
    // Years 0 to 9999: what RFC 3339 can say.
    constexpr int64_t low = -62167219200, high = 253402300799;
    if (unset) return Value::null();
    if (secondsCount < low || secondsCount > high || nanos < 0 || nanos > 999'999'999)
      return malformed(owner);
    WallTime value{seconds(secondsCount) + microseconds(micro ? nanos / 1000 : 0)};
    return Value::text(arena_, micro ? formatRfc3339Micro(value) : formatRfc3339(value));
  }

  // JSON, or an object of a known kind in an envelope of its own.
  Result<Value> raw(std::string_view bytes) {
    if (bytes.empty()) return Value::null();
    if (!bytes.starts_with(kProtobufMagic)) return codec::parseJson(bytes, arena_);
    Envelope envelope = TRY(unwrapProtobuf(bytes));
    auto slash = envelope.apiVersion.rfind('/');
    bool core = slash == envelope.apiVersion.npos;
    const TypeInfo* type =
        findKind(core ? "" : envelope.apiVersion.substr(0, slash),
                 core ? envelope.apiVersion : envelope.apiVersion.substr(slash + 1), envelope.kind);
    if (!type)
      return badRequest(concat("no kind ", quoted(envelope.kind), " is registered for version ",
                               quoted(envelope.apiVersion)));
    return decodeProtobuf(envelope.raw, *type, arena_);
  }

  // Of a bool and a schema the schema counts, of a schema and a list the list: as upstream's JSON of the two.
  Result<Value> schemaOr(std::string_view bytes, const FieldInfo& info, int depth) {
    const TypeInfo& schema = *info.type;
    WireReader reader(bytes);
    Value out;
    bool isBool = info.kind == FieldKind::JsonSchemaOrBool;
    while (reader.next()) {
      if (isBool && reader.field() == 1) {
        if (!out.isMap()) out = Value::boolean(reader.varint() != 0);
      } else if (reader.type() != WireType::Bytes) {
        return malformed(schema);
      } else if (reader.field() == (isBool ? 2u : 1u)) {
        Value one = TRY(message(reader.bytes(), schema, depth + 1));
        if (!out.isList()) out = one;
      } else if (reader.field() == 2) {
        bool text = info.kind == FieldKind::JsonSchemaOrStringArray;
        Value item = text ? Value::text(arena_, reader.bytes()) : TRY(message(reader.bytes(), schema, depth + 1));
        if (!out.isList()) out = Value::list();
        out.push(arena_, item);
      }
    }
    return reader.failed() ? Result<Value>(malformed(schema)) : out;
  }

  Arena& arena_;
};
}  // namespace

Status encodeProtobuf(const Value& value, const TypeInfo& type, std::string& out) {
  if (type.wireOrder.empty() && !type.fields.empty())
    return Error(
        Reason::NotAcceptable,
        concat("object *", type.name, " does not implement the protobuf marshalling interface"));
  return Writer(out).message(value, type);
}

Result<Value> decodeProtobuf(std::string_view bytes, const TypeInfo& type, Arena& arena) {
  Value fields = TRY(Reader(arena).message(bytes, type, 0));
  if (!type.isKind) return fields;
  Value out = Value::map();
  out.reserve(arena, fields.size() + 2);
  out.append(arena, "kind", Value::string(type.name));
  out.append(arena, "apiVersion", Value::text(arena, apiVersionOf(type)));
  for (const auto& member : fields.members()) out.append(arena, member.key, member.value);
  return out;
}

std::string wrapProtobuf(std::string_view apiVersion, std::string_view kind, std::string_view raw) {
  std::string out(kProtobufMagic);
  out.reserve(raw.size() + apiVersion.size() + kind.size() + 32);
  size_t mark = codec::beginMessage(out, 1);
  codec::writeBytesField(out, 1, apiVersion);
  codec::writeBytesField(out, 2, kind);
  codec::endMessage(out, mark);
  codec::writeBytesField(out, 2, raw);
  codec::writeBytesField(out, 3, "");
  codec::writeBytesField(out, 4, "");
  return out;
}

Result<Envelope> unwrapProtobuf(std::string_view bytes) {
  if (!bytes.starts_with(kProtobufMagic))
    return badRequest("provided data does not appear to be a protobuf message");
  WireReader reader(bytes.substr(kProtobufMagic.size()));
  Envelope out;
  std::string_view typeMeta;
  while (reader.next()) {
    if (reader.type() != WireType::Bytes) continue;
    if (reader.field() == 1) typeMeta = reader.bytes();
    if (reader.field() == 2) out.raw = reader.bytes();
    if (reader.field() == 3) out.contentEncoding = reader.bytes();
    if (reader.field() == 4) out.contentType = reader.bytes();
  }
  WireReader meta(typeMeta);
  while (!reader.failed() && meta.next()) {
    if (meta.field() == 1) out.apiVersion = meta.bytes();
    if (meta.field() == 2) out.kind = meta.bytes();
  }
  if (reader.failed() || meta.failed()) return badRequest("unable to decode the protobuf envelope");
  return out;
}

}  // namespace skiff::api
