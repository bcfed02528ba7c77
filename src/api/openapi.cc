// Documents: operations and definitions in the words of OpenAPI v2 and v3.
#include "api/openapi.h"

#include <algorithm>
#include <set>

#include "api/openapi_impl.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using namespace openapi;

namespace {
// Group versions that clients of older releases know, though this server never serves them.
constexpr std::pair<std::string_view, std::string_view> kForgotten[] = {
    {"admission.k8s.io", "v1beta1"},
    {"apiextensions.k8s.io", "v1beta1"},
    {"apiregistration.k8s.io", "v1beta1"},
    {"apps", "v1beta1"},
    {"apps", "v1beta2"},
    {"authorization.k8s.io", "v1beta1"},
    {"batch", "v1beta1"},
    {"discovery.k8s.io", "v1beta1"},
    {"events.k8s.io", "v1beta1"},
    {"extensions", "v1beta1"},
    {"flowcontrol.apiserver.k8s.io", "v1beta1"},
    {"flowcontrol.apiserver.k8s.io", "v1beta2"},
    {"flowcontrol.apiserver.k8s.io", "v1beta3"},
    {"node.k8s.io", "v1alpha1"},
    {"node.k8s.io", "v1beta1"},
    {"policy", "v1beta1"},
    {"rbac.authorization.k8s.io", "v1alpha1"},
    {"rbac.authorization.k8s.io", "v1beta1"}};

bool isApiPackage(const TypeInfo& type) {
  return type.protoPackage.starts_with("k8s.io.api.") ||
         type.protoPackage.find(".pkg.apis.apiextensions.") != std::string_view::npos ||
         type.protoPackage.find(".pkg.apis.apiregistration.") != std::string_view::npos;
}

// All group versions in whose name options and watch events may be sent.
std::vector<std::pair<std::string, std::string>> everyGroupVersion() {
  std::set<std::pair<std::string, std::string>> all;
  for (const auto& gv : builtinGroupVersions()) {
    bool counts = !gv.version.empty() && !gv.types.empty() && isApiPackage(*gv.types.front()) &&
                  gv.group != "apidiscovery.k8s.io";
    if (counts) all.emplace(gv.group, gv.version);
  }
  for (const auto& [group, version] : kForgotten) all.emplace(group, version);
  return {all.begin(), all.end()};
}

// ---- building blocks ----------------------------------------------------------------------------
// -------------------------------------------------------------------------------------------------

class DocumentWriter {
 public:
  DocumentWriter(Flavor flavor, Arena& arena, const OpenApiInfo& info)
      : flavor_(flavor), arena_(arena), info_(info) {}

  Value paths(std::vector<Operation> operations) {
    std::map<std::string, std::vector<Operation*>> byPath;
    for (auto& operation : operations) byPath[operation.path].push_back(&operation);
    Value out = Value::map();
    for (auto& [path, all] : byPath) out.append(arena_, arena_.copy(path), pathItem(all));
    return out;
  }

  Value document(Value paths, const Definitions& definitions) {
    Value out = Value::map();
    set(out, flavor_ == Flavor::V2 ? "swagger" : "openapi",
        text(flavor_ == Flavor::V2 ? "2.0" : "3.0.0"));
    Value info = Value::map();
    set(info, "title", text("Kubernetes"));
    set(info, "version", text(info_.gitVersion));
    set(out, "info", info);
    set(out, "paths", paths);
    Value token = Value::map(), schemes = Value::map();
    set(token, "type", text("apiKey"));
    set(token, "in", text("header"));
    set(token, "name", text("authorization"));
    set(token, "description", text("Bearer Token authentication"));
    set(schemes, "BearerToken", token);
    if (flavor_ == Flavor::V2) {
      set(out, "definitions", definitions.all());
      set(out, "parameters", shared_);
      set(out, "securityDefinitions", schemes);
      Value one = Value::map(), security = Value::list();
      set(one, "BearerToken", Value::list());
      security.push(arena_, one);
      set(out, "security", security);
    } else {
      Value components = Value::map();
      if (Value all = definitions.all(); !all.empty()) set(components, "schemas", all);
      set(components, "securitySchemes", schemes);
      set(out, "components", components);
    }
    return out;
  }

 private:
  Value text(std::string_view s) { return Value::text(arena_, s); }
  void set(Value& map, std::string_view key, Value value) { map.set(arena_, key, value); }
  Value texts(const std::vector<std::string_view>& items) {
    Value out = Value::list();
    for (auto item : items) out.push(arena_, text(item));
    return out;
  }
  // A type by name, or a schema as it is.
  Value schema(const Value& value) {
    if (!value.isString()) return value;
    Value out = Value::map();
    set(out, "type", value);
    return out;
  }

