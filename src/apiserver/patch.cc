// PATCH: the four kinds of patch as a transform of the live object.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply
#include "api/patch.h"
#include "apiserver/crd.h"
#include "apiserver/managed_fields.h"
#include "apiserver/rest.h"
#include "apiserver/status.h"
#include "apiserver/write_options.h"
#include "base/strings.h"
#include "codec/json.h"
#include "codec/yaml.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

enum class PatchKind { Json, Merge, Strategic, Apply };

Error unsupportedPatch() { return {Reason::UnsupportedMediaType, "415: Unsupported Media Type", ErrorDetails{}}; }

Result<PatchKind> patchKind(std::string_view contentType, bool custom) {
  std::string type = toLower(trim(contentType.substr(0, contentType.find(';'))));
  if (type == "application/json-patch+json") return PatchKind::Json;
  if (type == "application/merge-patch+json") return PatchKind::Merge;
  if (type == "application/apply-patch+yaml") return PatchKind::Apply;
  if (type != "application/strategic-merge-patch+json") return unsupportedPatch();
  if (!custom) return PatchKind::Strategic;
  return Error(Reason::UnsupportedMediaType,
               "the body of the request was in an unknown format - accepted media types include: "
               "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
}

std::string_view goKind(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::List: return "array";
    case Value::Kind::Map:
    case Value::Kind::Raw: return "object";
    case Value::Kind::String: return "string";
    case Value::Kind::Bool: return "bool";
    default: return "number";
  }
}

// A patch as it was sent, parsed once for all attempts.
struct ParsedPatch {
  PatchKind kind = PatchKind::Merge;
  codec::Document document;
  std::vector<std::string> problems;  // unknown and duplicate fields of the patch itself
};

constexpr int kMaxApplyDepth = 512;

// Most clients send JSON, which is YAML too but read much faster as what it is. What JSON's parser does not like is YAML's
// to judge.
Result<codec::Value> parseApplied(std::string_view body, codec::Arena& arena, std::vector<std::string>& problems) {
  if (body.starts_with('{')) {
    std::vector<std::string> duplicates;
    auto parsed = codec::parseJson(body, arena, {.maxDepth = kMaxApplyDepth, .duplicates = &duplicates});
    if (parsed.ok() && duplicates.empty()) return parsed;
  }
  return codec::parseYaml(body, arena, &problems);
}

Result<std::shared_ptr<ParsedPatch>> parsePatch(Exchange& exchange, PatchKind kind) {
  auto patch = std::make_shared<ParsedPatch>();
  patch->kind = kind;
  std::string_view body = exchange.request().body.view();
  if (kind == PatchKind::Apply) {
    auto parsed = parseApplied(body, patch->document.arena, patch->problems);
    if (!parsed.ok()) return badRequest(concat("error encoding patch: ", parsed.error().message()));
    patch->document.root = *parsed;
    if (!patch->document.root.isMap())
      return badRequest(concat("error decoding YAML: object expected, found ", goKind(patch->document.root)));
    return patch;
  }
  std::vector<std::string> duplicates;
  codec::JsonOptions options;
  options.duplicates = &duplicates;
  auto parsed = codec::parseJson(body, patch->document.arena, options);
  if (!parsed.ok()) return badRequest("invalid JSON patch");
  patch->document.root = *parsed;
  const Value& root = patch->document.root;
  if (kind == PatchKind::Json) {
    if (!root.isList())
      return badRequest(concat("error decoding patch: json: cannot unmarshal ", goKind(root),
                               " into Go value of type []handlers.jsonPatchOp"));
    size_t index = 0;
    for (const Value& operation : root.items()) {
      for (const codec::Member& member : operation.members())
        if (member.key != "op" && member.key != "path" && member.key != "from" && member.key != "value")
          patch->problems.push_back(concat("json patch unknown field \"[", index, "].", member.key, "\""));
      ++index;
    }
  } else if (!root.isMap() && !root.isNull()) {
    return badRequest(concat("error decoding patch: json: cannot unmarshal ", goKind(root),
                             " into Go value of type map[string]interface {}"));
  }
  for (const std::string& path : duplicates) patch->problems.push_back(concat("duplicate field ", quoted(path)));
  return patch;
}

