// The v2 document as protobuf: the messages of gnostic's OpenAPIv2.proto, which clients ask for as
// "application/com.github.proto-openapi.spec.v2@v1.0+protobuf".
#include <functional>

#include "api/openapi_impl.h"
#include "base/strings.h"
#include "codec/json.h"
#include "codec/wire.h"

namespace skiff::api::openapi {
namespace {
using codec::Member;
using codec::WireType;

// A member of a JSON object and the number of its field; the names are those of the JSON.
struct Plain {
  std::string_view json;
  uint32_t number;
};

class GnosticWriter {
 public:
  void document(const Value& document) {
    plain(document, {{"swagger", 1}});
    message(2, document["info"], [&](const Value& info) {
      plain(info, {{"title", 1}, {"version", 2}, {"description", 3}});
    });
    message(8, document["paths"], [&](const Value& paths) {
      named(2, paths, [&](const Value& item) { pathItem(item); });
    });
    message(9, document["definitions"],
            [&](const Value& all) { named(1, all, [&](const Value& one) { schema(one); }); });
    message(10, document["parameters"],
            [&](const Value& all) { named(1, all, [&](const Value& one) { parameter(one); }); });
    for (const auto& requirement : document["security"].items())
      message(12, requirement, [&](const Value& schemes) {
        named(1, schemes, [&](const Value& scopes) { texts(1, scopes); });
      });
    message(13, document["securityDefinitions"], [&](const Value& all) {
      named(1, all, [&](const Value& one) {
        message(2, one, [&](const Value& key) {
          plain(key, {{"type", 1}, {"name", 2}, {"in", 3}, {"description", 4}});
        });
      });
    });
  }

  std::string take() { return std::move(out_); }

 private:
  using Body = std::function<void(const Value&)>;

  void message(uint32_t number, const Value& value, const Body& body) {
    if (value.isNull()) return;
    size_t mark = codec::beginMessage(out_, number);
    body(value);
    codec::endMessage(out_, mark);
  }

  // Map members as {name = 1, value = 2}; extensions have a list of their own.
  void named(uint32_t number, const Value& map, const Body& body) {
    for (const auto& member : map.members()) {
      size_t mark = codec::beginMessage(out_, number);
      codec::writeBytesField(out_, 1, member.key);
      message(2, member.value, body);
      codec::endMessage(out_, mark);
    }
  }

  void scalar(uint32_t number, const Value& value) {
    if (value.isString() && !value.asString().empty())
      codec::writeBytesField(out_, number, value.asString());
    if (value.isBool() && value.asBool()) codec::writeVarintField(out_, number, 1);
    if (value.isInt() && value.asInt() != 0)
      codec::writeVarintField(out_, number, uint64_t(value.asInt()));
  }
  void plain(const Value& object, std::initializer_list<Plain> fields) {
    for (const auto& field : fields) scalar(field.number, object[field.json]);
  }
  void number(uint32_t field, const Value& value) {
    if (!value.isNumber() || value.asDouble() == 0) return;
    double d = value.asDouble();
    codec::writeTag(out_, field, WireType::Fixed64);
    out_.append(reinterpret_cast<const char*>(&d), sizeof d);
  }
  void texts(uint32_t number, const Value& list) {
    for (const auto& item : list.items()) codec::writeBytesField(out_, number, item.asString());
  }
  // Any value rides as YAML, of which JSON is a part.
  void any(uint32_t number, const Value& value) {
    if (value.isNull()) return;
    size_t mark = codec::beginMessage(out_, number);
    codec::writeBytesField(out_, 2, codec::toJsonSorted(value) + "\n");
    codec::endMessage(out_, mark);
  }
  void extensions(uint32_t number, const Value& object) {
    for (const auto& member : object.members()) {
      if (!member.key.starts_with("x-")) continue;
      size_t mark = codec::beginMessage(out_, number);
      codec::writeBytesField(out_, 1, member.key);
      any(2, member.value);
      codec::endMessage(out_, mark);
    }
  }

