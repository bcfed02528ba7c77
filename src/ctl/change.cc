// create, apply, delete, patch, label, annotate, scale: commands that write.
#include <cstdio>
#include <optional>

#include "api/schema.h"
#include "base/strings.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "ctl/commands.h"
#include "rt/stop.h"

namespace skiff::ctl {
namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr milliseconds kPoll{200};

void say(const Target& target, std::string_view what, const std::string& output = {}) {
  if (output == "name") {
    std::printf("%s\n", target.resource.display(target.name).c_str());
  } else {
    std::printf("%s %s\n", target.resource.display(target.name).c_str(), std::string(what).c_str());
  }
}

Status report(const Target& target, std::string_view what, const std::string& output, const Value& object) {
  if (output.empty() || output == "name") {
    say(target, what, output);
    return okStatus();
  }
  auto text = TRY(printObject(object, output));
  std::fputs(text.c_str(), stdout);
  return okStatus();
}

struct FileOptions {
  std::vector<std::string> files;
  bool recursive = false;
  void add(Flags& flags) {
    flags.array("filename", &files, "files, directories or - for standard input", 'f')
        .boolean("recursive", &recursive, "directories with their subdirectories", 'R');
  }
  Result<std::vector<Target>> targets(Session& session) const {
    auto manifests = TRY(readManifests(files, recursive));
    return targetsOfManifests(session, manifests);
  }
};

int finish(const Status& status) { return status.ok() ? 0 : printError(status.error()); }

// Parses, connects and runs; every command of this file has this shape.
template <class Run>
int withSession(Flags& flags, Session& session, const Args& args, Run run) {
  auto rest = flags.parse(args);
  if (!rest.ok()) return printError(rest.error());
  if (auto connected = session.connect(); !connected.ok()) return printError(connected.error());
  return finish(run(*rest));
}

Query dryRunQuery(const std::string& dryRun) {
  return dryRun == "server" ? Query{{"dryRun", "All"}} : Query{};
}

// ---- apply --------------------------------------------------------------------------------------------------------

// What the last configuration had and the new one has not becomes null (maps) or {$patch: delete} (keyed lists).
void addDeletions(Value& patch, const Value& before, const Value& now, const api::TypeInfo* type, Arena& arena) {
  for (const auto& member : before.members()) {
    const Value* kept = now.find(member.key);
    if (!kept) {
      patch.set(arena, member.key, Value::null());
      continue;
    }
    const auto* field = type ? type->field(member.key) : nullptr;
    const auto* inner = field ? field->type : nullptr;
    if (member.value.isMap() && kept->isMap()) {
      addDeletions(patch.child(arena, member.key), member.value, *kept, inner, arena);
    } else if (field && field->patchMerge && !field->patchMergeKey.empty() && member.value.isList()) {
      auto& list = patch.child(arena, member.key);
      for (const auto& old : member.value.items()) {
        auto key = old[field->patchMergeKey];
        Value* same = nullptr;
        for (auto& item : list.items())
          if (item[field->patchMergeKey] == key) same = &item;
        if (same) {
          const Value* wanted = nullptr;
          for (const auto& item : kept->items())
            if (item[field->patchMergeKey] == key) wanted = &item;
          if (wanted) addDeletions(*same, old, *wanted, inner, arena);
          continue;
        }
        Value gone;
        gone.set(arena, "$patch", Value::string("delete"));
        gone.set(arena, field->patchMergeKey, key);
        list.push(arena, gone);
      }
    }
  }
}

Result<DocumentPtr> withLastApplied(const Value& manifest) {
  auto document = codec::cloneDocument(manifest);
  auto& annotations = document->root.child(document->arena, "metadata").child(document->arena, "annotations");
  if (annotations.isNull()) annotations = Value::map();
  annotations.erase(kLastApplied);
  auto text = codec::toJsonSorted(document->root) + "\n";
  annotations.set(document->arena, kLastApplied, Value::text(document->arena, text));
  return document;
}

// What controllers and the server change on their own does not make an object "configured".
DocumentPtr withoutServerFields(const Value& object) {
  auto document = codec::cloneDocument(object);
  document->root.erase("status");
  if (auto* meta = document->root.find("metadata")) {
    meta->erase("resourceVersion");
    meta->erase("managedFields");
    if (auto* annotations = meta->find("annotations")) annotations->erase("deployment.kubernetes.io/revision");
  }
  return document;
}

Status applyClientSide(Session& session, const Target& target, const std::string& dryRun, const std::string& output) {
  auto path = target.resource.path(target.ns, target.name);
  auto live = session.get(path);
  auto wanted = TRY(withLastApplied(target.manifest->root));
  Query query = dryRunQuery(dryRun);
  query.emplace_back("fieldManager", "kubectl-client-side-apply");
  if (live.failedWith(Reason::NotFound)) {
    auto made = TRY(session.send("POST", target.resource.path(target.ns), query, codec::toJson(wanted->root)));
    return report(target, dryRun == "server" ? "created (server dry run)" : "created", output, made->root);
  }
  if (!live.ok()) return std::move(live).error();
  const auto* type = api::findKind(target.resource.group, target.resource.version, target.resource.kind);
  if (auto last = (*live)->root["metadata"]["annotations"][kLastApplied].asString(); !last.empty())
    if (auto before = codec::parseJsonDocument(last); before.ok()) {
      auto now = TRY(withLastApplied(target.manifest->root));
      wanted->arena.keep(*before);
      addDeletions(wanted->root, (*before)->root, now->root, type, wanted->arena);
    }
  const char* contentType = type ? "application/strategic-merge-patch+json" : "application/merge-patch+json";
  auto made = TRY(session.send("PATCH", path, query, codec::toJson(wanted->root), contentType));
  bool same = withoutServerFields((*live)->root)->root == withoutServerFields(made->root)->root;
  return report(target, same ? "unchanged" : "configured", output, made->root);
}

Status applyServerSide(Session& session, const Target& target, const std::string& dryRun, const std::string& manager,
                       bool force, const std::string& output) {
  Query query = dryRunQuery(dryRun);
  query.emplace_back("fieldManager", manager);
  query.emplace_back("force", force ? "true" : "false");
  auto made = TRY(session.send("PATCH", target.resource.path(target.ns, target.name), query,
                               codec::toJson(target.manifest->root), "application/apply-patch+yaml"));
  return report(target, "serverside-applied", output, made->root);
}

// ---- delete -------------------------------------------------------------------------------------------------------

struct DeleteFlags {
  bool all = false, wait = true, force = false, now = false, ignoreNotFound = false, allNamespaces = false;
  std::string selector, cascade = "background", output, timeout;
  int64_t gracePeriod = -1;
  FileOptions file;
};

std::string deleteBody(const DeleteFlags& flags) {
  auto grace = flags.now ? 1 : flags.force && flags.gracePeriod < 0 ? 0 : flags.gracePeriod;
  std::string policy = flags.cascade == "orphan"       ? "Orphan"
                       : flags.cascade == "foreground" ? "Foreground"
                                                       : "Background";
  std::string body = concat("{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"", policy, "\"");
  if (grace >= 0) body += concat(",\"gracePeriodSeconds\":", grace);
  return body + "}";
}

Result<std::vector<Target>> expandNames(Session& session, const std::vector<Target>& targets, const DeleteFlags& flags) {
  std::vector<Target> out;
  for (const auto& target : targets) {
    if (!target.name.empty()) {
      out.push_back(target);
      continue;
    }
    if (!flags.all && flags.selector.empty())
      return badRequest("resource(s) were provided, but no name was specified");
    Query query;
    if (!flags.selector.empty()) query.emplace_back("labelSelector", flags.selector);
    auto list = TRY(session.get(target.resource.path(flags.allNamespaces ? "" : target.ns), query));
    for (const auto& item : list->root["items"].items())
      out.push_back({target.resource, item["metadata"]["namespace"].str(), item["metadata"]["name"].str(), nullptr});
  }
  return out;
}

Status waitUntilGone(Session& session, const Target& target, const std::string& uid) {
  rt::StopSignal never;
  for (;;) {
    auto live = session.get(target.resource.path(target.ns, target.name));
    if (live.failedWith(Reason::NotFound)) return okStatus();
    if (!live.ok()) return std::move(live).error();
    if ((*live)->root["metadata"]["uid"].asString() != uid) return okStatus();  // another one of that name
    never.waitFor(kPoll);
  }
}

Status deleteAll(Session& session, const Args& rest, const DeleteFlags& flags) {
  auto named = TRY(flags.file.files.empty() ? targetsOf(session, rest) : flags.file.targets(session));
  auto targets = TRY(expandNames(session, named, flags));
  std::vector<std::pair<Target, std::string>> gone;
  for (const auto& target : targets) {
    auto answer = session.send("DELETE", target.resource.path(target.ns, target.name), {}, deleteBody(flags));
    if (!answer.ok()) {
      if (flags.ignoreNotFound && answer.failedWith(Reason::NotFound)) continue;
      return std::move(answer).error();
    }
    const auto& root = (*answer)->root;
    auto uid = root["kind"].asString() == "Status" ? root["details"]["uid"].str() : root["metadata"]["uid"].str();
    gone.emplace_back(target, uid);
    if (flags.output == "name") {
      say(target, "", "name");
    } else {
      auto kind = target.resource.singular.empty() ? toLower(target.resource.kind) : target.resource.singular;
      auto shown = target.resource.group.empty() ? kind : concat(kind, ".", target.resource.group);
      std::printf("%s \"%s\" %sdeleted%s\n", shown.c_str(), target.name.c_str(), flags.force ? "force " : "",
                  target.ns.empty() ? "" : concat(" from ", target.ns, " namespace").c_str());
    }
  }
  if (!flags.wait) return okStatus();
  for (const auto& [target, uid] : gone) TRY(waitUntilGone(session, target, uid));
  return okStatus();
}

// ---- label, annotate ----------------------------------------------------------------------------------------------

int changeMetadata(const Args& args, std::string_view field, std::string_view done) {
  bool overwrite = false, all = false;
  std::string selector;
  FileOptions file;
  Flags flags;
  Session session(flags);
  file.add(flags);
  flags.boolean("overwrite", &overwrite, "replace existing values")
      .boolean("all", &all, "all of that resource")
      .text("selector", &selector, "label selector", 'l');
  // "key-" removes; it is an argument, not a flag.
  return withSession(flags, session, args, [&](const Args& rest) -> Status {
    Args names, changes;
    for (const auto& arg : rest) {
      bool isChange = arg.find('=') != std::string::npos || arg.ends_with('-');
      (isChange ? changes : names).push_back(arg);
    }
    if (changes.empty()) return badRequest(concat("at least one ", field.substr(0, field.size() - 1), " update is required"));
    auto named = TRY(file.files.empty() ? targetsOf(session, names) : file.targets(session));
    auto targets = TRY(expandNames(session, named, {.all = all, .selector = selector}));
    for (const auto& target : targets) {
      auto live = TRY(session.get(target.resource.path(target.ns, target.name)));
      const auto& existing = live->root["metadata"][field];
      Arena arena;
      Value patch;
      auto& map = patch.child(arena, "metadata").child(arena, field);
      for (const auto& change : changes) {
        auto pair = cut(change, "=");
        if (!pair) {
          map.set(arena, std::string_view(change).substr(0, change.size() - 1), Value::null());
          continue;
        }
        const auto* old = existing.find(pair->first);
        if (old && old->asString() != pair->second && !overwrite)
          return badRequest(concat("'", pair->first, "' already has a value (", old->asString(),
                                   "), and --overwrite is false"));
        map.set(arena, pair->first, Value::text(arena, pair->second));
      }
      TRY(session.send("PATCH", target.resource.path(target.ns, target.name), {{"fieldManager", "kubectl-edit"}},
                       codec::toJson(patch), "application/merge-patch+json"));
      say(target, done);
    }
    return okStatus();
  });
}

}  // namespace

