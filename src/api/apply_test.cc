#include "api/apply.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "api/convert.h"
#include "api/patch.h"
#include "base/strings.h"
#include "codec/json.h"

using namespace skiff;
using namespace skiff::api;
using codec::Arena;
using codec::Member;
using codec::Value;

namespace {

const WallTime kNow = *parseRfc3339("2026-11-22T10:00:01Z");

// Nulls are what a decoder drops; entries of managedFields are compared by content, as their order goes by the second.
void dropNulls(Value& value) {
  for (Value& item : value.items()) dropNulls(item);
  for (size_t i = value.size(); value.isMap() && i-- > 0;) {
    Member& member = value.members()[i];
    if (member.value.isNull())
      value.erase(std::string(member.key));
    else
      dropNulls(member.value);
  }
}

std::string comparable(const Value& object, const TypeInfo& type) {
  Arena arena;
  Value copy = object.clone(arena);
  DecodeReport report;
  REQUIRE(conform(copy, type, arena, report).ok());
  dropNulls(copy);
  Value* metadata = copy.find("metadata");
  for (std::string_view key : {"creationTimestamp", "resourceVersion", "generation", "namespace", "uid"}) metadata->erase(key);
  if (Value* managers = metadata->find("managedFields")) {
    for (Value& entry : managers->items()) entry.erase("time");
    std::ranges::sort(managers->items(), {}, [](const Value& entry) { return codec::toJsonSorted(entry); });
  }
  return codec::toJsonSorted(copy);
}

Value withOwners(Value object, const Value& owners, Arena& arena) {
  Value& metadata = object.child(arena, "metadata");
  metadata.erase("managedFields");
  if (!owners.empty()) metadata.set(arena, "managedFields", owners);
  return object;
}

// Runs one case of testdata/apply_cases.txt (its head says how to read it).
class Case {
 public:
  void live(std::string_view json) {
    live_ = parse(json);
    setKind(live_);
  }

  void step(std::string_view line) {
    auto [verb, rest] = *cut(line, " ");
    size_t at = rest.find_first_of("{[");
    auto words = splitNonEmpty(rest.substr(0, at), ' ');
    Value body = parse(rest.substr(at));
    if (type_ == nullptr) setKind(body);
    auto has = [&](std::string_view flag) { return std::ranges::find(words, flag) != words.end(); };
    FieldManager manager = managerFor(has("status"));
    if (verb == "apply") {
      result_ = manager.apply(exists() ? &live_ : nullptr, body, {words[0], has("force"), kNow}, arena_);
      return;
    }
    result_ = patched(verb, body);
    if (!result_.ok()) return;
    Value next = *result_;
    dropNulls(next);
    DecodeReport report;
    REQUIRE(conform(next, *type_, arena_, report).ok());
    if (has("status")) next = withStatusOf(next);
    if (verb == "put") next.child(arena_, "metadata").set(arena_, "uid", live_["metadata"]["uid"]);
    result_ = withOwners(next, manager.update(&live_, next, words[0], kNow, arena_), arena_);
  }

  void expectObject(std::string_view json) {
    REQUIRE_MESSAGE(result_.ok(), result_.error().message());
    Value wanted = parse(json);
    CHECK(comparable(*result_, *type_) == comparable(wanted, *type_));
    live_ = wanted;
  }

  void expectError(std::string_view rest) {
    auto [code, message] = *cut(rest, " ");
    REQUIRE_FALSE(result_.ok());
    CHECK(result_.error().code() == *parseInt(code));
    CHECK(result_.error().message() == parse(message).asString());
  }

 private:
  Value parse(std::string_view json) {
    auto value = codec::parseJson(json, arena_);
    REQUIRE_MESSAGE(value.ok(), std::string(json));
    return *value;
  }
  bool exists() const { return live_.isMap(); }

  void setKind(const Value& object) {
    apiVersion_ = object["apiVersion"].str();
    kind_ = object["kind"].str();
    auto parts = split(apiVersion_, '/');
    type_ = findKind(parts.size() == 2 ? parts[0] : "", parts.back(), kind_);
    REQUIRE(type_ != nullptr);
  }