  void pathItem(const Value& item) {
    constexpr Plain methods[] = {{"get", 2},     {"put", 3},  {"post", 4}, {"delete", 5},
                                 {"options", 6}, {"head", 7}, {"patch", 8}};
    for (const auto& method : methods)
      message(method.number, item[method.json], [&](const Value& op) { operation(op); });
    parameterItems(9, item["parameters"]);
    extensions(10, item);
  }

  void operation(const Value& op) {
    texts(1, op["tags"]);
    plain(op, {{"summary", 2}, {"description", 3}, {"operationId", 5}});
    texts(6, op["produces"]);
    texts(7, op["consumes"]);
    parameterItems(8, op["parameters"]);
    message(9, op["responses"], [&](const Value& responses) {
      named(1, responses, [&](const Value& response) {
        message(1, response, [&](const Value& body) {
          plain(body, {{"description", 1}});
          message(2, body["schema"],
                  [&](const Value& item) { message(1, item, [&](const Value& s) { schema(s); }); });
        });
      });
    });
    texts(10, op["schemes"]);
    extensions(13, op);
  }

  void parameterItems(uint32_t number, const Value& list) {
    for (const auto& item : list.items()) {
      size_t mark = codec::beginMessage(out_, number);
      if (item.has("$ref"))
        message(2, item, [&](const Value& reference) { plain(reference, {{"$ref", 1}}); });
      else
        message(1, item, [&](const Value& p) { parameter(p); });
      codec::endMessage(out_, mark);
    }
  }

  void parameter(const Value& p) {
    std::string_view in = p["in"].asString();
    if (in == "body")
      return message(1, p, [&](const Value& body) {
        plain(body, {{"description", 1}, {"name", 2}, {"in", 3}, {"required", 4}});
        message(5, body["schema"], [&](const Value& s) { schema(s); });
      });
    message(2, p, [&](const Value& other) {
      bool path = in == "path";
      message(path ? 4 : 3, other, [&](const Value& one) {
        plain(one, {{"required", 1}, {"in", 2}, {"description", 3}, {"name", 4}});
        if (path)
          plain(one, {{"type", 5}, {"uniqueItems", 19}});
        else
          plain(one, {{"type", 6}, {"uniqueItems", 20}});
      });
    });
  }

  void schema(const Value& s) {
    plain(s, {{"$ref", 1}, {"format", 2}, {"title", 3}, {"description", 4}});
    any(5, s["default"]);
    number(6, s["multipleOf"]);
    number(7, s["maximum"]);
    plain(s, {{"exclusiveMaximum", 8}});
    number(9, s["minimum"]);
    plain(s, {{"exclusiveMinimum", 10},
              {"maxLength", 11},
              {"minLength", 12},
              {"pattern", 13},
              {"maxItems", 14},
              {"minItems", 15},
              {"uniqueItems", 16},
              {"maxProperties", 17},
              {"minProperties", 18}});
    texts(19, s["required"]);
    for (const auto& value : s["enum"].items()) any(20, value);
    const Value& additional = s["additionalProperties"];
    if (additional.isMap() || additional.isBool())
      message(21, additional, [&](const Value& item) {
        if (item.isBool())
          codec::writeVarintField(out_, 2, item.asBool());
        else
          message(1, item, [&](const Value& one) { schema(one); });
      });
    message(22, s["type"],
            [&](const Value& type) { codec::writeBytesField(out_, 1, type.asString()); });
    message(23, s["items"],
            [&](const Value& items) { message(1, items, [&](const Value& one) { schema(one); }); });
    for (const auto& one : s["allOf"].items())
      message(24, one, [&](const Value& part) { schema(part); });
    message(25, s["properties"],
            [&](const Value& all) { named(1, all, [&](const Value& one) { schema(one); }); });
    extensions(31, s);
  }

  std::string out_;
};
}  // namespace

std::string gnosticDocument(const Value& document) {
  GnosticWriter writer;
  writer.document(document);
  return writer.take();
}

}  // namespace skiff::api::openapi