int runCreate(const Args& args) {
  FileOptions file;
  std::string output, dryRun = "none", image;
  std::vector<std::string> literals;
  int replicas = 1;
  Flags flags;
  Session session(flags);
  file.add(flags);
  bool validate = true;
  flags.text("output", &output, "print the object instead: json, yaml, name ...", 'o')
      .custom("dry-run", [&](std::string_view v) { return dryRun = v, okStatus(); }, "none, client or server", "client")
      .boolean("validate", &validate, "strict field validation by the server")
      .array("from-literal", &literals, "key=value of a configmap or secret")
      .text("image", &image, "image of a deployment")
      .integer("replicas", &replicas, "replicas of a deployment");
  return withSession(flags, session, args, [&](const Args& rest) -> Status {
    std::vector<Target> targets;
    if (!file.files.empty()) {
      targets = TRY(file.targets(session));
    } else {
      if (rest.size() < 2) return badRequest("must specify one of -f and a resource with its name");
      auto document = std::make_shared<codec::Document>();
      auto& arena = document->arena;
      auto& root = document->root;
      auto text = [&](std::string_view s) { return Value::text(arena, s); };
      std::string kind = rest[0], name = rest.back();
      if (kind == "ns") kind = "namespace";
      if (kind == "cm") kind = "configmap";
      if (kind == "deploy") kind = "deployment";
      if (kind == "sa") kind = "serviceaccount";
      root.set(arena, "apiVersion", text(kind == "deployment" ? "apps/v1" : "v1"));
      auto& metadata = root.child(arena, "metadata");
      metadata.set(arena, "name", text(name));
      if (kind == "namespace") {
        root.set(arena, "kind", text("Namespace"));
      } else if (kind == "serviceaccount") {
        root.set(arena, "kind", text("ServiceAccount"));
      } else if (kind == "configmap" || kind == "secret") {
        root.set(arena, "kind", text(kind == "configmap" ? "ConfigMap" : "Secret"));
        auto& data = root.child(arena, kind == "configmap" ? "data" : "stringData");
        for (const auto& literal : literals) {
          auto pair = cut(literal, "=");
          if (!pair) return badRequest(concat("invalid literal source ", literal, ", expected key=value"));
          data.set(arena, pair->first, text(pair->second));
        }
      } else if (kind == "deployment") {
        root.set(arena, "kind", text("Deployment"));
        auto labels = [&](Value& at) -> Value& { return at.child(arena, "labels"); };
        labels(metadata).set(arena, "app", text(name));
        auto& spec = root.child(arena, "spec");
        spec.set(arena, "replicas", Value::integer(replicas));
        spec.child(arena, "selector").child(arena, "matchLabels").set(arena, "app", text(name));
        auto& pod = spec.child(arena, "template");
        labels(pod.child(arena, "metadata")).set(arena, "app", text(name));
        Value container;
        container.set(arena, "name", text(name));
        container.set(arena, "image", text(image));
        spec.child(arena, "template").child(arena, "spec").child(arena, "containers").push(arena, container);
      } else {
        return badRequest(concat("cannot create ", quoted(kind), " from arguments; use -f"));
      }
      targets = TRY(targetsOfManifests(session, {document}));
    }
    for (auto& target : targets) {
      Query query = dryRunQuery(dryRun);
      query.emplace_back("fieldManager", "kubectl-create");
      query.emplace_back("fieldValidation", validate ? "Strict" : "Ignore");
      if (dryRun == "client") {
        TRY(report(target, "created (dry run)", output, target.manifest->root));
        continue;
      }
      auto made = TRY(session.send("POST", target.resource.path(target.ns), query,
                                   codec::toJson(target.manifest->root)));
      target.name = made->root["metadata"]["name"].str();
      TRY(report(target, dryRun == "server" ? "created (server dry run)" : "created", output, made->root));
    }
    return okStatus();
  });
}

