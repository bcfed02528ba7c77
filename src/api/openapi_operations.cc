// Paths and operations of resources.
#include <algorithm>

#include "api/openapi_impl.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api::openapi {
namespace {
constexpr std::string_view kJson = "application/json", kYaml = "application/yaml",
                           kProtobuf = "application/vnd.kubernetes.protobuf";

std::string capitalised(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = char(out[0] - 'a' + 'A');
  return out;
}

// "flowcontrol.apiserver.k8s.io" is FlowcontrolApiserver in operation ids.
std::string groupWord(std::string_view group) {
  if (group.empty()) return "Core";
  if (group.ends_with(".k8s.io")) group.remove_suffix(7);
  std::string out;
  for (auto part : split(group, '.')) out += capitalised(part);
  return out;
}

std::string groupTag(std::string_view group) {
  std::string word = groupWord(group);
  word[0] = char(word[0] - 'A' + 'a');
  return word;
}

Parameter query(std::string_view name, std::string_view type, std::string_view description,
                bool common = true) {
  return {std::string(name), "query", type, std::string(description), common};
}

const Parameter& prettyParameter() {
  static const Parameter pretty =
      query("pretty", "string", "Whether to indent the answer for people.");
  return pretty;
}
const std::vector<Parameter>& listParameters() {
  static const std::vector<Parameter> all = {
      query("allowWatchBookmarks", "boolean", "Ask for BOOKMARK events in a watch."),
      query("continue", "string", "Token of the previous page, to read the next one."),
      query("fieldSelector", "string", "Only objects whose fields match."),
      query("labelSelector", "string", "Only objects whose labels match."),
      query("limit", "integer", "Most objects in one answer."),
      query("resourceVersion", "string", "State that the answer may be of."),
      query("resourceVersionMatch", "string",
            "How resourceVersion is meant: Exact or NotOlderThan."),
      query("sendInitialEvents", "boolean", "Begin a watch with an event for each present object."),
      query("shardSelector", "string", "Only objects of these shards."),
      query("timeoutSeconds", "integer", "Longest time that the call may take."),
      query("watch", "boolean", "Stream changes instead of listing."),
  };
  return all;
}
const std::vector<Parameter>& deleteParameters() {
  static const std::vector<Parameter> all = {
      query("dryRun", "string", "All: do everything but store the result.", false),
      query("gracePeriodSeconds", "integer", "Seconds until the object is removed."),
      query("ignoreStoreReadErrorWithClusterBreakingPotential", "boolean",
            "Remove an object that cannot be read, without finalizers."),
      query("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
      query("propagationPolicy", "string",
            "What happens to dependents: Orphan, Background or Foreground."),
  };
  return all;
}
const std::vector<Parameter>& writeParameters() {
  static const std::vector<Parameter> all = {
      query("dryRun", "string", "All: do everything but store the result.", false),
      query("fieldManager", "string", "Name of who makes the change."),
      query("fieldValidation", "string", "What to do about unknown fields: Ignore, Warn or Strict.",
            false),
  };
  return all;
}

// Resources whose delete answers with the object instead of a Status.
bool deleteReturnsObject(const ResourceInfo& r) {
  constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"", "persistentvolumeclaims"},
      {"", "persistentvolumes"},
      {"", "pods"},
      {"", "podtemplates"},
      {"", "resourcequotas"},
      {"", "serviceaccounts"},
      {"", "services"},
      {"resource.k8s.io", "deviceclasses"},
      {"resource.k8s.io", "resourceclaims"},
      {"resource.k8s.io", "resourceclaimtemplates"},
      {"resource.k8s.io", "resourceslices"},
      {"storage.k8s.io", "csidrivers"},
      {"storage.k8s.io", "csinodes"},
      {"storage.k8s.io", "storageclasses"},
      {"storage.k8s.io", "volumeattachments"},
      {"storage.k8s.io", "volumeattributesclasses"}};
  return std::find(std::begin(names), std::end(names), std::pair(r.group, r.plural)) !=
         std::end(names);
}

class ResourceWriter {
 public:
  ResourceWriter(const OpenApiVersion& served, const ResourceInfo& resource,
                 Definitions& definitions, std::vector<Operation>& out)
      : served_(served), r_(resource), definitions_(definitions), out_(out) {
    auto custom = served.customSchemas.find(resource.kind);
    custom_ = custom != served.customSchemas.end();
    if (custom_) {
      definitions.addCustom(resource, custom->second);
      object_ = definitions.ref(customId(r_.group, r_.version, r_.kind));
    } else {
      object_ = definitions.ref(*r_.type);
    }
    root_ = r_.group.empty() ? concat("/api/", r_.version)
                             : concat("/apis/", r_.group, '/', r_.version);
    scope_ = r_.namespaced ? "/namespaces/{namespace}" : "";
  }

