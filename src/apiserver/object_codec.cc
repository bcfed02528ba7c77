#include "apiserver/object_codec.h"

#include <algorithm>

#include "api/convert.h"
#include "apiserver/crd.h"
#include "apiserver/crd_storage.h"
#include "apiserver/stored_defaults.h"
#include "apiserver/strict_decoding.h"
#include "apiserver/structural_schema.h"
#include "apiserver/version_convert.h"
#include "apiserver/warm_objects.h"
#include "base/strings.h"
#include "codec/json.h"
#include "codec/yaml.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Member;
using codec::Value;

// Bodies deeper than this are refused: no kind needs more, and recursive walks stay within a worker's stack.
constexpr int kMaxDepth = 512;
// How much of a foreign body an error message repeats.
constexpr size_t kMaxQuotedBody = 256;
// Objects in one ConversionReview: a long list goes to the webhook in pieces that its server takes.
constexpr size_t kMaxReviewObjects = 500;
// Rounds of WarmObjects that an object's encoded forms outlive the last use: a client that lists now and then finds them.
constexpr int kBytesRounds = 4;

std::string summarize(std::string_view bytes) {
  if (bytes.empty()) return "<empty>";
  std::string_view head = bytes.substr(0, kMaxQuotedBody);
  std::string text = bytes.front() == '{' ? std::string(head) : hexEncode(head);
  return head.size() < bytes.size() ? text + " ..." : text;
}

Error unrecognized(std::string_view kind, std::string_view why, std::string_view bytes) {
  return badRequest(concat("the object provided is unrecognized (must be of type ", kind,
                           "): couldn't get version/kind; json parse error: ", why, " (", summarize(bytes), ")"));
}

std::string_view goKind(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::List: return "array";
    case Value::Kind::String: return "string";
    case Value::Kind::Bool: return "bool";
    default: return "number";
  }
}

// Go's package of the internal types of a group: "rbac" of "rbac.authorization.k8s.io".
std::string_view internalPackage(std::string_view group) {
  return group.empty() ? "core" : group.substr(0, group.find('.'));
}

// A body may leave out apiVersion and kind; what it says must fit.
Status checkKind(const Value& body, const ExpectedKind& expected) {
  std::string_view apiVersion = body["apiVersion"].asString(), kind = body["kind"].asString();
  std::string wanted = api::apiVersionOf(expected.group, expected.version);
  if (apiVersion.empty()) apiVersion = wanted;
  if (kind.empty()) kind = expected.kind;
  if (apiVersion == wanted && kind == expected.kind) return okStatus();
  // Every group version knows DeleteOptions as its own kind: clients name the version of what they delete.
  if (kind == expected.kind && kind == "DeleteOptions") return okStatus();
  auto slash = cut(apiVersion, "/");
  std::string_view group = slash ? slash->first : "", version = slash ? slash->second : apiVersion;
  if (expected.custom) {
    if (apiVersion != wanted)
      return badRequest(concat("the API version in the data (", apiVersion, ") does not match the expected API version (",
                               wanted, ")"));
    return badRequest(concat(kind, " in version ", quoted(version), " cannot be handled as a ", expected.kind,
                             ": kind does not match"));
  }
  std::string head = concat(kind, " in version ", quoted(version), " cannot be handled as a ", expected.kind, ": ");
  bool listKind = kind.ends_with("List") && api::findKind(group, version, kind.substr(0, kind.size() - 4));
  if (!listKind && !api::findKind(group, version, kind))
    return badRequest(concat(head, "no kind ", quoted(kind), " is registered for version ", quoted(apiVersion),
                             " in scheme \"pkg/runtime/scheme.go:111\""));
  return badRequest(concat(head, "converting (", version, ".", kind, ") to (", internalPackage(expected.group), ".",
                           expected.kind, "): unknown conversion"));
}

