#include "api/table.h"

#include <algorithm>

#include "api/selectors.h"
#include "api/table_rows.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Arena;
using codec::Value;

namespace {
constexpr std::string_view kDefaultColumns = "Name:name Created_At:date";

void printDefault(Row& row) {
  row.name();
  row.createdAt();
}

const TablePrinter* printerOf(const ResourceInfo& resource) {
  for (auto printers : {corePrinters(), workloadPrinters(), otherPrinters()})
    for (const auto& printer : printers)
      if (printer.plural == resource.plural && printer.group == resource.group) return &printer;
  return nullptr;
}

std::string_view describe(std::string_view column) {
  constexpr std::pair<std::string_view, std::string_view> texts[] = {
      {"Name", "Name of the object, unique within its namespace and resource."},
      {"Age", "Time since the object was created."},
      {"Created At", "Time at which the object was created, in UTC."},
      {"Status", "Where the object stands in its life."},
      {"Ready", "How many are ready to serve, of those wanted."},
      {"Restarts", "How often containers were started again, and when last."},
      {"IP", "Address of the pod."},
      {"Node", "Node that this belongs to."},
      {"Desired", "How many are wanted."},
      {"Current", "How many there are."},
      {"Up-to-date", "How many run the current template."},
      {"Available", "How many have been ready for long enough."},
      {"Containers", "Names of the containers in the template."},
      {"Images", "Images of the containers in the template."},
      {"Selector", "Labels by which pods are chosen."},
      {"Reason", "Short cause of the state."},
      {"Message", "What happened, for people."},
      {"Last Seen", "Time since this was last seen."},
      {"First Seen", "Time since this was first seen."},
      {"Type", "Kind of the object within its resource."},
      {"Data", "How many keys it holds."},
  };
  for (const auto& [name, text] : texts)
    if (name == column) return text;
  return "See the resource's API reference.";
}

Column parseColumn(std::string_view word) {
  Column out;
  if (word.ends_with('*')) {
    out.priority = 1;
    word.remove_suffix(1);
  }
  if (auto parts = cut(word, ":")) {
    word = parts->first;
    auto kind = parts->second;
    if (kind == "name")
      out.format = "name";
    else
      out.type = kind == "int" ? "integer" : kind == "bool" ? "boolean" : std::string(kind);
  }
  out.name = replaceAll(word, "_", " ");
  out.description = describe(out.name);
  return out;
}
}  // namespace

std::vector<Column> columnsOf(const ResourceInfo& resource) {
  const TablePrinter* printer = printerOf(resource);
  std::vector<Column> out;
  for (auto word : splitNonEmpty(printer ? printer->columns : kDefaultColumns, ' '))
    out.push_back(parseColumn(word));
  return out;
}

void rowOf(const ResourceInfo& resource, const Value& object, WallTime now, Arena& arena,
           Value& cells) {
  const TablePrinter* printer = printerOf(resource);
  cells = Value::list();
  Row row(object, now, arena, cells);
  (printer ? printer->print : printDefault)(row);
}

// ---- custom resources ---------------------------------------------------------------------------
// ------------------------------------------------------------------------------------------------

CustomTable::CustomTable(const Value& version) {
  columns_.push_back({"Name", "string", "name", std::string(describe("Name")), 0});
  for (const auto& column : version["additionalPrinterColumns"].items()) {
    auto path = JsonPath::parsePath(column["jsonPath"].asString());
    if (!path.ok()) continue;
    columns_.push_back({column["name"].str(), column["type"].str(), column["format"].str(),
                        column["description"].str(), int(column["priority"].asInt())});
    paths_.push_back(*path);
  }
  if (!version["additionalPrinterColumns"].empty()) return;
  columns_.push_back({"Age", "date", "", std::string(describe("Age")), 0});
  paths_.push_back(*JsonPath::parsePath(".metadata.creationTimestamp"));
}

namespace {
Value customCell(const Column& column, const Value& value, WallTime now, Arena& arena) {
  if (column.type == "integer") {
    if (value.isInt()) return value;
    if (value.isDouble()) return Value::integer(int64_t(value.asDouble()));
  } else if (column.type == "number") {
    if (value.isNumber()) return value;
  } else if (column.type == "boolean") {
    if (value.isBool()) return value;
  } else if (column.type == "date") {
    if (value.isString()) {
      bool valid = parseRfc3339(value.asString()).has_value();
      return Value::text(arena, valid ? humanAge(value.asString(), now) : "<invalid>");
    }
  } else if (!value.isNull()) {
    return Value::text(arena, jsonPathText(value));
  }
  return Value::null();
}
}  // namespace