  void write() {
    collection();
    item();
    for (const auto& sub : r_.subresources) subresource(sub);
    if (r_.hasVerb("watch")) watches();
  }

 private:
  std::string word() const { return groupWord(r_.group) + capitalised(r_.version); }
  std::string scopedKind() const { return concat(r_.namespaced ? "Namespaced" : "", r_.kind); }

  Operation base(std::string path, std::string_view method, std::string id,
                 std::string_view action) const {
    Operation op;
    op.path = std::move(path);
    op.method = method;
    op.id = std::move(id);
    op.action = action;
    op.tag = concat(groupTag(r_.group), '_', r_.version);
    op.group = r_.group;
    op.version = r_.version;
    op.kind = r_.kind;
    op.consumes = {"*/*"};
    op.produces = {kJson, kYaml};
    if (!custom_) op.produces.push_back(kProtobuf);
    if (op.path.find("{name}") != op.path.npos)
      op.parameters.push_back(
          {"name", "path", "string", concat("Name of the ", r_.kind, "."), false});
    if (op.path.find("{namespace}") != op.path.npos)
      op.parameters.push_back({"namespace", "path", "string", "Namespace of the object.", true});
    op.parameters.push_back(prettyParameter());
    return op;
  }
  static void add(Operation& op, const std::vector<Parameter>& parameters) {
    op.parameters.insert(op.parameters.end(), parameters.begin(), parameters.end());
  }
  static void answers(Operation& op, std::initializer_list<std::string_view> codes, Value schema) {
    for (auto code : codes) op.responses.emplace_back(code, schema);
    op.responses.emplace_back("401", Value::null());
  }
  void push(Operation op) { out_.push_back(std::move(op)); }

  Value listRef() {
    if (custom_) return definitions_.ref(customId(r_.group, r_.version, concat(r_.kind, "List")));
    const TypeInfo* list = findType(r_.type->package, concat(r_.kind, "List"));
    return list ? definitions_.ref(*list) : object_;
  }
  Value metaRef(std::string_view name) { return definitions_.ref(*findType("meta/v1", name)); }

  void listAt(std::string path, std::string_view suffix, std::string_view kind) {
    Operation op = base(std::move(path), "get", concat("list", word(), kind, suffix), "list");
    add(op, listParameters());
    answers(op, {"200"}, listRef());
    streams(op);
    push(std::move(op));
  }
  void streams(Operation& op) const {
    op.produces.push_back("application/json;stream=watch");
    if (!custom_) op.produces.push_back("application/vnd.kubernetes.protobuf;stream=watch");
  }

  void collection() {
    std::string path = concat(root_, scope_, '/', r_.plural);
    if (r_.hasVerb("list")) {
      if (r_.namespaced) listAt(concat(root_, '/', r_.plural), "ForAllNamespaces", r_.kind);
      listAt(path, "", scopedKind());
    }
    if (r_.hasVerb("create")) {
      Operation op = base(path, "post", concat("create", word(), scopedKind()), "post");
      add(op, writeParameters());
      op.body = object_;
      answers(op, {"200", "201", "202"}, object_);
      push(std::move(op));
    }
    if (r_.hasVerb("deletecollection")) {
      Operation op = base(path, "delete", concat("delete", word(), "Collection", scopedKind()),
                          "deletecollection");
      for (const auto& p : listParameters())
        if (p.name != "allowWatchBookmarks" && p.name != "watch") op.parameters.push_back(p);
      add(op, deleteParameters());
      deleteBody(op);
      answers(op, {"200"}, metaRef("Status"));
      push(std::move(op));
    }
  }

  void deleteBody(Operation& op) {
    op.body = metaRef("DeleteOptions");
    op.bodyIsCommon = true;
    op.bodyRequired = false;
  }