Status readText(const SharedBytes& body, Format format, const ExpectedKind& expected, codec::Document& document,
                std::vector<std::string>& duplicates) {
  if (format == Format::Yaml) {
    auto parsed = codec::parseYaml(body.view(), document.arena, &duplicates);
    if (!parsed.ok())
      return badRequest(concat("error converting YAML to JSON: ", parsed.error().message()));
    document.root = *parsed;
  } else {
    codec::JsonOptions options;
    options.duplicates = &duplicates;
    options.maxDepth = kMaxDepth;
    auto parsed = codec::parseJson(body.view(), document.arena, options);
    if (!parsed.ok()) return unrecognized(expected.kind, parsed.error().message(), body.view());
    document.root = *parsed;
  }
  if (document.root.isNull()) document.root = Value::map();
  if (!document.root.isMap())
    return unrecognized(expected.kind,
                        concat("json: cannot unmarshal ", goKind(document.root),
                               " into Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; "
                               "Kind string \"json:\\\"kind,omitempty\\\"\" }"),
                        body.view());
  for (std::string_view key : {"apiVersion", "kind"})
    if (const Value* value = document.root.find(key); value && !value->isString() && !value->isNull())
      return unrecognized(expected.kind,
                          concat("json: cannot unmarshal ", value->isMap() ? "object" : goKind(*value),
                                 " into Go struct field .", key, " of type string"),
                          body.view());
  return okStatus();
}

Status readProtobuf(const SharedBytes& body, const ExpectedKind& expected, codec::Document& document) {
  auto envelope = api::unwrapProtobuf(body.view());
  if (!envelope.ok())
    return badRequest(concat("the object provided is unrecognized (must be of type ", expected.kind, "): ",
                             envelope.error().message()));
  Value head = Value::map();
  head.set(document.arena, "apiVersion", Value::text(document.arena, envelope->apiVersion));
  head.set(document.arena, "kind", Value::text(document.arena, envelope->kind));
  TRY(checkKind(head, expected));
  if (!expected.type) return badRequest("protobuf is not supported for this kind");
  auto decoded = api::decodeProtobuf(envelope->raw, *expected.type, document.arena);
  if (!decoded.ok())
    return badRequest(concat(expected.kind, " in version ", quoted(expected.version), " cannot be handled as a ",
                             expected.kind, ": ", decoded.error().message()));
  document.root = *decoded;
  if (document.root.isNull()) document.root = Value::map();
  return okStatus();
}

// In upstream's order: built-in kinds are decoded strictly, field by field; YAML's duplicates are one problem found before that,
// and a custom resource is decoded whole before it is pruned.
std::vector<std::string> fieldProblems(std::string_view body, Format format, const ExpectedKind& expected,
                                       std::vector<std::string> duplicates, std::vector<std::string> unknown) {
  if (format == Format::Json && !expected.custom) return strictProblems(body, std::move(duplicates), std::move(unknown));
  std::vector<std::string> problems;
  if (format == Format::Yaml && !duplicates.empty()) problems.push_back(codec::yamlDuplicatesError(duplicates));
  if (format == Format::Json) problems = strictProblems(body, std::move(duplicates), {});
  for (std::string& field : unknown) problems.push_back(std::move(field));
  return problems;
}

Status reportFields(std::vector<std::string> problems, const ExpectedKind& expected, FieldValidation validation,
                    std::vector<std::string>& warnings) {
  if (problems.empty() || validation == FieldValidation::Ignore) return okStatus();
  if (validation == FieldValidation::Strict)
    return badRequest(concat(expected.kind, " in version ", quoted(expected.version), " cannot be handled as a ",
                             expected.kind, ": strict decoding error: ", join(problems, ", ")));
  for (std::string& problem : problems) warnings.push_back(std::move(problem));
  return okStatus();
}

const api::TypeInfo* objectMetaType() { return api::findType("meta/v1", "ObjectMeta"); }

size_t fieldIndex(const api::TypeInfo& type, std::string_view key) {
  const api::FieldInfo* field = type.field(key);
  return field ? size_t(field - type.fields.data()) : type.fields.size();
}

// A version of a resource as the store's records are asked for it.
struct WantedForm {
  const api::ResourceInfo* info = nullptr;
  const CustomVersion* custom = nullptr;  // null: built in
};
WantedForm servedForm(const ServedResource& resource) { return {resource.info, resource.customVersion}; }
WantedForm storageForm(const ServedResource& resource) {
  return {resource.storage, resource.custom ? &resource.custom->storageVersion() : nullptr};
}

// These two have servers of their own upstream, which write JSON.
bool keptAsJson(const api::ResourceInfo& resource) {
  return resource.group == "apiextensions.k8s.io" || resource.group == "apiregistration.k8s.io";
}

