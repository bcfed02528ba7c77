// The forms of -o that print objects.
#include "api/jsonpath.h"
#include "base/strings.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "ctl/session.h"

namespace skiff::ctl {
namespace {

using codec::Value;

std::string nameLine(const Value& object) {
  auto apiVersion = object["apiVersion"].asString();
  auto pair = cut(apiVersion, "/");
  auto kind = toLower(object["kind"].asString());
  return pair ? concat(kind, ".", pair->first, "/", object["metadata"]["name"].asString(), "\n")
              : concat(kind, "/", object["metadata"]["name"].asString(), "\n");
}

template <class Each>
void eachItem(const Value& object, Each each) {
  if (object["kind"].asString().ends_with("List") && object["items"].isList()) {
    for (const auto& item : object["items"].items()) each(item);
  } else {
    each(object);
  }
}

// NAME:.metadata.name,IMAGE:.spec.containers[*].image
Result<std::string> customColumns(const Value& object, std::string_view spec) {
  std::vector<std::string> header;
  std::vector<api::JsonPath> paths;
  for (auto part : splitNonEmpty(spec, ',')) {
    auto pair = cut(part, ":");
    if (!pair) return badRequest("custom-columns format specified but no custom columns given");
    header.emplace_back(pair->first);
    bool braced = pair->second.starts_with('{');
    paths.push_back(TRY(braced ? api::JsonPath::parse(pair->second) : api::JsonPath::parsePath(pair->second)));
  }
  std::vector<std::vector<std::string>> rows{header};
  Status failed = okStatus();
  eachItem(object, [&](const Value& item) {
    auto& row = rows.emplace_back();
    for (const auto& path : paths) {
      auto found = path.find(item);
      if (!found.ok()) failed = std::move(found).error();
      std::vector<std::string> texts;
      if (found.ok())
        for (const auto* value : *found) texts.push_back(api::jsonPathText(*value));
      row.push_back(texts.empty() ? "<none>" : join(texts, ","));
    }
  });
  if (!failed.ok()) return std::move(failed).error();
  return alignColumns(rows);
}

}  // namespace

bool isObjectOutput(std::string_view output) { return !output.empty() && output != "wide"; }

Result<std::string> printObject(const Value& object, const std::string& output) {
  if (output == "json") return codec::toJsonIndented(object) + "\n";
  if (output == "yaml") return codec::toYaml(object);
  if (output == "name") {
    std::string out;
    eachItem(object, [&](const Value& item) { out += nameLine(item); });
    return out;
  }
  if (output.starts_with("jsonpath=")) {
    auto path = TRY(api::JsonPath::parse(std::string_view(output).substr(9)));
    return path.print(object);
  }
  if (output.starts_with("custom-columns=")) return customColumns(object, std::string_view(output).substr(15));
  return badRequest(concat("unable to match a printer suitable for the output format ", quoted(output),
                           ", allowed formats are: custom-columns,json,jsonpath,name,wide,yaml"));
}

}  // namespace skiff::ctl