  void read(std::string path, std::string_view suffix, Value schema, const SubresourceInfo* sub) {
    Operation op =
        base(std::move(path), "get", concat("read", word(), scopedKind(), suffix), "get");
    kindOf(op, sub);
    answers(op, {"200"}, schema);
    push(std::move(op));
  }
  void replace(std::string path, std::string_view suffix, Value schema,
               const SubresourceInfo* sub) {
    Operation op =
        base(std::move(path), "put", concat("replace", word(), scopedKind(), suffix), "put");
    kindOf(op, sub);
    add(op, writeParameters());
    op.body = schema;
    answers(op, {"200", "201"}, schema);
    push(std::move(op));
  }
  void patch(std::string path, std::string_view suffix, Value schema, const SubresourceInfo* sub) {
    Operation op =
        base(std::move(path), "patch", concat("patch", word(), scopedKind(), suffix), "patch");
    kindOf(op, sub);
    add(op, writeParameters());
    op.parameters.push_back(
        query("force", "boolean", "Take over fields that others own (apply only)."));
    definitions_.addPatch();
    op.body = definitions_.ref("io.k8s.apimachinery.pkg.apis.meta.v1.Patch");
    op.bodyIsCommon = true;
    op.consumes = {"application/json-patch+json", "application/merge-patch+json"};
    if (!custom_) op.consumes.push_back("application/strategic-merge-patch+json");
    op.consumes.push_back("application/apply-patch+yaml");
    // Custom resources are answered with 200 alone: only apply creates, and they are documented
    // without it.
    custom_ ? answers(op, {"200"}, schema) : answers(op, {"200", "201"}, schema);
    push(std::move(op));
  }

  void item() {
    std::string path = concat(root_, scope_, '/', r_.plural, "/{name}");
    if (r_.hasVerb("get")) read(path, "", object_, nullptr);
    if (r_.hasVerb("update")) replace(path, "", object_, nullptr);
    if (r_.hasVerb("delete")) {
      Operation op = base(path, "delete", concat("delete", word(), scopedKind()), "delete");
      add(op, deleteParameters());
      deleteBody(op);
      answers(op, {"200", "202"}, deleteReturnsObject(r_) ? object_ : metaRef("Status"));
      push(std::move(op));
    }
    if (r_.hasVerb("patch")) patch(path, "", object_, nullptr);
  }

  static void kindOf(Operation& op, const SubresourceInfo* sub) {
    if (!sub) return;
    op.group = sub->group;
    op.version = sub->version;
    op.kind = sub->kind;
  }

  void subresource(const SubresourceInfo& sub) {
    std::string path = concat(root_, scope_, '/', r_.plural, "/{name}/", sub.name),
                suffix = capitalised(sub.name);
    auto has = [&](std::string_view verb) {
      return std::find(sub.verbs.begin(), sub.verbs.end(), verb) != sub.verbs.end();
    };
    if (sub.kind.ends_with("Options")) return connect(sub, path, suffix);
    if (sub.name == "log") return log(path);
    Value schema = object_;
    if (sub.kind != r_.kind || sub.group != r_.group) {
      const TypeInfo* type = findKind(sub.group, sub.version, sub.kind);
      if (!type) return;
      schema = definitions_.ref(*type);
    }
    if (has("get")) read(path, suffix, schema, &sub);
    if (has("update")) replace(path, suffix, schema, &sub);
    if (has("patch")) patch(path, suffix, schema, &sub);
    if (has("create")) {
      Operation op = base(path, "post", concat("create", word(), scopedKind(), suffix), "post");
      kindOf(op, &sub);
      add(op, writeParameters());
      op.body = schema;
      answers(op, {"200", "201", "202"}, schema);
      push(std::move(op));
    }
  }

  static std::vector<Parameter> optionsOf(std::string_view kind) {
    std::vector<Parameter> out;
    const TypeInfo* type = findType("core/v1", kind);
    if (!type) return out;
    for (const auto& field : type->fields) {
      bool number = field.kind == FieldKind::Int32 || field.kind == FieldKind::Int64;
      if (field.kind > FieldKind::String) continue;
      out.push_back(query(field.json,
                          field.kind == FieldKind::Bool ? "boolean"
                          : number                      ? "integer"
                                                        : "string",
                          concat("See ", kind, '.', field.json, ".")));
    }
    return out;
  }

  void log(const std::string& path) {
    Operation op = base(path, "get", concat("read", word(), scopedKind(), "Log"), "get");
    add(op, optionsOf("PodLogOptions"));
    op.produces.insert(op.produces.begin(), "text/plain");
    answers(op, {"200"}, Value::string("string"));
    push(std::move(op));
  }