void CustomTable::row(const Value& object, WallTime now, Arena& arena, Value& cells) const {
  cells = Value::list();
  cells.push(arena, Value::text(arena, object["metadata"]["name"].asString()));
  for (size_t i = 0; i < paths_.size(); ++i) {
    auto found = paths_[i].find(object);
    bool present = found.ok() && !found->empty();
    cells.push(arena,
               present ? customCell(columns_[i + 1], *found->front(), now, arena) : Value::null());
  }
}

// ---- shared by the groups' printers -------------------------------------------------------------
// ----------------------------------------------------------------------------------

std::string humanDuration(std::chrono::seconds span) {
  int64_t s = span.count();
  if (s < -1) return "<invalid>";
  if (s < 0) return "0s";
  auto two = [](int64_t big, std::string_view bigUnit, int64_t small, std::string_view smallUnit) {
    return small == 0 ? concat(big, bigUnit) : concat(big, bigUnit, small, smallUnit);
  };
  int64_t minutes = s / 60, hours = s / 3600, days = hours / 24;
  if (s < 120) return concat(s, 's');
  if (minutes < 10) return two(minutes, "m", s % 60, "s");
  if (minutes < 180) return concat(minutes, 'm');
  if (hours < 8) return two(hours, "h", minutes % 60, "m");
  if (hours < 48) return concat(hours, 'h');
  if (days < 8) return two(days, "d", hours % 24, "h");
  if (days < 730) return concat(days, 'd');
  if (days < 2920) return two(days / 365, "y", days % 365, "d");
  return concat(days / 365, 'y');
}

std::string humanAge(std::string_view time, WallTime now) {
  auto then = parseRfc3339(time);
  if (!then) return "<unknown>";
  return humanDuration(std::chrono::duration_cast<std::chrono::seconds>(now - *then));
}

std::string Row::ageOf(const Value& time) const { return humanAge(time.asString(), now_); }

std::string labelsText(const Value& labels) {
  std::vector<std::string> parts;
  for (const auto& label : labels.members())
    parts.push_back(concat(label.key, "=", label.value.asString()));
  std::sort(parts.begin(), parts.end());
  return parts.empty() ? "<none>" : join(parts, ",");
}

std::string selectorText(const Value& selector) {
  auto parsed = LabelSelector::fromValue(selector);
  if (!parsed.ok()) return "<error>";
  std::string text = parsed->str();
  return text.empty() ? "<none>" : text;
}

void containerColumns(Row& row, const Value& podSpec) {
  std::vector<std::string> names, images;
  for (const auto& container : podSpec["containers"].items()) {
    names.push_back(container["name"].str());
    images.push_back(container["image"].str());
  }
  row.text(join(names, ","));
  row.text(join(images, ","));
}

std::string joinedWithMore(const std::vector<std::string>& parts, size_t limit,
                           std::string_view separator) {
  if (parts.size() <= limit) return join(parts, separator);
  std::vector<std::string> shown(parts.begin(), parts.begin() + ptrdiff_t(limit));
  return concat(join(shown, separator), " + ", parts.size() - limit, " more...");
}

std::string joinTexts(const Value& list, std::string_view separator) {
  std::vector<std::string> parts;
  for (const auto& item : list.items()) parts.push_back(item.str());
  return join(parts, separator);
}

const Value& conditionOf(const Value& status, std::string_view type) {
  for (const auto& condition : status["conditions"].items())
    if (condition["type"].asString() == type) return condition;
  return status["conditions"]["none"];  // Null: a list has no such member
}

std::string loadBalancerText(const Value& loadBalancer) {
  std::vector<std::string> parts;
  for (const auto& ingress : loadBalancer["ingress"].items()) {
    std::string text = ingress["ip"].str();
    if (text.empty()) text = ingress["hostname"].str();
    if (!text.empty() && std::find(parts.begin(), parts.end(), text) == parts.end())
      parts.push_back(text);
  }
  std::sort(parts.begin(), parts.end());
  return join(parts, ",");
}

std::string numberText(const Value& value) {
  return value.isString() ? value.str() : codec::toJson(value);
}

}  // namespace skiff::api
