#include "apiserver/table.h"

#include "api/table.h"
#include "apiserver/crd.h"
#include "apiserver/list.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

Value definitions(const std::vector<api::Column>& columns, Arena& arena) {
  Value out = Value::list();
  for (const api::Column& column : columns) {
    Value definition = Value::map();
    definition.set(arena, "name", Value::text(arena, column.name));
    definition.set(arena, "type", Value::text(arena, column.type));
    definition.set(arena, "format", Value::text(arena, column.format));
    definition.set(arena, "description", Value::text(arena, column.description));
    definition.set(arena, "priority", Value::integer(column.priority));
    out.push(arena, definition);
  }
  return out;
}

Value head(const ServedResource& resource, std::string_view metaVersion, const Value& listMeta, Arena& arena) {
  const api::CustomTable* custom = resource.custom ? resource.customVersion->table.get() : nullptr;
  Value table = Value::map();
  table.set(arena, "kind", Value::string("Table"));
  table.set(arena, "apiVersion", Value::text(arena, concat("meta.k8s.io/", metaVersion)));
  table.set(arena, "metadata", listMeta);
  table.set(arena, "columnDefinitions", definitions(custom ? custom->columns() : api::columnsOf(*resource.info), arena));
  return table;
}

Value cellsOf(const ServedResource& resource, const api::ObjectPtr& object, WallTime now, Arena& arena) {
  Value cells = Value::list();
  if (resource.custom) resource.customVersion->table->row(object->root(), now, arena, cells);
  else api::rowOf(*resource.info, object->root(), now, arena, cells);
  return cells;
}

}  // namespace

Value tableOf(const ServedResource& resource, std::span<const api::ObjectPtr> objects, std::string_view includeObject,
              std::string_view metaVersion, WallTime now, Arena& arena) {
  Value table = head(resource, metaVersion, Value::map(), arena);
  Value rows = Value::list();
  rows.reserve(arena, objects.size());
  for (const api::ObjectPtr& object : objects) {
    Value row = Value::map();
    row.set(arena, "cells", cellsOf(resource, object, now, arena));
    if (includeObject == "Object") row.set(arena, "object", object->root());
    else if (includeObject != "None") row.set(arena, "object", partialMetadata(object->root(), metaVersion, arena));
    rows.push(arena, row);
  }
  table.set(arena, "rows", rows);
  return table;
}

std::vector<SharedBytes> tableJson(const ServedResource& resource, std::span<const api::ObjectPtr> objects,
                                   std::string_view includeObject, std::string_view metaVersion, const Value& listMeta,
                                   WallTime now) {
  Arena arena;
  std::vector<SharedBytes> pieces;
  pieces.reserve(objects.size() * 2 + 1);
  std::string text = codec::toJson(head(resource, metaVersion, listMeta, arena));
  text.back() = ',';  // the closing brace
  text += "\"rows\":[";
  const std::string object = concat(",\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/",
                                    metaVersion, "\",\"metadata\":");
  for (const api::ObjectPtr& item : objects) {
    if (item != objects.front()) text += ',';
    text += "{\"cells\":";
    Arena rowArena;
    codec::writeJson(text, cellsOf(resource, item, now, rowArena));
    if (includeObject != "None") {
      bool whole = includeObject == "Object";
      text += whole ? ",\"object\":" : object;
      pieces.emplace_back(std::exchange(text, {}));
      pieces.push_back(whole ? item->json() : item->metadataJson());
      if (!whole) text = "}";
    }
    text += '}';
  }
  text += "]}\n";
  pieces.emplace_back(std::move(text));
  return pieces;
}

}  // namespace skiff::apiserver