  static bool byName(const Parameter& a, const Parameter& b) {
    return std::tie(a.name, a.in) < std::tie(b.name, b.in);
  }

  // Parameters that all operations of a path have belong to the path.
  Value pathItem(std::vector<Operation*>& operations) {
    std::vector<Parameter> shared = operations.front()->parameters;
    for (const Operation* op : operations)
      std::erase_if(shared, [&](const Parameter& p) {
        return std::find(op->parameters.begin(), op->parameters.end(), p) == op->parameters.end();
      });
    std::sort(shared.begin(), shared.end(), byName);
    Value out = Value::map();
    for (Operation* op : operations) {
      std::erase_if(op->parameters, [&](const Parameter& p) {
        return std::find(shared.begin(), shared.end(), p) != shared.end();
      });
      std::sort(op->parameters.begin(), op->parameters.end(), byName);
      set(out, op->method, operation(*op));
    }
    if (!shared.empty()) {
      Value list = Value::list();
      for (const auto& p : shared) list.push(arena_, parameter(p));
      set(out, "parameters", list);
    }
    return out;
  }

  Value operation(const Operation& op) {
    Value out = Value::map();
    set(out, "operationId", text(op.id));
    set(out, "description",
        text(op.action.empty() ? "Information about the API." : concat(op.action, " ", op.kind)));
    Value tags = Value::list();
    tags.push(arena_, text(op.tag));
    set(out, "tags", tags);
    parametersAndBody(out, op);
    Value responses = Value::map();
    for (const auto& [code, answer] : op.responses)
      set(responses, code, response(op, code, answer));
    set(out, "responses", responses);
    if (flavor_ == Flavor::V2) {
      if (!op.consumes.empty()) set(out, "consumes", texts(op.consumes));
      set(out, "produces", texts(op.produces));
      Value schemes = Value::list();
      schemes.push(arena_, text("https"));
      set(out, "schemes", schemes);
    }
    if (!op.action.empty()) set(out, "x-kubernetes-action", text(op.action));
    if (!op.kind.empty()) {
      Value kind = Value::map();
      set(kind, "group", text(op.group));
      set(kind, "kind", text(op.kind));
      set(kind, "version", text(op.version));
      set(out, "x-kubernetes-group-version-kind", kind);
    }
    return out;
  }

  void parametersAndBody(Value& out, const Operation& op) {
    Value list = Value::list();
    if (!op.body.isNull() && flavor_ == Flavor::V2) list.push(arena_, bodyParameter(op));
    for (const auto& p : op.parameters) list.push(arena_, parameter(p));
    if (!list.empty()) set(out, "parameters", list);
    if (op.body.isNull() || flavor_ == Flavor::V2) return;
    Value body = Value::map(), content = Value::map();
    for (auto media : op.consumes) {
      Value one = Value::map();
      set(one, "schema", op.body);
      set(content, media, one);
    }
    set(body, "content", content);
    if (op.bodyRequired) set(body, "required", Value::boolean(true));
    set(out, "requestBody", body);
  }

  Value bodyParameter(const Operation& op) {
    Value body = Value::map();
    set(body, "in", text("body"));
    set(body, "name", text("body"));
    if (op.bodyRequired) set(body, "required", Value::boolean(true));
    set(body, "schema", op.body);
    return op.bodyIsCommon ? sharedParameter("body", body) : body;
  }

  Value parameter(const Parameter& p) {
    Value out = Value::map();
    set(out, "description", text(p.description));
    set(out, "in", text(p.in));
    set(out, "name", text(p.name));
    if (p.in == "path") set(out, "required", Value::boolean(true));
    if (flavor_ == Flavor::V3) {
      Value type = Value::map();
      set(type, "type", text(p.type));
      set(type, "uniqueItems", Value::boolean(true));
      set(out, "schema", type);
      return out;
    }
    set(out, "type", text(p.type));
    set(out, "uniqueItems", Value::boolean(true));
    return p.common ? sharedParameter(p.name, out) : out;
  }

  // Version 2 names what recurs: the name ends in a mark of what the parameter says.
  Value sharedParameter(std::string_view name, const Value& parameter) {
    auto id = concat(name, '-', fnvText(codec::toJsonSorted(parameter)));
    if (!shared_.has(id)) set(shared_, id, parameter);
    Value out = Value::map();
    set(out, "$ref", text(concat("#/parameters/", id)));
    return out;
  }
  static std::string fnvText(std::string_view bytes) {
    uint32_t hash = fnv32a(bytes);
    char raw[4];
    for (int i = 0; i < 4; ++i) raw[i] = char(hash >> (8 * i));
    return hexEncode(std::string_view(raw, 4));
  }