bool isDefinition(const api::ResourceInfo& resource) {
  return resource.group == "apiextensions.k8s.io" && resource.plural == "customresourcedefinitions";
}

bool isStoredDefinition(const Value& object, const api::ResourceInfo& storage) {
  return isDefinition(storage) && object["apiVersion"].asString() == "apiextensions.k8s.io/v1beta1";
}

// A record's bytes in memory form, in the version that they say.
Result<std::shared_ptr<codec::Document>> decodeStored(const SharedBytes& value, store::Revision revision,
                                                      const api::ResourceInfo& storage,
                                                      const std::shared_ptr<const CustomResource>& custom) {
  auto document = std::make_shared<codec::Document>();
  if (custom) document->arena.keep(custom);
  std::string_view bytes = value.view();
  if (bytes.starts_with(api::kProtobufMagic)) {
    api::Envelope envelope = TRY(api::unwrapProtobuf(bytes));
    const api::ResourceInfo* stored = &storage;
    // An older server may have stored another version.
    auto slash = cut(envelope.apiVersion, "/");
    std::string_view group = slash ? slash->first : "", version = slash ? slash->second : envelope.apiVersion;
    if (version != storage.version || group != storage.group) {
      stored = api::findResourceByKind(group, version, envelope.kind);
      if (!stored) return internalError(concat("stored object has unknown version ", envelope.apiVersion));
    }
    document->root = TRY(api::decodeProtobuf(envelope.raw, *stored->type, document->arena));
    setTypeMeta(document->root, document->arena, document->arena.copy(envelope.apiVersion),
                document->arena.copy(envelope.kind));
    if (stored != &storage) TRY(convertObject(document->root, *stored, storage, nullptr, document->arena));
  } else {
    document->root = TRY(codec::parseJson(bytes, document->arena));
    if (!custom && isStoredDefinition(document->root, storage)) {
      definitionFromStored(document->root, document->arena);
      std::vector<std::string> unknown;
      TRY(conformObject(document->root, expectedKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
                        document->arena, unknown));
    }
    // A custom resource's record keeps the version it was written in: its definition says how to bring it into another.
    std::string wanted = api::apiVersionOf(storage.group, storage.version);
    if (!custom && document->root["apiVersion"].asString() != wanted)
      setTypeMeta(document->root, document->arena, document->arena.copy(wanted), document->root["kind"].asString());
  }
  if (!custom) applyStoredDefaults(document->root, storage, document->arena);
  setMetadata(document->root, document->arena, "resourceVersion",
              Value::text(document->arena, std::to_string(revision)));
  return document;
}

class StoredBytes final : public api::ObjectSource {
 public:
  StoredBytes(SharedBytes value, store::Revision revision, const ServedResource& resource)
      : value_(std::move(value)), revision_(revision), storage_(resource.storage), custom_(resource.custom) {}
  codec::DocumentPtr decode() const override {
    auto document = decodeStored(value_, revision_, *storage_, custom_);
    MUST(document.ok());
    return *document;
  }
  const api::TypeInfo* type() const { return storage_->type; }

 private:
  SharedBytes value_;
  store::Revision revision_;
  const api::ResourceInfo* storage_;
  std::shared_ptr<const CustomResource> custom_;
};

// One object as it was written, and its forms in other versions, made when somebody asks for them.
class StoredObject final : public store::Attachment, public Coolable, public std::enable_shared_from_this<StoredObject> {
 public:
  StoredObject(api::ObjectPtr object, std::shared_ptr<const StoredBytes> source)
      : object_(std::move(object)), source_(std::move(source)) {}

  api::ObjectPtr object() const {
    std::lock_guard lock(mutex_);
    return held();
  }

  // Each time it is looked up.
  void use(WarmObjects& warm) const {
    used_.store(true, std::memory_order_relaxed);
    if (!listed_.load(std::memory_order_relaxed) && !listed_.exchange(true)) warm.add(weak_from_this());
  }

