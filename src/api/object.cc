#include "api/object.h"

#include "api/convert.h"
#include "base/strings.h"
#include "codec/json.h"
#include "codec/wire.h"

namespace skiff::api {

Object::Object(codec::DocumentPtr document, const TypeInfo* type) : type_(type) { take(std::move(document)); }

Object::Object(std::shared_ptr<const ObjectSource> source, const TypeInfo* type, Bytes bytes)
    : type_(type), source_(std::move(source)), bytes_(std::move(bytes)) {}

ObjectPtr Object::fromSource(std::shared_ptr<const ObjectSource> source, const TypeInfo* type) {
  return ObjectPtr(new Object(std::move(source), type, {}));
}

ObjectPtr Object::cooled(std::shared_ptr<const ObjectSource> source) const {
  Bytes bytes;
  {
    std::lock_guard lock(mutex_);
    bytes = bytes_;
  }
  return ObjectPtr(new Object(std::move(source), type_, std::move(bytes)));
}

bool Object::hasBytes() const {
  std::lock_guard lock(mutex_);
  return !bytes_.json.text.empty() || !bytes_.protobuf.empty() || !bytes_.metadataJson.empty() ||
         !bytes_.metadataProtobuf.empty();
}

void Object::decode() const {
  std::lock_guard lock(decoding_);
  if (!warm()) take(source_->decode());
}

codec::DocumentPtr Object::peek() const {
  std::lock_guard lock(decoding_);
  return warm() ? document_ : source_->decode();
}

void Object::take(codec::DocumentPtr document) const {
  document_ = std::move(document);
  metadata_ = &document_->root["metadata"];
  labels_ = &(*metadata_)["labels"];
  source_ = nullptr;
  decoded_.store(true, std::memory_order_release);
}

ObjectPtr Object::fromDocument(codec::DocumentPtr document, const TypeInfo* type) {
  return std::make_shared<const Object>(std::move(document), type);
}

Result<ObjectPtr> Object::fromJson(std::string_view json, const TypeInfo* type) {
  auto document = TRY(codec::parseJsonDocument(json));
  return fromDocument(std::move(document), type);
}

std::string Object::key() const {
  return ns().empty() ? std::string(name()) : concat(ns(), '/', name());
}

const Object::Json& Object::madeJson() const {
  Json& json = bytes_.json;
  if (!json.text.empty()) return json;
  std::string text;
  char before = '{';
  codec::DocumentPtr document = peek();
  for (const codec::Member& member : document->root.members()) {
    text += std::exchange(before, ',');
    bool head = member.key == "kind" || member.key == "apiVersion";
    if (!head && json.itemFrom == 0) json.itemFrom = uint32_t(text.size());
    codec::writeJsonString(text, member.key);
    text += ':';
    size_t from = text.size();
    codec::writeJson(text, member.value);
    if (member.key != "metadata") continue;
    json.metadataFrom = uint32_t(from);
    json.metadataSize = uint32_t(text.size() - from);
  }
  text += before == '{' ? "{}" : "}";
  if (json.itemFrom == 0) json.itemFrom = 1;
  json.text = SharedBytes(std::move(text));
  bytes_.metadataJson = {};
  return json;
}

SharedBytes Object::json() const {
  std::lock_guard lock(mutex_);
  return madeJson().text;
}

SharedBytes Object::jsonOfItem() const {
  std::lock_guard lock(mutex_);
  const Json& json = madeJson();
  return json.text.slice(json.itemFrom);
}

SharedBytes Object::metadataJson() const {
  std::lock_guard lock(mutex_);
  if (const Json& json = bytes_.json; json.metadataSize > 0) return json.text.slice(json.metadataFrom, json.metadataSize);
  if (bytes_.metadataJson.empty()) bytes_.metadataJson = SharedBytes(codec::toJson(peek()->root["metadata"]));
  return bytes_.metadataJson;
}

Result<SharedBytes> Object::metadataProtobuf() const {
  std::lock_guard lock(mutex_);
  if (bytes_.metadataProtobuf.empty()) {
    codec::DocumentPtr document = peek();
    std::string message;
    size_t mark = codec::beginMessage(message, 1);
    TRY(encodeProtobuf(document->root["metadata"], *findType("meta/v1", "ObjectMeta"), message));
    codec::endMessage(message, mark);
    bytes_.metadataProtobuf = SharedBytes(std::move(message));
  }
  return bytes_.metadataProtobuf;
}

Result<SharedBytes> Object::protobuf() const {
  std::lock_guard lock(mutex_);
  if (bytes_.protobuf.empty()) {
    codec::DocumentPtr document = peek();
    const codec::Value& root = document->root;
    if (!type_) return Error(Reason::NotAcceptable, concat("no protobuf form of ", root["kind"].asString()));
    std::string raw;
    TRY(encodeProtobuf(root, *type_, raw));
    bytes_.protobuf = SharedBytes(wrapProtobuf(root["apiVersion"].asString(), root["kind"].asString(), raw));
  }
  return bytes_.protobuf;
}

Result<std::shared_ptr<const void>> Object::typed(const TypeBinding& binding) const {
  MUST(!type_ || type_ == binding.type);
  std::lock_guard lock(mutex_);
  if (!typed_) {
    std::shared_ptr<void> made(binding.create(), binding.destroy);
    TRY(fromValue(binding, root(), made.get()));
    typed_ = std::move(made);
  }
  return typed_;
}

std::string_view watchEventName(WatchEvent::Type type) {
  switch (type) {
    case WatchEvent::Type::Added:
      return "ADDED";
    case WatchEvent::Type::Modified:
      return "MODIFIED";
    case WatchEvent::Type::Deleted:
      return "DELETED";
    case WatchEvent::Type::Bookmark:
      return "BOOKMARK";
    case WatchEvent::Type::Error:
      break;
  }
  return "ERROR";
}

}  // namespace skiff::api
