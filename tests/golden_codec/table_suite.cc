// Printed columns and cells.
#include <algorithm>
#include <filesystem>

#include "api/table.h"
#include "base/strings.h"
#include "codec/json.h"
#include "suites.h"

namespace skiff::golden {
namespace {
using codec::Value;

std::string columnsText(const Value& columns) {
  std::string out;
  for (const auto& c : columns.items())
    out += concat(c["name"].asString(), ':', c["type"].asString(), ':', c["format"].asString(), ':',
                  c["priority"].asInt(), ' ');
  return out;
}
std::string columnsText(const std::vector<api::Column>& columns) {
  std::string out;
  for (const auto& c : columns)
    out += concat(c.name, ':', c.type, ':', c.format, ':', c.priority, ' ');
  return out;
}

void checkColumns(const std::string& facts, Tally& tally) {
  codec::Arena arena;
  auto tables = codec::parseJson(readFile(facts + "/tables.json"), arena);
  if (!tables.ok()) return tally.fail("tables.json", tables.error().message());
  for (const auto& table : tables->items()) {
    std::string name = concat(table["group"].asString(), "/", table["version"].asString(), " ",
                              table["resource"].asString());
    if (!wanted(tally, name)) continue;
    const auto* resource = api::findResource(table["group"].asString(), table["version"].asString(),
                                             table["resource"].asString());
    if (!resource) {
      tally.fail(name, "no such resource");
      continue;
    }
    std::string ours = columnsText(api::columnsOf(*resource)), want = columnsText(table["columns"]);
    ours == want ? tally.pass()
                 : tally.fail(name, concat("columns\n  ours ", ours, "\n  want ", want));
  }
}

// Ages depend on the moment of the recording: any is right where one is due.
bool sameCell(const Value& ours, const Value& want) {
  auto isAge = [](std::string_view text) {
    return text.size() >= 2 &&
           std::string_view("smhdy").find(text.back()) != std::string_view::npos &&
           text[0] >= '0' && text[0] <= '9';
  };
  return ours == want || (isAge(ours.asString()) && isAge(want.asString()));
}
}  // namespace

void runTables(const std::string& facts, Tally& tally) {
  checkColumns(facts, tally);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(facts + "/golden/table"))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::string name = path.stem().string();
    if (!wanted(tally, name)) continue;
    codec::Arena arena;
    auto parsed = codec::parseJson(readFile(path.string()), arena);
    if (!parsed.ok()) {
      tally.fail(name, parsed.error().message());
      continue;
    }
    const Value& object = (*parsed)["json"];
    std::string_view version = object["apiVersion"].asString(), group;
    if (auto parts = cut(version, "/")) std::tie(group, version) = *parts;
    const auto* resource = api::findResourceByKind(group, version, object["kind"].asString());
    if (!resource) {
      tally.fail(name, "no such resource");
      continue;
    }
    WallTime now =
        parseRfc3339(object["metadata"]["creationTimestamp"].asString()).value_or(WallTime{});
    Value cells;
    api::rowOf(*resource, object, now, arena, cells);
    const Value& want = (*parsed)["cells"];
    bool same = cells.size() == want.size();
    for (size_t i = 0; same && i < cells.size(); ++i) same = sameCell(cells.at(i), want.at(i));
    same ? tally.pass()
         : tally.fail(name,
                      concat("\n  ours ", codec::toJson(cells), "\n  want ", codec::toJson(want)));
  }
}

}  // namespace skiff::golden
