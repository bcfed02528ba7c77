#include "apiserver/table.h"

#include "apiserver/crd.h"
#include "apiserver/json_path.h"
#include "apiserver/list.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

constexpr Column kNameColumn{"Name", "string", "name"};
constexpr Column kGenericColumns[] = {kNameColumn, {"Created At", "date", ""}};

void printGeneric(const Value& object, Cells& cells) {
  cells.text(object["metadata"]["name"].asString());
  const Value& created = object["metadata"]["creationTimestamp"];
  cells.value(created.isNull() ? Value::string("<unknown>") : created);
}
constexpr Printer kGeneric{"", "", kGenericColumns, printGeneric};

Value columnValue(std::string_view name, std::string_view type, std::string_view format, std::string_view description,
                  int64_t priority, Arena& arena) {
  Value column = Value::map();
  column.set(arena, "name", Value::text(arena, name));
  column.set(arena, "type", Value::text(arena, type));
  column.set(arena, "format", Value::text(arena, format));
  column.set(arena, "description", Value::text(arena, description));
  column.set(arena, "priority", Value::integer(priority));
  return column;
}

// A custom resource's own column; several values of a path are shown with commas.
Value customCell(const Value& object, const PrinterColumn& column, WallTime now, Arena& arena) {
  auto found = findJsonPath(object, column.jsonPath);
  if (found.empty()) return Value::null();
  const Value& value = *found.front();
  if (column.type == "integer") {
    if (value.isInt()) return value;
    if (value.isDouble()) return Value::integer(int64_t(value.asDouble()));
    return Value::null();
  }
  if (column.type == "number") return value.isNumber() ? value : Value::null();
  if (column.type == "boolean") return value.isBool() ? value : Value::null();
  if (column.type == "date") {
    auto time = parseRfc3339(value.asString());
    if (!time) return Value::string("<invalid>");
    return Value::text(arena, humanDuration(std::chrono::duration_cast<seconds>(now - *time)));
  }
  std::vector<std::string> texts;
  for (const Value* item : found) texts.push_back(item->isString() ? item->str() : codec::toJson(*item));
  return Value::text(arena, join(texts, ","));
}

Value customCells(const Value& object, const CustomVersion& version, WallTime now, Arena& arena) {
  Value cells = Value::list();
  cells.push(arena, object["metadata"]["name"]);
  for (const PrinterColumn& column : version.columns) cells.push(arena, customCell(object, column, now, arena));
  if (version.columns.empty()) {
    Cells age(arena, now);
    age.age(object["metadata"]["creationTimestamp"]);
    cells.push(arena, age.take().at(0));
  }
  return cells;
}

Value columnsOf(const ServedResource& resource, const Printer& printer, Arena& arena) {
  Value columns = Value::list();
  if (!resource.custom) {
    for (const Column& column : printer.columns)
      columns.push(arena, columnValue(column.name, column.type, column.format, column.name, column.priority, arena));
    return columns;
  }
  columns.push(arena, columnValue("Name", "string", "name", "Name must be unique within a namespace.", 0, arena));
  for (const PrinterColumn& column : resource.customVersion->columns)
    columns.push(arena, columnValue(column.name, column.type, column.format, column.description, column.priority, arena));
  if (resource.customVersion->columns.empty())
    columns.push(arena, columnValue("Age", "date", "", "Age", 0, arena));
  return columns;
}

}  // namespace

std::string humanDuration(seconds duration) {
  int64_t s = duration.count();
  // Clocks of two machines differ a little; more than that is no age.
  if (s < -1) return "<invalid>";
  if (s < 0) return "0s";
  if (s < 120) return concat(s, "s");
  int64_t m = s / 60;
  if (m < 10) return s % 60 == 0 ? concat(m, "m") : concat(m, "m", s % 60, "s");
  if (m < 180) return concat(m, "m");
  int64_t h = m / 60;
  if (h < 8) return m % 60 == 0 ? concat(h, "h") : concat(h, "h", m % 60, "m");
  if (h < 48) return concat(h, "h");
  int64_t d = h / 24;
  if (h < 192) return h % 24 == 0 ? concat(d, "d") : concat(d, "d", h % 24, "h");
  if (d < 365 * 2) return concat(d, "d");
  int64_t y = d / 365;
  if (y < 8) return d % 365 == 0 ? concat(y, "y") : concat(y, "y", d % 365, "d");
  return concat(y, "y");
}

void Cells::age(const Value& timestamp) {
  auto time = timestamp.isString() ? parseRfc3339(timestamp.asString()) : std::nullopt;
  if (!time) return text("<unknown>");
  text(humanDuration(std::chrono::duration_cast<seconds>(now_ - *time)));
}

Value tableOf(const ServedResource& resource, std::span<const api::ObjectPtr> objects, std::string_view includeObject,
              std::string_view metaVersion, WallTime now, Arena& arena) {
  const Printer* printer = findPrinter(resource.info->group, resource.info->plural);
  if (!printer) printer = &kGeneric;
  Value table = Value::map();
  table.set(arena, "kind", Value::string("Table"));
  table.set(arena, "apiVersion", Value::text(arena, concat("meta.k8s.io/", metaVersion)));
  table.set(arena, "metadata", Value::map());
  table.set(arena, "columnDefinitions", columnsOf(resource, *printer, arena));
  Value rows = Value::list();
  rows.reserve(arena, objects.size());
  for (const api::ObjectPtr& object : objects) {
    Value row = Value::map();
    if (resource.custom) {
      row.set(arena, "cells", customCells(object->root(), *resource.customVersion, now, arena));
    } else {
      Cells cells(arena, now);
      printer->print(object->root(), cells);
      row.set(arena, "cells", cells.take());
    }
    if (includeObject == "Object") row.set(arena, "object", object->root());
    else if (includeObject != "None") row.set(arena, "object", partialMetadata(object->root(), metaVersion, arena));
    rows.push(arena, row);
  }
  table.set(arena, "rows", rows);
  return table;
}

}  // namespace skiff::apiserver