  FieldManager managerFor(bool status) const {
    FieldSet ignored;
    if (status) {
      ignored.at("f:spec").member = true;
      ignored.at("f:metadata").at("f:labels").member = true;
    } else if (type_->field("status")) {
      ignored.at("f:status").member = true;
    }
    return FieldManager({.type = type_,
                         .apiVersion = apiVersion_,
                         .kind = kind_,
                         .subresource = status ? "status" : "",
                         .ignored = std::move(ignored)});
  }

  Result<Value> patched(std::string_view verb, const Value& body) {
    if (verb == "json") return applyJsonPatch(live_, body, arena_);
    if (verb == "merge") return applyMergePatch(live_, body, arena_);
    if (verb == "strategic") return applyStrategicMergePatch(*type_, live_, body, arena_);
    return body;
  }

  Value withStatusOf(const Value& next) {
    Value out = live_.clone(arena_);
    out.set(arena_, "status", next["status"]);
    return out;
  }

  Arena arena_;
  Value live_;
  const TypeInfo* type_ = nullptr;
  std::string apiVersion_, kind_;
  Result<Value> result_ = Value();
};

}  // namespace

TEST_CASE("recorded applies and patches") {
  std::ifstream file("testdata/apply_cases.txt");
  REQUIRE(file.good());
  std::unique_ptr<Case> current;
  std::string line, name;
  int cases = 0;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    CAPTURE(name);
    CAPTURE(line.substr(0, 120));
    auto [verb, rest] = *cut(line, " ");
    if (verb == "case") {
      name = rest;
      current = std::make_unique<Case>();
      ++cases;
    } else if (verb == "live") {
      current->live(rest);
    } else if (verb == "=") {
      current->expectObject(rest);
    } else if (verb == "!") {
      current->expectError(rest);
    } else {
      current->step(line);
    }
  }
  CHECK(cases > 40);
}

namespace {

// A custom resource's tables, as a CustomResourceDefinition makes them.
const std::string_view kItemKeys[] = {"name"};
const FieldInfo kItemFields[] = {
    {.json = "name", .cardinality = Cardinality::Optional},
    {.json = "v", .kind = FieldKind::Int64, .cardinality = Cardinality::Optional},
};
const TypeInfo kItem{.name = "Item", .fields = kItemFields};
const FieldInfo kSpecFields[] = {
    {.json = "replicas", .kind = FieldKind::Int64, .cardinality = Cardinality::Optional},
    {.json = "items", .kind = FieldKind::Message, .cardinality = Cardinality::List, .listType = ListType::Map,
     .type = &kItem, .listMapKeys = kItemKeys},
    {.json = "tags", .cardinality = Cardinality::List, .listType = ListType::Set},
    {.json = "atom", .cardinality = Cardinality::Map, .atomicMap = true},
    {.json = "free", .kind = FieldKind::Json, .cardinality = Cardinality::Optional, .preserveUnknown = true},
};
const TypeInfo kSpec{.name = "Spec", .fields = kSpecFields};
const FieldInfo kMetaFields[] = {
    {.json = "name"},
    {.json = "labels", .cardinality = Cardinality::Map},
    {.json = "annotations", .cardinality = Cardinality::Map},
};
const TypeInfo kMeta{.name = "ObjectMeta", .fields = kMetaFields};
const FieldInfo kCustomFields[] = {
    {.json = "metadata", .kind = FieldKind::Message, .type = &kMeta},
    {.json = "spec", .kind = FieldKind::Message, .cardinality = Cardinality::Optional, .type = &kSpec},
};
const TypeInfo kCustom{.name = "Ac", .isKind = true, .fields = kCustomFields};

class Custom {
 public:
  Result<Value> apply(std::string_view manager, std::string_view spec, bool force = false) {
    Value config = parse(concat(R"({"apiVersion":"x.io/v1","kind":"Ac","metadata":{"name":"a"},"spec":)", spec, "}"));
    auto result = manager_.apply(live.isMap() ? &live : nullptr, config, {manager, force, now}, arena);
    if (result.ok()) live = *result;
    return result;
  }
  void update(std::string_view manager, std::string_view spec) {
    Value proposed = live.isMap() ? live.clone(arena) : parse(R"({"apiVersion":"x.io/v1","kind":"Ac","metadata":{"name":"a"}})");
    proposed.set(arena, "spec", parse(spec));
    bool existed = live.isMap();
    live = withOwners(proposed, manager_.update(existed ? &live : nullptr, proposed, manager, now, arena), arena);
  }
  std::string spec() const { return codec::toJson(live["spec"]); }
  std::string owned(std::string_view manager) const {
    for (const Value& entry : live["metadata"]["managedFields"].items())
      if (entry["manager"].asString() == manager) return codec::toJson(entry["fieldsV1"]);
    return "";
  }
  Value parse(std::string_view json) { return *codec::parseJson(json, arena); }

