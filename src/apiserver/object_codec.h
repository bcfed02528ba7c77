// Request bodies and stored records <-> value trees, by the tables of a resource.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/convert.h"
#include "api/object.h"
#include "apiserver/negotiate.h"
#include "apiserver/resource_map.h"
#include "base/result.h"
#include "codec/value.h"
#include "store/store.h"

namespace skiff::apiserver {

enum class FieldValidation { Ignore, Warn, Strict };

using DocumentEdit = std::shared_ptr<codec::Document>;  // a tree still owned by one request

// What a body must be: the resource's kind, or that of a subresource.
struct ExpectedKind {
  std::string_view group, version, kind;
  const api::TypeInfo* type = nullptr;      // null: a custom resource
  const CustomVersion* custom = nullptr;
};
ExpectedKind expectedKind(const ServedResource& resource);
ExpectedKind expectedKind(std::string_view group, std::string_view version, std::string_view kind);

// Unknown and duplicate fields become warnings, or the error, as fieldValidation asks.
Result<DocumentEdit> decodeBody(const SharedBytes& body, Format format, const ExpectedKind& expected,
                                FieldValidation validation, std::vector<std::string>& warnings);

// Brings a tree of the expected kind into its own form: unknown fields dropped and listed in `unknown`.
Status conformObject(codec::Value& object, const ExpectedKind& expected, codec::Arena& arena,
                     std::vector<std::string>& unknown, api::DecodeWords words = api::DecodeWords::Json);
void defaultObject(codec::Value& object, const ExpectedKind& expected, codec::Arena& arena);

// `key` at its place in the order of the type's fields; answers are written in that order.
codec::Value& setOrdered(codec::Value& map, const api::TypeInfo* type, codec::Arena& arena, std::string_view key,
                         codec::Value value);
void setMetadata(codec::Value& object, codec::Arena& arena, std::string_view key, codec::Value value);
// apiVersion and kind first, as Go writes them.
void setTypeMeta(codec::Value& object, codec::Arena& arena, std::string_view apiVersion, std::string_view kind);

// --- stored form ---

// The record's object in the version that is stored, decoded once for all.
Result<api::ObjectPtr> storedObject(const store::RecordPtr& record, const ServedResource& resource);
// The same in the version that is served.
Result<api::ObjectPtr> servedObject(const store::RecordPtr& record, const ServedResource& resource);
// Whether reading the resource may ask a conversion webhook, and so may not happen on a loop.
bool blocksReads(const ServedResource& resource);
// servedObject() of each record; what must be converted by a webhook goes there together. Blocks if reading does.
Result<std::vector<api::ObjectPtr>> servedObjects(std::span<const store::RecordPtr> records, const ServedResource& resource);
// A tree of the stored version -> bytes, without its resourceVersion (which is taken out of the tree).
Result<std::string> encodeStored(codec::Value& object, const ServedResource& resource);
// What attaches to a record that is about to be written the object that it is: `document`, published as `object`. `value`
// are the record's bytes. The references must live until the write is done.
UniqueFunction<store::AttachmentPtr(store::Revision)> attaching(api::ObjectPtr& object, DocumentEdit& document,
                                                                SharedBytes value, const ServedResource& resource);
// The tree alone: a request's arena also holds what the request threw away, and would live as long as the object.
DocumentEdit compacted(const codec::Document& document, const ServedResource& resource);
// A published object from a finished tree at a revision (0: none, dry run).
api::ObjectPtr publish(DocumentEdit document, store::Revision revision, const ServedResource& resource);
// The same object at another resourceVersion, sharing the tree (deleted objects carry their deletion's).
api::ObjectPtr atRevision(const api::ObjectPtr& object, store::Revision revision);

}  // namespace skiff::apiserver