int runApply(const Args& args) {
  FileOptions file;
  std::string output, dryRun = "none", manager = "kubectl";
  bool serverSide = false, force = false;
  Flags flags;
  Session session(flags);
  file.add(flags);
  flags.text("output", &output, "print the object instead", 'o')
      .custom("dry-run", [&](std::string_view v) { return dryRun = v, okStatus(); }, "none or server", "server")
      .boolean("server-side", &serverSide, "let the server merge")
      .boolean("force-conflicts", &force, "take fields over from other managers")
      .text("field-manager", &manager, "name of this field manager");
  return withSession(flags, session, args, [&](const Args&) -> Status {
    if (file.files.empty()) return badRequest("must specify one of -f and -k");
    auto targets = TRY(file.targets(session));
    Status last = okStatus();
    for (const auto& target : targets) {
      auto status = serverSide ? applyServerSide(session, target, dryRun, manager, force, output)
                               : applyClientSide(session, target, dryRun, output);
      if (status.ok()) continue;
      if (!last.ok()) printError(last.error());
      last = status;
    }
    return last;
  });
}

int runDelete(const Args& args) {
  DeleteFlags options;
  Flags flags;
  Session session(flags);
  options.file.add(flags);
  flags.boolean("all", &options.all, "all of that resource")
      .boolean("all-namespaces", &options.allNamespaces, "in all namespaces", 'A')
      .boolean("wait", &options.wait, "until they are gone")
      .boolean("force", &options.force, "at once, without grace")
      .boolean("now", &options.now, "with one second of grace")
      .boolean("ignore-not-found", &options.ignoreNotFound, "missing objects are no error")
      .text("selector", &options.selector, "label selector", 'l')
      .text("output", &options.output, "name", 'o')
      .text("timeout", &options.timeout, "how long to wait")
      .custom("cascade", [&](std::string_view v) { return options.cascade = v, okStatus(); },
              "background, foreground or orphan", "background")
      .integer("grace-period", &options.gracePeriod, "seconds to end in");
  return withSession(flags, session, args,
                     [&](const Args& rest) { return deleteAll(session, rest, options); });
}