  // First the tree goes, then what was made of it to be sent, which is dearer to make and half as large.
  bool coolUnlessUsed() const override {
    std::lock_guard lock(mutex_);
    bool used = used_.exchange(false, std::memory_order_relaxed);
    unusedRounds_ = used ? 0 : unusedRounds_ + 1;
    if (used) return true;
    others_.clear();
    // Who else holds it, such as an informer, would keep its tree in any case.
    bool alone = object_ && object_.use_count() == 1;
    if (alone && object_->warm()) object_ = object_->cooled(source_);
    if (alone && object_->hasBytes() && unusedRounds_ < kBytesRounds) return true;
    if (alone) object_ = nullptr;
    listed_ = false;
    return false;
  }

  // Null when nobody has asked for it yet.
  api::ObjectPtr made(const WantedForm& form) const {
    std::lock_guard lock(mutex_);
    for (const auto& [info, object] : others_)
      if (info == form.info) return object;
    return nullptr;
  }

  Result<api::ObjectPtr> inVersion(const ServedResource& resource, const WantedForm& form) const {
    if (api::ObjectPtr there = made(form)) return there;
    // Not under the lock: a conversion may ask another server. Who comes second takes what the first has left.
    auto document = codec::cloneDocument(object()->root());
    if (resource.custom) document->arena.keep(resource.custom);
    // A definition's defaults may be younger than the object: they hold when it is read, too.
    if (form.custom) TRY(convertCustom(document->root, *resource.custom, *form.custom, document->arena));
    else TRY(convertObject(document->root, *resource.storage, *form.info, nullptr, document->arena));
    return keep(form, std::move(document));
  }

  // `document` is the object in that version already.
  api::ObjectPtr keep(const WantedForm& form, std::shared_ptr<codec::Document> document) const {
    std::lock_guard lock(mutex_);
    for (const auto& [info, object] : others_)
      if (info == form.info) return object;
    // Most objects are already what their definition wants: one copy of these is enough.
    api::ObjectPtr stored = held();
    bool same = form.info->type == stored->type() && document->root == stored->root();
    api::ObjectPtr made = same ? stored : api::Object::fromDocument(std::move(document), form.info->type);
    return others_.emplace_back(form.info, std::move(made)).second;
  }

 private:
  const api::ObjectPtr& held() const {  // under mutex_
    if (!object_) object_ = api::Object::fromSource(source_, source_->type());
    return object_;
  }

  mutable std::mutex mutex_;  // guards the three below
  mutable int unusedRounds_ = 0;
  mutable api::ObjectPtr object_;  // null: cold
  mutable std::vector<std::pair<const api::ResourceInfo*, api::ObjectPtr>> others_;
  std::shared_ptr<const StoredBytes> source_;
  mutable std::atomic<bool> used_ = true, listed_ = false;
};

Result<std::shared_ptr<const StoredObject>> attached(const store::RecordPtr& record, const ServedResource& resource) {
  auto stored = std::dynamic_pointer_cast<const StoredObject>(record->attachment());
  if (!stored) {
    auto document = TRY(decodeStored(record->value(), record->modRevision(), *resource.storage, resource.custom));
    auto object = api::Object::fromDocument(codec::cloneDocument(document->root), resource.storage->type);
    auto source = std::make_shared<const StoredBytes>(record->value(), record->modRevision(), resource);
    stored = std::dynamic_pointer_cast<const StoredObject>(
        record->attach(std::make_shared<StoredObject>(std::move(object), std::move(source))));
    if (!stored) return internalError("a record carries a foreign attachment");
  }
  stored->use(*resource.warm);
  return stored;
}

}  // namespace

ExpectedKind expectedKind(const ServedResource& resource) {
  const api::ResourceInfo& info = *resource.info;
  return {info.group, info.version, info.kind, resource.custom ? nullptr : info.type, resource.customVersion};
}

ExpectedKind expectedKind(std::string_view group, std::string_view version, std::string_view kind) {
  return {group, version, kind, api::findKind(group, version, kind), nullptr};
}

Status conformObject(Value& object, const ExpectedKind& expected, Arena& arena, std::vector<std::string>& unknown,
                     api::DecodeWords words) {
  if (expected.custom) return conformCustom(object, *expected.custom, arena, unknown);
  if (!expected.type) return okStatus();
  api::DecodeReport report;
  report.words = words;
  TRY(api::conform(object, *expected.type, arena, report));
  for (std::string& field : report.unknownFields) unknown.push_back(std::move(field));
  return okStatus();
}

