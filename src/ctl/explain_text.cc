#include <algorithm>

#include "base/strings.h"
#include "ctl/explain.h"

namespace skiff::ctl {
namespace {

using codec::Value;

constexpr size_t kWidth = 80;
constexpr size_t kEnumValuesInLine = 4;

// Appends a text in lines that end before the page's edge; its own line breaks stay.
void appendWrapped(std::string& out, std::string_view text, size_t indent) {
  const std::string margin(indent, ' ');
  for (std::string_view paragraph : split(text, '\n')) {
    std::string line = margin;
    for (std::string_view word : splitNonEmpty(paragraph, ' ')) {
      bool first = line.size() == indent;
      if (!first && line.size() + 1 + word.size() > kWidth) {
        out += concat(line, '\n');
        line = margin;
        first = true;
      }
      line += concat(first ? "" : " ", word);
    }
    out += concat(line, '\n');
  }
}

// The names of a $ref: "#/components/schemas/io.k8s.api.core.v1.Pod" is "io.k8s.api.core.v1.Pod", for readers "Pod".
std::string_view idOf(std::string_view ref) { return ref.substr(ref.rfind('/') + 1); }
std::string_view nameOf(std::string_view ref) { return ref.substr(ref.rfind('.') + 1); }

// A value of an enumeration; the empty one would not be seen.
std::string_view shown(const Value& value) { return value.asString().empty() ? R"("")" : value.asString(); }

class Explanation {
 public:
  Explanation(const Value& schemas, const ExplainOptions& options) : schemas_(schemas), options_(options) {}

  // The schema of a kind; null when the document does not have it.
  const Value* kind(std::string_view group, std::string_view version, std::string_view kind) const {
    for (const auto& schema : schemas_.members())
      for (const Value& gvk : schema.value["x-kubernetes-group-version-kind"].items())
        if (gvk["group"].asString() == group && gvk["version"].asString() == version && gvk["kind"].asString() == kind)
          return &schema.value;
    return nullptr;
  }

  // The field's own schema, which may only refer to another; null when there is no such field.
  const Value* field(const Value& schema, std::string_view name) const {
    const Value& properties = objectOf(schema)["properties"];
    return properties.has(name) ? &properties[name] : nullptr;
  }

  std::string typeOf(const Value& schema) const {
    if (schema.has("$ref")) {
      std::string_view ref = schema["$ref"].asString();
      const Value& target = schemas_[idOf(ref)];
      std::string_view type = target["type"].asString();
      return type.empty() || type == "object" ? std::string(nameOf(ref)) : typeOf(target);
    }
    if (schema["allOf"].items().size() == 1) return typeOf(schema["allOf"].at(0));
    std::string_view type = schema["type"].asString();
    if (type == "array") return concat("[]", typeOf(schema["items"]));
    if (schema["additionalProperties"].isMap()) return concat("map[string]", typeOf(schema["additionalProperties"]));
    return type.empty() || type == "object" ? "Object" : std::string(type);
  }

  // DESCRIPTION: what the field says of itself, then what its type says.
  std::string description(const Value& schema) const {
    std::string out;
    describe(schema, out);
    return concat("DESCRIPTION:\n", out.empty() ? "    <empty>\n" : out, out.empty() ? "" : "    \n");
  }

  std::string fields(const Value& schema) {
    std::string out;
    if (options_.recursive) tree(schema, 1, out);
    else list(schema, out);
    return out.empty() ? "" : concat("FIELDS:\n", out);
  }

 private:
  // Follows references, and lists and maps to what they hold, down to the schema with the fields.
  const Value& objectOf(const Value& schema, std::string_view* ref = nullptr) const {
    const Value* at = &schema;
    for (int steps = 0; steps < 32; ++steps) {  // documents of strangers may lead in circles
      if (at->has("$ref")) {
        std::string_view target = (*at)["$ref"].asString();
        if (ref) *ref = target;
        at = &schemas_[idOf(target)];
      } else if ((*at)["allOf"].items().size() == 1) {
        at = &(*at)["allOf"].at(0);
      } else if ((*at)["items"].isMap()) {
        at = &(*at)["items"];
      } else if ((*at)["additionalProperties"].isMap()) {
        at = &(*at)["additionalProperties"];
      } else {
        break;
      }
    }
    return *at;
  }

