#include <doctest/doctest.h>

#include "base/strings.h"
#include "codec/json.h"
#include "controllers/pod_util.h"
#include "controllers/testing.h"

namespace skiff::controllers::testing {
namespace {

Error notFound(std::string_view what) { return {Reason::NotFound, concat(what, " not found")}; }

// RFC 7386, and of strategic patches: lists of owners merged by uid, primitive lists joined, $patch and
// $deleteFromPrimitiveList.
void mergeInto(codec::Value& target, const codec::Value& patch, codec::Arena& arena, bool strategic) {
  if (!target.isMap()) target = codec::Value::map();
  for (const auto& [key, value] : patch.members()) {
    constexpr std::string_view kDelete = "$deleteFromPrimitiveList/";
    if (key.starts_with(kDelete)) {
      codec::Value& list = target.child(arena, key.substr(kDelete.size()));
      for (const auto& gone : value.items())
        for (size_t i = 0; i < list.size(); ++i)
          if (list.items()[i] == gone) list.eraseAt(i--);
      continue;
    }
    if (value.isNull()) {
      target.erase(key);
    } else if (value.isMap()) {
      mergeInto(target.child(arena, key), value, arena, strategic);
    } else if (strategic && value.isList() && (key == "ownerReferences" || key == "finalizers")) {
      codec::Value& list = target.child(arena, key);
      if (!list.isList()) list = codec::Value::list();
      for (const auto& item : value.items()) {
        for (size_t i = 0; i < list.size(); ++i)
          if (item.isMap() ? list.items()[i]["uid"] == item["uid"] : list.items()[i] == item) list.eraseAt(i--);
        if (!item["$patch"].isString()) list.push(arena, item.clone(arena));
      }
    } else {
      target.set(arena, arena.copy(key), value.clone(arena));
    }
  }
}

}  // namespace

FakeApi::Target FakeApi::parse(const std::string& path) {
  std::vector<std::string> parts;
  for (auto part : splitNonEmpty(path, '/')) parts.emplace_back(part);
  Target target;
  size_t at = 1;
  if (parts[0] == "apis") target.group = parts[at++];
  target.version = parts[at++];
  bool ofNamespace = parts[at] == "namespaces" && parts.size() > at + 2 && parts[at + 2] != "status" &&
                     parts[at + 2] != "finalize";
  if (ofNamespace) {
    target.ns = parts[at + 1];
    at += 2;
  }
  target.plural = parts[at++];
  if (at < parts.size()) target.name = parts[at++];
  if (at < parts.size()) target.subresource = parts[at];
  return target;
}

void FakeApi::refuseCreates(const std::string& resource, std::optional<Error> error) {
  std::lock_guard lock(mutex_);
  refused_.erase(resource);
  if (error) refused_.emplace(resource, *error);
}

Result<api::ObjectPtr> FakeApi::call(client::ApiRequest request) {
  std::lock_guard lock(mutex_);
  Target target = parse(request.path);
  if (request.method == "POST") return create(target, request);
  auto& objects = store_[target.plural];
  auto it = objects.find(target.key());
  if (request.method == "DELETE" && target.name.empty()) {
    std::vector<std::string> names;
    for (const auto& [key, object] : objects)
      if (object->ns() == target.ns) names.emplace_back(object->name());
    for (const auto& name : names) {
      Target one = target;
      one.name = name;
      (void)remove(one, request);
    }
    return api::ObjectPtr();
  }
  if (it == objects.end()) return notFound(concat(target.plural, " ", skiff::quoted(target.name)));
  if (request.method == "GET") return it->second;
  if (request.method == "PUT") return update(target, request.body->root());
  if (request.method == "PATCH") return patch(target, request);
  if (request.method == "DELETE") return remove(target, request);
  return badRequest("method");
}

Result<api::ObjectPtr> FakeApi::create(const Target& target, const client::ApiRequest& request) {
  if (auto it = refused_.find(target.plural); it != refused_.end()) return it->second;
  auto document = codec::cloneDocument(request.body->root());
  auto& arena = document->arena;
  codec::Value& meta = document->root.child(arena, "metadata");
  if (meta["name"].asString().empty())
    meta.set(arena, "name", codec::Value::text(arena, concat(meta["generateName"].asString(), "x", ++counter_)));
  if (!target.ns.empty()) meta.set(arena, "namespace", codec::Value::text(arena, target.ns));
  meta.set(arena, "uid", codec::Value::text(arena, concat("uid-", ++counter_)));
  meta.set(arena, "creationTimestamp", codec::Value::text(arena, formatRfc3339(clock_.now())));
  meta.set(arena, "generation", codec::Value::integer(1));
  Target made = target;
  made.name = meta["name"].str();
  if (store_[made.plural].contains(made.key()))
    return Error(Reason::AlreadyExists, concat(made.plural, " ", skiff::quoted(made.name), " already exists"));
  if (made.plural == "pods" && document->root["status"]["phase"].asString().empty())
    document->root.child(arena, "status").set(arena, "phase", codec::Value::string("Pending"));
  return publish(made, std::move(document), nullptr);
}

Result<api::ObjectPtr> FakeApi::update(const Target& target, codec::Value wanted) {
  api::ObjectPtr before = store_[target.plural][target.key()];
  auto version = wanted["metadata"]["resourceVersion"].asString();
  if (!version.empty() && version != before->resourceVersion())
    return Error(Reason::Conflict, "the object has been modified");
  auto document = codec::cloneDocument(target.subresource == "status" ? before->root() : wanted);
  auto& arena = document->arena;
  codec::Value& root = document->root;
  if (target.subresource == "status") {
    root.set(arena, "status", wanted["status"].clone(arena));
    root.child(arena, "metadata").set(arena, "annotations", wanted["metadata"]["annotations"].clone(arena));
  } else {
    root.set(arena, "status", before->root()["status"].clone(arena));
    if (!(before->root()["spec"] == wanted["spec"]))
      root.child(arena, "metadata")
          .set(arena, "generation", codec::Value::integer(before->metadata()["generation"].asInt() + 1));
  }
  return publish(target, std::move(document), before);
}

Result<api::ObjectPtr> FakeApi::patch(const Target& target, const client::ApiRequest& request) {
  api::ObjectPtr before = store_[target.plural][target.key()];
  auto document = codec::cloneDocument(before->root());
  codec::Value body = TRY(codec::parseJson(request.rawBody, document->arena));
  auto uid = body["metadata"]["uid"].asString();
  if (!uid.empty() && uid != before->uid()) return Error(Reason::Conflict, "uid differs");
  auto version = body["metadata"]["resourceVersion"].asString();
  if (!version.empty() && version != before->resourceVersion()) return Error(Reason::Conflict, "modified");
  mergeInto(document->root, body, document->arena, request.contentType.find("strategic") != std::string::npos);
  return publish(target, std::move(document), before);
}

Result<api::ObjectPtr> FakeApi::remove(const Target& target, const client::ApiRequest& request) {
  api::ObjectPtr before = store_[target.plural][target.key()];
  const codec::Value* options = request.body ? &request.body->root() : nullptr;
  auto uid = options ? (*options)["preconditions"]["uid"].asString() : std::string_view();
  if (!uid.empty() && uid != before->uid()) return Error(Reason::Conflict, "uid differs");
  auto document = codec::cloneDocument(before->root());
  auto& arena = document->arena;
  codec::Value& meta = document->root.child(arena, "metadata");
  auto policy = options ? (*options)["propagationPolicy"].asString() : std::string_view();
  if (policy == "Foreground" || policy == "Orphan") {
    codec::Value& finalizers = meta.child(arena, "finalizers");
    if (!finalizers.isList()) finalizers = codec::Value::list();
    finalizers.push(arena, codec::Value::string(policy == "Foreground" ? "foregroundDeletion" : "orphan"));
  }
  if (meta["deletionTimestamp"].asString().empty())
    meta.set(arena, "deletionTimestamp", codec::Value::text(arena, formatRfc3339(clock_.now())));
  return publish(target, std::move(document), before);
}

Result<api::ObjectPtr> FakeApi::publish(const Target& target, std::shared_ptr<codec::Document> document,
                                        api::ObjectPtr before) {
  codec::Value& meta = document->root.child(document->arena, "metadata");
  meta.set(document->arena, "resourceVersion", codec::Value::text(document->arena, std::to_string(++counter_)));
  bool gone = !meta["deletionTimestamp"].asString().empty() && meta["finalizers"].empty() &&
              document->root["spec"]["finalizers"].empty();
  const api::ResourceInfo* info = api::findResource(target.group, target.version, target.plural);
  auto now = api::Object::fromDocument(std::move(document), info != nullptr ? info->type : nullptr);
  auto& objects = store_[target.plural];
  if (gone) objects.erase(target.key());
  else objects[target.key()] = now;
  if (gone) notify(target.plural, now, nullptr);
  else notify(target.plural, before, now);
  return now;
}

void FakeApi::notify(const std::string& resource, const api::ObjectPtr& before, const api::ObjectPtr& now) {
  for (const auto& listener : listeners_) listener(resource, before, now);
}

Result<api::ObjectList> FakeApi::list(client::ApiRequest request) {
  std::lock_guard lock(mutex_);
  Target target = parse(request.path);
  api::ObjectList out;
  for (const auto& [key, object] : store_[target.plural])
    if (target.ns.empty() || object->ns() == target.ns) out.items.push_back(object);
  return out;
}

Result<std::unique_ptr<client::WatchStream>> FakeApi::watch(client::ApiRequest) { return badRequest("no watch"); }
Result<net::Response> FakeApi::raw(client::ApiRequest) { return badRequest("no raw"); }
Result<std::unique_ptr<net::ResponseStream>> FakeApi::stream(client::ApiRequest) { return badRequest("no stream"); }
Result<std::unique_ptr<net::ByteStream>> FakeApi::upgrade(client::ApiRequest, net::Headers, net::Response*) {
  return badRequest("no upgrade");
}

class FakeInformers::Informer final : public client::ObjectInformer {
 public:
  explicit Informer(FakeApi& api, const std::string& resource) : api_(api), cache_(api.objects(resource)) {}
  void addHandler(client::ObjectHandler handler) override {
    if (handler.onAdd)
      for (const auto& [key, object] : cache_) handler.onAdd(object);
    handlers_.push_back(std::move(handler));
  }
  void addIndex(std::string name, client::IndexFunction function) override { indexes_[std::move(name)] = std::move(function); }
  bool synced() const override { return true; }
  api::ObjectPtr get(std::string_view key) const override {
    std::lock_guard lock(api_.mutex());
    auto it = cache_.find(std::string(key));
    return it == cache_.end() ? nullptr : it->second;
  }
  std::vector<api::ObjectPtr> list(std::string_view ns) const override {
    std::lock_guard lock(api_.mutex());
    std::vector<api::ObjectPtr> out;
    for (const auto& [key, object] : cache_)
      if (ns.empty() || object->ns() == ns) out.push_back(object);
    return out;
  }
  std::vector<api::ObjectPtr> byIndex(std::string_view index, std::string_view value) const override {
    std::lock_guard lock(api_.mutex());
    std::vector<api::ObjectPtr> out;
    const auto& function = indexes_.at(std::string(index));
    for (const auto& [key, object] : cache_)
      for (const auto& found : function(*object))
        if (found == value) out.push_back(object);
    return out;
  }
  size_t size() const override { return cache_.size(); }