  Arena arena;
  Value live;
  WallTime now = kNow;

 private:
  FieldManager manager_{{.type = &kCustom, .apiVersion = "x.io/v1", .kind = "Ac"}};
};

}  // namespace

TEST_CASE("custom resource: keyed lists, sets and atomic maps between two appliers") {
  Custom object;
  REQUIRE(object.apply("one", R"({"atom":{"k":1},"items":[{"name":"x"},{"name":"z","v":1}],"tags":["a","b"]})").ok());
  CHECK(object.owned("one") ==
        R"({"f:spec":{"f:atom":{},"f:items":{"k:{\"name\":\"x\"}":{".":{},"f:name":{}},)"
        R"("k:{\"name\":\"z\"}":{".":{},"f:name":{},"f:v":{}}},"f:tags":{"v:\"a\"":{},"v:\"b\"":{}}}})");
  REQUIRE(object.apply("two", R"({"items":[{"name":"w"}],"tags":["c"]})").ok());
  CHECK(object.spec() == R"({"atom":{"k":1},"items":[{"name":"x"},{"name":"z","v":1},{"name":"w"}],"tags":["a","b","c"]})");
  REQUIRE(object.apply("one", R"({"items":[{"name":"z","v":2}]})").ok());
  CHECK(object.spec() == R"({"items":[{"name":"z","v":2},{"name":"w"}],"tags":["c"]})");
  CHECK(object.owned("two") == R"({"f:spec":{"f:items":{"k:{\"name\":\"w\"}":{".":{},"f:name":{}}},"f:tags":{"v:\"c\"":{}}}})");
}

TEST_CASE("co-owned items stay until the last owner drops them") {
  Custom object;
  REQUIRE(object.apply("one", R"({"items":[{"name":"x","v":1}]})").ok());
  REQUIRE(object.apply("two", R"({"items":[{"name":"x","v":1}]})").ok());
  REQUIRE(object.apply("one", R"({"replicas":1})").ok());
  CHECK(object.spec() == R"({"items":[{"name":"x","v":1}],"replicas":1})");
  REQUIRE(object.apply("two", R"({"replicas":1})").ok());
  CHECK(object.spec() == R"({"replicas":1})");
}

TEST_CASE("metadata stays when its labels are dropped") {
  Arena arena;
  FieldManager manager({.type = findType("core/v1", "ConfigMap"), .apiVersion = "v1", .kind = "ConfigMap"});
  auto apply = [&](const Value* live, std::string_view config) {
    return *manager.apply(live, *codec::parseJson(config, arena), {"m", false, kNow}, arena);
  };
  Value live = apply(nullptr, R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":{"x":"1"}}})");
  live.find("metadata")->set(arena, "uid", Value::string("u"));
  live = apply(&live, R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}})");
  CHECK(codec::toJson(live) == R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","uid":"u"}})");
}

TEST_CASE("conflicts name all managers and paths; force takes the fields") {
  Custom object;
  REQUIRE(object.apply("one", R"({"replicas":1,"items":[{"name":"x","v":1}]})").ok());
  object.update("ctl", R"({"replicas":2,"items":[{"name":"x","v":1}]})");
  CHECK(object.owned("ctl") == R"({"f:spec":{"f:replicas":{}}})");
  auto refused = object.apply("two", R"({"replicas":3,"items":[{"name":"x","v":3}]})");
  REQUIRE(refused.failedWith(Reason::Conflict));
  CHECK(refused.error().message() ==
        "Apply failed with 2 conflicts: conflicts with \"ctl\" using x.io/v1:\n- .spec.replicas\n"
        "conflicts with \"one\":\n- .spec.items[name=\"x\"].v");
  REQUIRE(refused.error().details()->causes.size() == 2);
  CHECK(refused.error().details()->causes[0].reason == "FieldManagerConflict");
  REQUIRE(object.apply("two", R"({"replicas":3,"items":[{"name":"x","v":3}]})", true).ok());
  CHECK(object.owned("ctl") == "");
  CHECK(object.owned("one") == R"({"f:spec":{"f:items":{"k:{\"name\":\"x\"}":{".":{},"f:name":{}}}}})");
}