int runPatch(const Args& args) {
  std::string type = "strategic", patch, patchFile, output, subresource;
  Flags flags;
  Session session(flags);
  flags.text("type", &type, "json, merge or strategic")
      .text("patch", &patch, "the patch, JSON or YAML", 'p')
      .text("patch-file", &patchFile, "file with the patch")
      .text("subresource", &subresource, "status, scale ...")
      .text("output", &output, "print the object instead", 'o');
  return withSession(flags, session, args, [&](const Args& rest) -> Status {
    if (!patchFile.empty()) patch = codec::toJson(TRY(readManifests({patchFile}, false)).front()->root);
    if (patch.empty()) return badRequest("must specify --patch or --patch-file containing the contents of the patch");
    std::string contentType = type == "json"    ? "application/json-patch+json"
                              : type == "merge" ? "application/merge-patch+json"
                                                : "application/strategic-merge-patch+json";
    Arena arena;
    auto body = codec::toJson(TRY(codec::parseYaml(patch, arena)));
    for (const auto& target : TRY(targetsOf(session, rest))) {
      auto made = TRY(session.send("PATCH", target.resource.path(target.ns, target.name, subresource),
                                   {{"fieldManager", "kubectl-patch"}}, body, contentType));
      TRY(report(target, "patched", output, made->root));
    }
    return okStatus();
  });
}