// Go's error for a patch whose result does not decode.
Error invalidPatch(std::string_view shown, std::string_view why) {
  ErrorDetails details;
  std::string message = concat("Invalid value: ", quoted(shown), ": ", why);
  details.causes.push_back({"FieldValueInvalid", message, "patch"});
  return {Reason::Invalid, concat(" \"\" is invalid: patch: ", message), std::move(details)};
}

void sortMembers(Value& map) { std::ranges::sort(map.members(), {}, &codec::Member::key); }

// Go decodes the maps that a patch touches into sorted ones and leaves the others as they were encoded; messages show that.
void sortTouched(Value& value, const Value& patch) {
  if (!value.isMap() || !patch.isMap()) return;
  sortMembers(value);
  for (const codec::Member& member : patch.members())
    if (Value* child = value.find(member.key)) sortTouched(*child, member.value);
}
void sortAlong(Value& value, std::string_view pointer) {
  if (!value.isMap()) return;
  sortMembers(value);
  Value* at = &value;
  auto parts = split(pointer, '/');
  for (size_t i = 1; i + 1 < parts.size(); ++i) {
    at = at->find(parts[i]);
    if (!at || !at->isMap()) return;
    sortMembers(*at);
  }
}

std::string shownResult(const ParsedPatch& patch, const Value& patched, Arena& arena) {
  if (patch.kind == PatchKind::Strategic) return api::goText(patch.document.root);
  Value copy = patched.clone(arena);
  if (patch.kind == PatchKind::Merge) sortTouched(copy, patch.document.root);
  else
    for (const Value& operation : patch.document.root.items()) sortAlong(copy, operation["path"].asString());
  return codec::toJson(copy);
}

Result<Value> applyPatch(const ParsedPatch& patch, const Value& live, const ExpectedKind& kind, Arena& arena) {
  switch (patch.kind) {
    case PatchKind::Json: return api::applyJsonPatch(live, patch.document.root, arena);
    case PatchKind::Strategic: return api::applyStrategicMergePatch(*kind.type, live, patch.document.root, arena);
    default: return api::applyMergePatch(live, patch.document.root, arena);
  }
}

Status checkApplyTarget(const Value& config, const ExpectedKind& kind, const WriteCall& call) {
  std::string_view apiVersion = config["apiVersion"].asString();
  if (apiVersion != api::apiVersionOf(kind.group, kind.version) || config["kind"].asString() != kind.kind) {
    auto slash = cut(apiVersion, "/");
    return badRequest(concat("invalid object type: ", slash ? slash->first : "", "/", slash ? slash->second : apiVersion,
                             ", Kind=", config["kind"].asString()));
  }
  std::string_view name = config["metadata"]["name"].asString();
  if (name != call.name && !name.empty())
    return badRequest(concat("the name of the object (", name, ") does not match the name on the URL (", call.name, ")"));
  return okStatus();
}

}  // namespace

bool isApplyPatch(const Exchange& exchange) {
  auto kind = patchKind(exchange.request().headers.get("content-type"), true);
  return kind.ok() && *kind == PatchKind::Apply;
}