  void describe(const Value& schema, std::string& out, int depth = 0) const {
    if (depth > 32) return;
    if (schema.has("$ref")) return describe(schemas_[idOf(schema["$ref"].asString())], out, depth + 1);
    if (std::string_view text = schema["description"].asString(); !text.empty()) appendWrapped(out, text, 4);
    for (const Value& part : schema["allOf"].items()) describe(part, out, depth + 1);
    for (const char* below : {"items", "additionalProperties"})
      if (schema[below].isMap()) describe(schema[below], out, depth + 1);
  }

  std::string heading(const Value& object, std::string_view name, const Value& schema, size_t indent) const {
    bool required = std::ranges::any_of(object["required"].items(), [&](const Value& r) { return r.asString() == name; });
    const std::string margin(indent, ' ');
    std::string out = concat(margin, name, "\t<", typeOf(schema), ">", required ? " -required-" : "", "\n");
    std::vector<std::string_view> values;
    for (const Value& value : schema["enum"].items()) values.push_back(shown(value));
    bool cut = values.size() > kEnumValuesInLine;
    if (cut) values.resize(kEnumValuesInLine);
    if (!values.empty()) out += concat(margin, "enum: ", join(values, ", "), cut ? ", ....\n" : "\n");
    return out;
  }

  static std::vector<std::string_view> namesOf(const Value& object) {
    std::vector<std::string_view> names;
    for (const auto& property : object["properties"].members()) names.push_back(property.key);
    std::ranges::sort(names);
    return names;
  }

  void list(const Value& schema, std::string& out) const {
    const Value& object = objectOf(schema);
    for (std::string_view name : namesOf(object)) {
      const Value& field = object["properties"][name];
      out += heading(object, name, field, 2);
      std::string_view text = field["description"].asString();
      appendWrapped(out, text.empty() ? "<no description>" : text, 4);
      out += '\n';
    }
  }

  // A type that holds itself is shown once on each way down.
  void tree(const Value& schema, int depth, std::string& out) {
    std::string_view ref;
    const Value& object = objectOf(schema, &ref);
    if (!ref.empty() && std::ranges::find(above_, ref) != above_.end()) return;
    above_.push_back(ref);
    for (std::string_view name : namesOf(object)) {
      const Value& field = object["properties"][name];
      out += heading(object, name, field, size_t(depth) * 2);
      if (options_.maxDepth == 0 || depth < options_.maxDepth) tree(field, depth + 1, out);
    }
    above_.pop_back();
  }

  const Value& schemas_;
  const ExplainOptions& options_;
  std::vector<std::string_view> above_;
};

}  // namespace

Result<std::string> explain(const Value& document, std::string_view group, std::string_view version, std::string_view kind,
                            const std::vector<std::string_view>& path, const ExplainOptions& options) {
  Explanation explanation(document["components"]["schemas"], options);
  const Value* schema = explanation.kind(group, version, kind);
  if (!schema)
    return badRequest(concat("GVK ", group, "/", version, ", Kind=", kind, " not found in the server's OpenAPI"));
  std::string out = group.empty() ? "" : concat("GROUP:      ", group, "\n");
  out += concat("KIND:       ", kind, "\nVERSION:    ", version, "\n\n");
  for (std::string_view name : path) {
    schema = explanation.field(*schema, name);
    if (!schema) return badRequest(concat("field ", quoted(name), " does not exist"));
  }
  if (!path.empty()) {
    out += concat("FIELD: ", path.back(), " <", explanation.typeOf(*schema), ">\n");
    if (!(*schema)["enum"].empty()) out += "ENUM:\n";
    else out += '\n';
    for (const Value& value : (*schema)["enum"].items()) out += concat("    ", shown(value), "\n");
    out += '\n';
  }
  return concat(out, explanation.description(*schema), explanation.fields(*schema), "\n");
}

}  // namespace skiff::ctl