  void apply(const api::ObjectPtr& before, const api::ObjectPtr& now) {
    if (now) cache_[now->key()] = now;
    else cache_.erase(before->key());
    for (const auto& handler : handlers_) {
      if (!now && handler.onDelete) handler.onDelete(before);
      if (now && !before && handler.onAdd) handler.onAdd(now);
      if (now && before && handler.onUpdate) handler.onUpdate(before, now);
    }
  }

 private:
  FakeApi& api_;
  std::map<std::string, api::ObjectPtr> cache_;
  std::vector<client::ObjectHandler> handlers_;
  std::map<std::string, client::IndexFunction> indexes_;
};

FakeInformers::FakeInformers(FakeApi& api) : api_(api) {
  api_.listen([this](const std::string& resource, const api::ObjectPtr& before, const api::ObjectPtr& now) {
    if (paused_) pending_.push_back({resource, before, now});
    else deliver({resource, before, now});
  });
}

client::ObjectInformer& FakeInformers::ofResource(const client::Resource& resource, const Options&) {
  auto& informer = informers_[resource.plural];
  if (!informer) informer = std::make_shared<Informer>(api_, resource.plural);
  return *informer;
}

void FakeInformers::deliver(const Change& change) {
  if (auto it = informers_.find(change.resource); it != informers_.end()) it->second->apply(change.before, change.now);
}

void FakeInformers::resume() {
  std::lock_guard lock(api_.mutex());
  paused_ = false;
  for (const Change& change : std::exchange(pending_, {})) deliver(change);
}

void FakeRecorder::record(const api::core::v1::ObjectReference&, std::string_view type, std::string_view reason,
                          std::string message) {
  std::lock_guard lock(mutex_);
  events.push_back(concat(type, " ", reason, " ", message));
}

Cluster::Cluster()
    : api(std::make_shared<FakeApi>(clock)),
      informers(*api),
      client(std::make_shared<client::Client>(api, "test")),
      executor(rt::Executor::create({.name = "test", .maxThreads = 4})),
      context{client, informers, options, *executor, clock, Rng::real(),
              [this](std::string_view) -> client::EventRecorder& { return recorder; }} {}

Status Cluster::run(Controller& controller) {
  Status last = okStatus();
  std::map<std::string, int> retries;
  for (int round = 0; controller.queue().size() > 0; ++round) {
    MUST(round < 1000);
    auto key = controller.queue().get();
    auto result = controller.reconcile(*key);
    controller.queue().done(*key);
    if (result.ok()) continue;
    last = std::move(result).error();
    // Workers would try again: so does the test, a few times.
    if (last.failedWith(Reason::Conflict) && ++retries[*key] < 5) controller.queue().add(*key);
  }
  return last;
}

void Cluster::setPods(std::string_view phase) {
  for (Pod& pod : list<Pod>()) {
    if (isTerminal(pod) || pod.metadata.deletionTimestamp) continue;
    pod.status.phase = std::string(phase);
    setCondition(pod.status.conditions, "Ready", phase == "Running" ? "True" : "False", "", "", clock.now());
    MUST(client->updateStatus(pod).ok());
  }
}

TEST_CASE("the cluster of straw keeps status, spec and finalizers apart") {
  Cluster cluster;
  auto pod = cluster.createJson<Pod>(R"({"metadata":{"namespace":"ns","name":"a","finalizers":["f"]}})");
  pod.status.phase = "Running";
  pod.metadata.labels["x"] = "y";
  REQUIRE(cluster.client->updateStatus(pod).ok());
  CHECK(cluster.get<Pod>("a").status.phase == "Running");
  CHECK(cluster.get<Pod>("a").metadata.labels.empty());
  CHECK(cluster.client->update(pod).failedWith(Reason::Conflict));
  REQUIRE(cluster.client->remove<Pod>("ns", "a").ok());
  CHECK(cluster.get<Pod>("a").metadata.deletionTimestamp.has_value());
  REQUIRE(cluster.client
              ->patch<Pod>("ns", "a", client::PatchType::StrategicMerge,
                           R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["f"]}})")
              .ok());
  CHECK(cluster.client->get<Pod>("ns", "a").failedWith(Reason::NotFound));
}

}  // namespace skiff::controllers::testing