Result<Transform> Rest::applyScaleTransform(Exchange& exchange, const WriteCall& call, const ExpectedKind& scale,
                                            ConfigOf toObject) {
  WriteOptions options = TRY(parseWriteOptions(exchange.query, OptionsKind::ApplyPatch));
  std::shared_ptr<ParsedPatch> patch = TRY(parsePatch(exchange, PatchKind::Apply));
  TRY(checkApplyTarget(patch->document.root, scale, call));
  TRY(conformObject(patch->document.root, scale, patch->document.arena, patch->problems));
  for (std::string& problem : patch->problems) {
    if (options.fieldValidation == FieldValidation::Strict) return badRequest("strict decoding error: " + problem);
    if (options.fieldValidation == FieldValidation::Warn) exchange.addWarning(std::move(problem));
  }
  ApplyCall how{options.fieldManager, options.force, call.subresource};
  auto now = parts_.registry->clock().now();
  return Transform([=, resource = exchange.resource](const Value* live, Arena& arena) {
    return applyManaged(live, toObject(patch->document.root, arena), *resource, how, now, arena);
  });
}

Result<Transform> Rest::patchTransform(Exchange& exchange, const WriteCall& call, const ExpectedKind& expected,
                                       bool* apply) {
  const ServedResource& resource = *exchange.resource;
  PatchKind kind = TRY(patchKind(exchange.request().headers.get("content-type"), resource.custom != nullptr));
  OptionsKind optionsKind = kind == PatchKind::Apply ? OptionsKind::ApplyPatch : OptionsKind::Patch;
  WriteOptions options = TRY(parseWriteOptions(exchange.query, optionsKind));
  std::shared_ptr<ParsedPatch> patch = TRY(parsePatch(exchange, kind));
  *apply = kind == PatchKind::Apply;
  if (*apply) {
    TRY(checkApplyTarget(patch->document.root, expected, call));
    FieldValidation strictness = options.fieldValidation;
    if (!patch->problems.empty() && strictness != FieldValidation::Ignore) {
      std::string text = concat("error converting YAML to JSON: ", codec::yamlDuplicatesError(patch->problems));
      if (strictness == FieldValidation::Strict) return badRequest(concat("error strict decoding YAML: ", text));
      exchange.addWarning(std::move(text));
    }
    ApplyCall how{options.fieldManager, options.force, call.subresource};
    auto now = parts_.registry->clock().now();
    return Transform([=, &resource, &exchange](const Value* live, Arena& arena) -> Result<Value> {
      Value merged = TRY(applyManaged(live, patch->document.root, resource, how, now, arena));
      std::vector<std::string> unknown;
      TRY(conformObject(merged, expected, arena, unknown));
      defaultObject(merged, expected, arena);
      setTypeMeta(merged, arena, arena.copy(api::apiVersionOf(expected.group, expected.version)),
                  arena.copy(expected.kind));
      for (std::string& problem : unknown) exchange.addWarning(std::move(problem));
      return merged;
    });
  }
  FieldValidation validation = options.fieldValidation;
  return Transform([=, &exchange, name = call.name](const Value* live, Arena& arena) -> Result<Value> {
    Value patched = TRY(applyPatch(*patch, *live, expected, arena));
    std::vector<std::string> problems = patch->problems;
    auto words = patch->kind == PatchKind::Strategic ? api::DecodeWords::Unstructured : api::DecodeWords::Json;
    Status conformed = conformObject(patched, expected, arena, problems, words);
    // Conforming has changed the tree: a message shows what was decoded, made once more.
    auto refused = [&](std::string_view why) -> Error {
      auto decoded = applyPatch(*patch, *live, expected, arena);
      return invalidPatch(shownResult(*patch, decoded.ok() ? *decoded : patched, arena), why);
    };
    if (!conformed.ok()) return refused(conformed.error().message());
    if (validation == FieldValidation::Strict && !problems.empty())
      return refused("strict decoding error: " + join(problems, ", "));
    if (validation == FieldValidation::Warn)
      for (std::string& problem : problems) exchange.addWarning(std::move(problem));
    defaultObject(patched, expected, arena);
    setTypeMeta(patched, arena, arena.copy(api::apiVersionOf(expected.group, expected.version)),
                arena.copy(expected.kind));
    return patched;
  });
}

}  // namespace skiff::apiserver