void defaultObject(Value& object, const ExpectedKind& expected, Arena& arena) {
  if (expected.custom) {
    defaultCustom(object, *expected.custom, arena);
  } else if (expected.type) {
    api::applyDefaults(object, *expected.type, arena);
  }
}

Result<DocumentEdit> decodeBody(const SharedBytes& body, Format format, const ExpectedKind& expected,
                                FieldValidation validation, std::vector<std::string>& warnings) {
  auto document = std::make_shared<codec::Document>();
  std::vector<std::string> problems;
  if (format == Format::Protobuf) {
    TRY(readProtobuf(body, expected, *document));
  } else {
    std::vector<std::string> duplicates;
    TRY(readText(body, format, expected, *document, duplicates));
    TRY(checkKind(document->root, expected));
    std::vector<std::string> unknown;
    Status conformed = conformObject(document->root, expected, document->arena, unknown);
    if (!conformed.ok()) {
      const Error& error = conformed.error();
      if (expected.custom) return Error(error);
      return badRequest(concat(expected.kind, " in version ", quoted(expected.version), " cannot be handled as a ",
                               expected.kind, ": ", error.message()));
    }
    problems = fieldProblems(body.view(), format, expected, std::move(duplicates), std::move(unknown));
  }
  TRY(reportFields(std::move(problems), expected, validation, warnings));
  defaultObject(document->root, expected, document->arena);
  setTypeMeta(document->root, document->arena,
              document->arena.copy(api::apiVersionOf(expected.group, expected.version)),
              document->arena.copy(expected.kind));
  return document;
}

Value& setOrdered(Value& map, const api::TypeInfo* type, Arena& arena, std::string_view key, Value value) {
  if (Value* there = map.find(key)) return *there = value;
  if (!type || !map.isMap()) return map.set(arena, key, value);
  size_t index = fieldIndex(*type, key);
  auto isLater = [&](const Member& member) {
    return member.key != "kind" && member.key != "apiVersion" && fieldIndex(*type, member.key) > index;
  };
  auto at = std::ranges::find_if(map.members(), isLater) - map.members().begin();
  map.reserve(arena, map.size() + 1);
  map.append(arena, arena.copy(key), value);
  auto members = map.members();
  std::rotate(members.begin() + at, members.end() - 1, members.end());
  return members[size_t(at)].value;
}

void setMetadata(Value& object, Arena& arena, std::string_view key, Value value) {
  Value& metadata = object.child(arena, "metadata");
  if (!metadata.isMap()) metadata = Value::map();
  setOrdered(metadata, objectMetaType(), arena, key, value);
}

void setTypeMeta(Value& object, Arena& arena, std::string_view apiVersion, std::string_view kind) {
  std::vector<Member> members{{"kind", Value::string(kind)}, {"apiVersion", Value::string(apiVersion)}};
  for (const Member& member : object.members())
    if (member.key != "kind" && member.key != "apiVersion") members.push_back(member);
  object = Value::mapOf(arena, members);
}

Result<api::ObjectPtr> storedObject(const store::RecordPtr& record, const ServedResource& resource) {
  auto stored = TRY(attached(record, resource));
  if (!resource.custom || stored->object()->apiVersion() == api::apiVersionOf(resource.storage->group, resource.storage->version))
    return stored->object();
  return stored->inVersion(resource, storageForm(resource));
}

namespace {

Result<api::ObjectPtr> served(const StoredObject& stored, const ServedResource& resource) {
  // Custom resources have a form for each state of their definition: its tables and defaults change with it.
  if (resource.storage == resource.info && !resource.custom) return stored.object();
  return stored.inVersion(resource, servedForm(resource));
}

}  // namespace

Result<api::ObjectPtr> servedObject(const store::RecordPtr& record, const ServedResource& resource) {
  return served(*TRY(attached(record, resource)), resource);
}