int runLabel(const Args& args) { return changeMetadata(args, "labels", "labeled"); }
int runAnnotate(const Args& args) { return changeMetadata(args, "annotations", "annotated"); }

int runScale(const Args& args) {
  int replicas = -1, current = -1;
  FileOptions file;
  Flags flags;
  Session session(flags);
  file.add(flags);
  flags.integer("replicas", &replicas, "the new number of replicas")
      .integer("current-replicas", &current, "only if it is this now");
  return withSession(flags, session, args, [&](const Args& rest) -> Status {
    if (replicas < 0) return badRequest("the --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0");
    auto targets = TRY(file.files.empty() ? targetsOf(session, rest) : file.targets(session));
    for (const auto& target : targets) {
      auto path = target.resource.path(target.ns, target.name, "scale");
      auto scale = TRY(session.get(path));
      if (current >= 0 && scale->root["spec"]["replicas"].asInt() != current)
        return badRequest(concat("Expected replicas to be ", current, ", was ", scale->root["spec"]["replicas"].asInt()));
      scale->root.child(scale->arena, "spec").set(scale->arena, "replicas", Value::integer(replicas));
      TRY(session.send("PUT", path, {{"fieldManager", "kubectl"}}, codec::toJson(scale->root)));
      say(target, "scaled");
    }
    return okStatus();
  });
}

}  // namespace skiff::ctl
