#include "apiserver/table.h"

#include "api/table.h"
#include "apiserver/crd.h"
#include "apiserver/list.h"
#include "base/strings.h"

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

}  // namespace

Value tableOf(const ServedResource& resource, std::span<const api::ObjectPtr> objects, std::string_view includeObject,
              std::string_view metaVersion, WallTime now, Arena& arena) {
  const api::CustomTable* custom = resource.custom ? resource.customVersion->table.get() : nullptr;
  Value table = Value::map();
  table.set(arena, "kind", Value::string("Table"));
  table.set(arena, "apiVersion", Value::text(arena, concat("meta.k8s.io/", metaVersion)));
  table.set(arena, "metadata", Value::map());
  table.set(arena, "columnDefinitions", definitions(custom ? custom->columns() : api::columnsOf(*resource.info), arena));
  Value rows = Value::list();
  rows.reserve(arena, objects.size());
  for (const api::ObjectPtr& object : objects) {
    Value row = Value::map(), cells = Value::list();
    if (custom) custom->row(object->root(), now, arena, cells);
    else api::rowOf(*resource.info, object->root(), now, arena, cells);
    row.set(arena, "cells", cells);
    if (includeObject == "Object") row.set(arena, "object", object->root());
    else if (includeObject != "None") row.set(arena, "object", partialMetadata(object->root(), metaVersion, arena));
    rows.push(arena, row);
  }
  table.set(arena, "rows", rows);
  return table;
}

}  // namespace skiff::apiserver