  Value response(const Operation& op, std::string_view code, const Value& answer) {
    constexpr std::pair<std::string_view, std::string_view> words[] = {
        {"200", "OK"}, {"201", "Created"}, {"202", "Accepted"}, {"401", "Unauthorized"}};
    Value out = Value::map();
    for (const auto& [number, word] : words)
      if (number == code) set(out, "description", text(word));
    if (answer.isNull()) return out;
    if (flavor_ == Flavor::V2) {
      set(out, "schema", schema(answer));
      return out;
    }
    Value content = Value::map();
    for (auto media : op.produces) {
      Value one = Value::map();
      set(one, "schema", schema(answer));
      set(content, media, one);
    }
    set(out, "content", content);
    return out;
  }

  Flavor flavor_;
  Arena& arena_;
  const OpenApiInfo& info_;
  Value shared_ = Value::map();
};

std::string versionName(const OpenApiVersion& served) {
  return served.group.empty() ? concat("api/", served.version)
                              : concat("apis/", served.group, '/', served.version);
}
constexpr std::string_view kPlain[] = {".well-known/openid-configuration", "api", "apis",
                                       "openid/v1/jwks", "version"};
}  // namespace

std::vector<OpenApiVersion> builtinOpenApiVersions() {
  std::vector<OpenApiVersion> out;
  for (const auto& gv : builtinGroupVersions()) {
    OpenApiVersion served{std::string(gv.group), std::string(gv.version), {}, {}};
    for (const auto& resource : gv.resources)
      if (resource.onByDefault) served.resources.push_back(&resource);
    if (!served.resources.empty()) out.push_back(std::move(served));
  }
  return out;
}

namespace {
Value v2Document(std::span<const OpenApiVersion> served, const OpenApiInfo& info, Arena& arena) {
  Definitions definitions(Flavor::V2, arena, everyGroupVersion());
  std::vector<Operation> operations;
  auto take = [&](std::vector<Operation> more) {
    operations.insert(operations.end(), std::make_move_iterator(more.begin()),
                      std::make_move_iterator(more.end()));
  };
  std::set<std::string> about(std::begin(kPlain), std::end(kPlain));
  for (const auto& version : served) {
    if (!version.group.empty()) about.insert("apis/" + version.group);
    take(operationsOf(version, definitions));
  }
  for (const auto& name : about) take(operationsAbout(name, definitions));
  DocumentWriter writer(Flavor::V2, arena, info);
  Value paths = writer.paths(std::move(operations));
  return writer.document(paths, definitions);
}
}  // namespace

std::string openApiV2(std::span<const OpenApiVersion> served, const OpenApiInfo& info, std::span<const OpenApiPart> others) {
  Arena arena;
  Value document = v2Document(served, info, arena);
  for (const OpenApiPart& part : others) mergeV2(document, part, arena);
  return codec::toJsonSorted(document);
}

std::string openApiV2Protobuf(std::span<const OpenApiVersion> served, const OpenApiInfo& info,
                              std::span<const OpenApiPart> others) {
  Arena arena;
  Value document = v2Document(served, info, arena);
  for (const OpenApiPart& part : others) mergeV2(document, part, arena);
  return gnosticDocument(document);
}

std::vector<std::string> openApiV3Names(std::span<const OpenApiVersion> served) {
  std::set<std::string> names(std::begin(kPlain), std::end(kPlain));
  for (const auto& version : served) {
    names.insert(versionName(version));
    if (!version.group.empty()) names.insert("apis/" + version.group);
  }
  return {names.begin(), names.end()};
}

Result<std::string> openApiV3(std::span<const OpenApiVersion> served, std::string_view name,
                              const OpenApiInfo& info) {
  Arena arena;
  auto found = std::find_if(served.begin(), served.end(),
                            [&](const auto& v) { return versionName(v) == name; });
  std::vector<std::pair<std::string, std::string>> kinds{{"", "v1"}};
  if (found != served.end() && !found->group.empty())
    kinds.emplace_back(found->group, found->version);
  Definitions definitions(Flavor::V3, arena, std::move(kinds));
  std::vector<Operation> operations;
  if (found != served.end()) {
    operations = operationsOf(*found, definitions);
  } else {
    auto names = openApiV3Names(served);
    if (std::find(names.begin(), names.end(), name) != names.end())
      operations = operationsAbout(name, definitions);
  }
  if (operations.empty()) return Error(Reason::NotFound, concat("no OpenAPI document ", name));
  DocumentWriter writer(Flavor::V3, arena, info);
  Value paths = writer.paths(std::move(operations));
  return codec::toJsonSorted(writer.document(paths, definitions));
}

}  // namespace skiff::api