TEST_CASE("what the schema does not know is refused in a config") {
  Custom object;
  auto message = [&](std::string_view spec) {
    auto result = object.apply("m", spec);
    return result.ok() ? std::string("ok") : result.error().message();
  };
  std::string prefix = "failed to create typed patch object (/a; x.io/v1, Kind=Ac): ";
  CHECK(message(R"({"frob":1})") == prefix + ".spec.frob: field not declared in schema");
  CHECK(message(R"({"items":[{"name":"x"},{"name":"x"}]})") == prefix + ".spec.items: duplicate entries for key [name=\"x\"]");
  CHECK(message(R"({"items":[{"v":1}]})").starts_with(prefix + ".spec.items: associative list with keys has an element that omits"));
  CHECK(message(R"({"tags":["a","a"]})") == prefix + ".spec.tags: duplicate entries for key [=\"a\"]");
  CHECK(message(R"({"items":{"a":1}})").starts_with(prefix + ".spec.items: expected list"));
  CHECK(message(R"({"free":{"any":[{"thing":1}]}})") == "ok");
}

TEST_CASE("the config must be of the endpoint's kind and bring no owners") {
  Arena arena;
  FieldManager manager({.type = &kCustom, .apiVersion = "x.io/v1", .kind = "Ac"});
  auto message = [&](std::string_view json) {
    return manager.apply(nullptr, *codec::parseJson(json, arena), {"m", false, kNow}, arena).error().message();
  };
  CHECK(message(R"({"apiVersion":"x.io/v2","kind":"Ac"})") == "invalid object type: x.io/v2, Kind=Ac");
  CHECK(message(R"({"apiVersion":"v1","kind":"Secret"})") == "invalid object type: /v1, Kind=Secret");
  CHECK(message("{}") == "invalid object type: /, Kind=");
  CHECK(message(R"({"apiVersion":"x.io/v1","kind":"Ac","metadata":{"managedFields":[{}]}})") ==
        "metadata.managedFields must be nil");
}

TEST_CASE("metadata that is no object is refused, with a schema or without") {
  for (const TypeInfo* type : {findType("core/v1", "ConfigMap"), static_cast<const TypeInfo*>(nullptr)}) {
    Arena arena;
    FieldManager manager({.type = type, .apiVersion = "v1", .kind = "ConfigMap"});
    auto config = codec::parseJson(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":"b"})", arena);
    CHECK(manager.apply(nullptr, *config, {"m", false, kNow}, arena).failedWith(Reason::BadRequest));
  }
}

TEST_CASE("managers of other versions see the object in their own version") {
  // v0 calls replicas count; vOld is gone.
  static const FieldInfo oldSpecFields[] = {{.json = "count", .kind = FieldKind::Int64, .cardinality = Cardinality::Optional}};
  static const TypeInfo oldSpec{.name = "Spec", .fields = oldSpecFields};
  static const FieldInfo oldFields[] = {
      {.json = "metadata", .kind = FieldKind::Message, .type = &kMeta},
      {.json = "spec", .kind = FieldKind::Message, .cardinality = Cardinality::Optional, .type = &oldSpec}};
  static const TypeInfo old{.name = "Ac", .isKind = true, .fields = oldFields};
  auto convert = [](const Value& object, std::string_view version, Arena& arena) -> std::optional<FieldManager::AtVersion> {
    if (version != "x.io/v0") return std::nullopt;
    Value out = Value::mapOf(arena, object.members());
    Value spec = Value::map();
    if (const Value* replicas = object["spec"].find("replicas")) spec.append(arena, "count", *replicas);
    out.set(arena, "spec", spec);
    return FieldManager::AtVersion{out, &old};
  };
  FieldManager manager({.type = &kCustom, .apiVersion = "x.io/v1", .kind = "Ac", .convert = convert});
  Arena arena;
  Value live = *codec::parseJson(R"({"apiVersion":"x.io/v1","kind":"Ac","metadata":{"name":"a","uid":"u","managedFields":[
      {"manager":"old","operation":"Apply","apiVersion":"x.io/v0","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:count":{}}}},
      {"manager":"gone","operation":"Apply","apiVersion":"x.io/vOld","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:n":{}}}}]},
      "spec":{"replicas":1}})", arena);
  Value config = *codec::parseJson(R"({"apiVersion":"x.io/v1","kind":"Ac","metadata":{"name":"a"},"spec":{"replicas":2}})", arena);
  auto refused = manager.apply(&live, config, {"new", false, kNow}, arena);
  REQUIRE(refused.failedWith(Reason::Conflict));
  CHECK(refused.error().message() == "Apply failed with 1 conflict: conflict with \"old\": .spec.count");
  auto forced = manager.apply(&live, config, {"new", true, kNow}, arena);
  REQUIRE(forced.ok());
  REQUIRE((*forced)["metadata"]["managedFields"].size() == 1);
  CHECK((*forced)["metadata"]["managedFields"].at(0)["manager"].asString() == "new");
}

