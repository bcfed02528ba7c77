#include "api/object.h"

#include "api/convert.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {

Object::Object(codec::DocumentPtr document, const TypeInfo* type)
    : document_(std::move(document)), type_(type), metadata_(&root()["metadata"]), labels_(&metadata()["labels"]) {}

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

SharedBytes Object::json() const {
  std::lock_guard lock(mutex_);
  if (!json_.empty()) return json_;
  std::string text;
  char before = '{';
  for (const codec::Member& member : root().members()) {
    text += std::exchange(before, ',');
    codec::writeJsonString(text, member.key);
    text += ':';
    size_t from = text.size();
    codec::writeJson(text, member.value);
    if (member.key == "metadata") metadataFrom_ = from, metadataSize_ = text.size() - from;
  }
  text += before == '{' ? "{}" : "}";
  json_ = SharedBytes(std::move(text));
  return json_;
}

SharedBytes Object::metadataJson() const {
  {
    std::lock_guard lock(mutex_);
    if (metadataSize_ > 0) return json_.slice(metadataFrom_, metadataSize_);
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