  void connect(const SubresourceInfo& sub, const std::string& path, const std::string& suffix) {
    bool proxy = sub.name == "proxy";
    std::vector<std::string_view> methods = {"get", "post"};
    if (proxy) methods = {"get", "put", "post", "delete", "options", "head", "patch"};
    for (bool withPath : {false, true}) {
      if (withPath && !proxy) continue;
      for (auto method : methods) {
        Operation op = base(withPath ? path + "/{path}" : path, method,
                            concat("connect", word(), capitalised(method), scopedKind(), suffix,
                                   withPath ? "WithPath" : ""),
                            "connect");
        std::erase(op.parameters, prettyParameter());
        kindOf(op, &sub);
        add(op, optionsOf(sub.kind));
        if (withPath)
          op.parameters.push_back(
              {"path", "path", "string", "Path below the proxied address.", true});
        op.produces = {"*/*"};
        answers(op, {"200"}, Value::string("string"));
        push(std::move(op));
      }
    }
  }

  void watchAt(std::string path, std::string id, std::string_view action) {
    Operation op = base(std::move(path), "get", std::move(id), action);
    add(op, listParameters());
    streams(op);
    answers(op, {"200"}, metaRef("WatchEvent"));
    push(std::move(op));
  }

  // Deprecated paths, which custom resources never had.
  void watches() {
    if (custom_) return;
    std::string prefix = root_ + "/watch";
    if (r_.namespaced)
      watchAt(concat(prefix, '/', r_.plural),
              concat("watch", word(), r_.kind, "ListForAllNamespaces"), "watchlist");
    watchAt(concat(prefix, scope_, '/', r_.plural), concat("watch", word(), scopedKind(), "List"),
            "watchlist");
    watchAt(concat(prefix, scope_, '/', r_.plural, "/{name}"),
            concat("watch", word(), scopedKind()), "watch");
  }

  const OpenApiVersion& served_;
  const ResourceInfo& r_;
  Definitions& definitions_;
  std::vector<Operation>& out_;
  bool custom_ = false;
  Value object_;
  std::string root_, scope_;
};

Operation document(std::string path, std::string id, std::string tag, Value schema,
                   std::vector<std::string_view> media) {
  Operation op;
  op.path = std::move(path);
  op.method = "get";
  op.id = std::move(id);
  op.tag = std::move(tag);
  op.responses = {{"200", schema}, {"401", Value::null()}};
  op.produces = media;
  op.consumes = std::move(media);
  return op;
}
}  // namespace

std::vector<Operation> operationsOf(const OpenApiVersion& served, Definitions& definitions) {
  std::vector<Operation> out;
  std::string path = served.group.empty()
                         ? concat("/api/", served.version, '/')
                         : concat("/apis/", served.group, '/', served.version, '/');
  out.push_back(document(
      path, concat("get", groupWord(served.group), capitalised(served.version), "APIResources"),
      concat(groupTag(served.group), '_', served.version),
      definitions.ref(*findType("meta/v1", "APIResourceList")), {kJson, kYaml, kProtobuf}));
  for (const ResourceInfo* resource : served.resources)
    ResourceWriter(served, *resource, definitions, out).write();
  return out;
}

std::vector<Operation> operationsAbout(std::string_view name, Definitions& definitions) {
  auto meta = [&](std::string_view type) { return definitions.ref(*findType("meta/v1", type)); };
  const std::vector<std::string_view> all = {kJson, kYaml, kProtobuf};
  if (name == "api")
    return {document("/api/", "getCoreAPIVersions", "core", meta("APIVersions"), all)};
  if (name == "apis")
    return {document("/apis/", "getAPIVersions", "apis", meta("APIGroupList"), all)};
  if (name == "version") {
    const TypeInfo* info = findType("version", "Info");
    Value schema = info ? definitions.ref(*info) : Value::string("string");
    return {document("/version/", "getCodeVersion", "version", schema, {kJson})};
  }
  if (name == ".well-known/openid-configuration") {
    auto op =
        document("/.well-known/openid-configuration/", "getServiceAccountIssuerOpenIDConfiguration",
                 "WellKnown", Value::string("string"), {kJson});
    op.consumes.clear();
    return {op};
  }
  if (name == "openid/v1/jwks") {
    auto op = document("/openid/v1/jwks/", "getServiceAccountIssuerOpenIDKeyset", "openid",
                       Value::string("string"), {"application/jwk-set+json"});
    op.consumes.clear();
    return {op};
  }
  if (!name.starts_with("apis/")) return {};
  std::string_view group = name.substr(5);
  return {document(concat("/", name, "/"), concat("get", groupWord(group), "APIGroup"),
                   groupTag(group), meta("APIGroup"), all)};
}

}  // namespace skiff::api::openapi