TEST_CASE("an apply without effect keeps its time") {
  Custom object;
  REQUIRE(object.apply("one", R"({"replicas":1})").ok());
  std::string before = codec::toJson(object.live);
  object.now += seconds(60);
  REQUIRE(object.apply("one", R"({"replicas":1})").ok());
  CHECK(codec::toJson(object.live) == before);
  REQUIRE(object.apply("one", R"({"replicas":2})").ok());
  CHECK(object.live["metadata"]["managedFields"].at(0)["time"].asString() == "2026-11-22T10:01:01Z");
}

TEST_CASE("a manager that only comes to share what is there has no time") {
  Custom object;
  REQUIRE(object.apply("one", R"({"replicas":1})").ok());
  REQUIRE(object.apply("two", R"({"replicas":1})").ok());
  const Value& managers = std::as_const(object.live)["metadata"]["managedFields"];
  REQUIRE(managers.size() == 2);
  for (const Value& entry : managers.items()) CHECK(entry.has("time") == (entry["manager"].asString() == "one"));
}

TEST_CASE("update managers are capped") {
  Custom object;
  object.update("m0", R"({"replicas":0})");
  for (int i = 1; i <= 14; ++i) {
    object.now += seconds(1);
    std::string items;
    for (int j = 1; j <= i; ++j) items += concat(j > 1 ? "," : "", R"({"name":"i)", j, R"("})");
    object.update(concat("m", i), concat(R"({"replicas":0,"items":[)", items, "]}"));
  }
  const Value& managers = object.live["metadata"]["managedFields"];
  CHECK(managers.size() == kMaxUpdateManagers);
  CHECK(managers.at(0)["manager"].asString() == "ancient-changes");
  CHECK(object.owned("ancient-changes").find("f:replicas") != std::string::npos);
  CHECK(object.owned("m14") != "");
}

TEST_CASE("hostile depth is refused, not walked") {
  Arena arena;
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "{\"a\":";
  deep += "1" + std::string(5000, '}');
  Value value = *codec::parseJson(deep, arena);
  FieldManager manager({.apiVersion = "v1", .kind = "X"});
  Value config = *codec::parseJson(R"({"apiVersion":"v1","kind":"X"})", arena);
  config.set(arena, "spec", value);
  CHECK(manager.apply(nullptr, config, {"m", false, kNow}, arena).failedWith(Reason::BadRequest));
  CHECK(manager.update(nullptr, config, "m", kNow, arena).empty());
  CHECK(applyMergePatch(config, value, arena).failedWith(Reason::BadRequest));
  CHECK(FieldSet::fromFieldsV1(value).failedWith(Reason::BadRequest));
}

TEST_CASE("times of entries that did not change otherwise are kept") {
  Custom object;
  object.update("m", R"({"replicas":1})");
  Value later = object.live.clone(object.arena);
  later.find("metadata")->find("managedFields")->items()[0].set(object.arena, "time", Value::string("2030-01-01T00:00:00Z"));
  Value changed = later.clone(object.arena);
  keepManagedFieldTimes(object.live, later, object.arena);
  CHECK(later == object.live);
  changed.find("spec")->set(object.arena, "replicas", Value::integer(2));
  keepManagedFieldTimes(object.live, changed, object.arena);
  CHECK(changed["metadata"]["managedFields"].at(0)["time"].asString() == "2030-01-01T00:00:00Z");
}
