#include "api/object.h"

#include "api/convert.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {

Object::Object(codec::DocumentPtr document, const TypeInfo* type) : type_(type) { take(std::move(document)); }

Object::Object(std::shared_ptr<const ObjectSource> source, const TypeInfo* type, Json json)
    : type_(type), source_(std::move(source)), json_(std::move(json)) {}

ObjectPtr Object::cooled(std::shared_ptr<const ObjectSource> source) const {
  Json json;
  {
    std::lock_guard lock(mutex_);
    json = json_;
  }
  return ObjectPtr(new Object(std::move(source), type_, std::move(json)));
}

void Object::decode() const {
  std::lock_guard lock(decoding_);
  if (!warm()) take(source_->decode());
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
  if (!json_.text.empty()) return json_;
  std::string text;
  char before = '{';
  for (const codec::Member& member : root().members()) {
    text += std::exchange(before, ',');
    bool head = member.key == "kind" || member.key == "apiVersion";
    if (!head && json_.itemFrom == 0) json_.itemFrom = uint32_t(text.size());
    codec::writeJsonString(text, member.key);
    text += ':';
    size_t from = text.size();
    codec::writeJson(text, member.value);
    if (member.key != "metadata") continue;
    json_.metadataFrom = uint32_t(from);
    json_.metadataSize = uint32_t(text.size() - from);
  }
  text += before == '{' ? "{}" : "}";
  if (json_.itemFrom == 0) json_.itemFrom = 1;
  json_.text = SharedBytes(std::move(text));
  return json_;
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
  {
    std::lock_guard lock(mutex_);
    if (json_.metadataSize > 0) return json_.text.slice(json_.metadataFrom, json_.metadataSize);
  }
  return SharedBytes(codec::toJson(metadata()));
}

Result<SharedBytes> Object::protobuf() const {
  std::lock_guard lock(mutex_);
  if (protobuf_.empty()) {
    if (!type_) return Error(Reason::NotAcceptable, concat("no protobuf form of ", kind()));
    std::string raw;
    TRY(encodeProtobuf(root(), *type_, raw));
    protobuf_ = SharedBytes(wrapProtobuf(apiVersion(), kind(), raw));
  }
  return protobuf_;
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