namespace {

// Those of `pending` in the wanted form, from the webhook.
Status convertTogether(std::span<const std::shared_ptr<const StoredObject>> pending, const ServedResource& resource) {
  WantedForm form = servedForm(resource);
  std::string wanted = api::apiVersionOf(form.info->group, form.info->version);
  std::vector<api::ObjectPtr> held;
  std::vector<const Value*> objects;
  for (const auto& stored : pending) objects.push_back(&held.emplace_back(stored->object())->root());
  for (size_t at = 0; at < objects.size(); at += kMaxReviewObjects) {
    auto part = std::span<const Value* const>(objects).subspan(at, std::min(kMaxReviewObjects, objects.size() - at));
    auto converted = TRY(resource.custom->converter()->convert(part, wanted));
    for (size_t i = 0; i < converted.size(); ++i) {
      auto document = codec::cloneDocument(converted[i]->root);
      document->arena.keep(resource.custom);
      TRY(settleCustom(document->root, *form.custom, document->arena));
      pending[at + i]->keep(form, std::move(document));
    }
  }
  return okStatus();
}

}  // namespace

Result<std::vector<api::ObjectPtr>> servedObjects(std::span<const store::RecordPtr> records, const ServedResource& resource) {
  std::vector<std::shared_ptr<const StoredObject>> all, pending;
  std::string wanted = resource.apiVersion();
  for (const store::RecordPtr& record : records) {
    all.push_back(TRY(attached(record, resource)));
    bool same = all.back()->object()->apiVersion() == wanted;
    if (blocksReads(resource) && !same && !all.back()->made(servedForm(resource))) pending.push_back(all.back());
  }
  TRY(convertTogether(pending, resource));
  std::vector<api::ObjectPtr> out;
  for (const auto& stored : all) out.push_back(TRY(served(*stored, resource)));
  return out;
}

bool blocksReads(const ServedResource& resource) { return resource.custom && resource.custom->converter(); }

Result<std::string> encodeStored(Value& object, const ServedResource& resource) {
  if (Value* metadata = object.find("metadata")) metadata->erase("resourceVersion");
  if (resource.custom || !resource.storage->type) return codec::toJson(object);
  if (isDefinition(*resource.storage)) {
    Arena arena;
    Value stored = object.clone(arena);
    definitionToStored(stored, arena);
    return codec::toJson(stored);
  }
  if (keptAsJson(*resource.storage)) return codec::toJson(object);
  std::string raw;
  raw.reserve(4096);  // a usual pod
  TRY(api::encodeProtobuf(object, *resource.storage->type, raw));
  return api::wrapProtobuf(object["apiVersion"].asString(), object["kind"].asString(), raw);
}

UniqueFunction<store::AttachmentPtr(store::Revision)> attaching(api::ObjectPtr& object, DocumentEdit& document,
                                                                SharedBytes value, const ServedResource& resource) {
  return [&object, &document, value = std::move(value), &resource](store::Revision revision) mutable {
    object = publish(std::move(document), revision, resource);
    auto source = std::make_shared<const StoredBytes>(std::move(value), revision, resource);
    auto stored = std::make_shared<StoredObject>(object, std::move(source));
    stored->use(*resource.warm);
    return stored;
  };
}

DocumentEdit compacted(const codec::Document& document, const ServedResource& resource) {
  constexpr size_t kRevisionBytes = 512;  // metadata is written once more, with its resourceVersion
  auto copy = codec::cloneDocument(document.root, kRevisionBytes);
  if (resource.custom) copy->arena.keep(resource.custom);
  return copy;
}

api::ObjectPtr publish(DocumentEdit document, store::Revision revision, const ServedResource& resource) {
  if (revision != 0) {
    std::string text = std::to_string(revision);
    setMetadata(document->root, document->arena, "resourceVersion", Value::text(document->arena, text));
  }
  if (resource.custom) document->arena.keep(resource.custom);
  return api::Object::fromDocument(std::move(document), resource.storage->type);
}

api::ObjectPtr atRevision(const api::ObjectPtr& object, store::Revision revision) {
  auto document = std::make_shared<codec::Document>();
  document->arena.keep(object->document());
  Arena& arena = document->arena;
  document->root = Value::mapOf(arena, object->root().members());
  Value& metadata = document->root.child(arena, "metadata");
  metadata = Value::mapOf(arena, std::as_const(metadata).members());
  setOrdered(metadata, objectMetaType(), arena, "resourceVersion", Value::text(arena, std::to_string(revision)));
  return api::Object::fromDocument(std::move(document), object->type());
}

}  // namespace skiff::apiserver
