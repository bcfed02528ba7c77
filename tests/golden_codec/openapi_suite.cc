// Schemas of both OpenAPI versions, and the identities of all operations.
#include <set>

#include "api/openapi.h"
#include "base/strings.h"
#include "codec/json.h"
#include "suites.h"

namespace skiff::golden {
namespace {
using codec::Value;

// The recordings have no prose.
Value withoutProse(const Value& value, codec::Arena& arena) {
  if (value.isList()) {
    Value out = Value::list();
    for (const auto& item : value.items()) out.push(arena, withoutProse(item, arena));
    return out;
  }
  if (!value.isMap()) return value;
  Value out = Value::map();
  for (const auto& member : value.members())
    if (member.key != "description" || !member.value.isString())
      out.append(arena, member.key, withoutProse(member.value, arena));
  return out;
}

void compare(std::string_view what, const Value& ours, const Value& want, codec::Arena& arena,
             Tally& tally) {
  for (const auto& schema : want.members()) {
    std::string name = concat(what, " ", schema.key);
    if (!wanted(tally, name)) continue;
    Value mine = withoutProse(ours[schema.key], arena);
    std::string left = codec::toJsonSorted(mine), right = codec::toJsonSorted(schema.value);
    left == right ? tally.pass() : tally.fail(name, concat("\n  ours ", left, "\n  want ", right));
  }
}

Value parsed(const std::string& text, codec::Arena& arena) {
  auto value = codec::parseJson(text, arena);
  return value.ok() ? *value : Value::null();
}
}  // namespace

void runOpenApi(const std::string& facts, Tally& tally) {
  codec::Arena arena;
  auto served = api::builtinOpenApiVersions();
  Value v2 = parsed(api::openApiV2(served, {}), arena);
  compare("v2", v2["definitions"], parsed(readFile(facts + "/openapi-schemas-v2.json"), arena),
          arena, tally);

  Value schemas = Value::map();
  std::set<std::string> operations;
  for (const auto& name : api::openApiV3Names(served)) {
    Value document = parsed(api::openApiV3(served, name, {}).valueOr(""), arena);
    for (const auto& schema : document["components"]["schemas"].members())
      schemas.set(arena, schema.key, schema.value);
    for (const auto& path : document["paths"].members())
      for (const auto& operation : path.value.members())
        if (operation.value.isMap())
          operations.insert(
              concat(operation.key, " ", path.key, " ", operation.value["operationId"].asString()));
  }
  compare("v3", schemas, parsed(readFile(facts + "/openapi-schemas-v3.json"), arena), arena, tally);
  Value shape = parsed(readFile(facts + "/openapi-shape.json"), arena);
  for (const auto& document : shape["v3"].members())
    for (const auto& path : document.value["paths"].items())
      for (const auto& operation : path["ops"].items()) {
        auto name = concat(operation["method"].asString(), " ", path["path"].asString(), " ",
                           operation["operationId"].asString());
        if (!wanted(tally, name)) continue;
        operations.contains(name) ? tally.pass() : tally.fail(name, "absent");
      }
}

}  // namespace skiff::golden
