#include "apiserver/list.h"

#include "api/convert.h"
#include "apiserver/audit/record.h"
#include "apiserver/crd.h"
#include "apiserver/field_index.h"
#include "apiserver/status.h"
#include "apiserver/table.h"
#include "base/strings.h"
#include "codec/json.h"
#include "codec/wire.h"
#include "codec/yaml.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

// With a selector and a limit, the store is read in chunks of at least this size until enough objects match.
constexpr size_t kMinChunk = 500;
// More keys than that are read faster in order than one by one.
constexpr size_t kMaxIndexed = 2000;

constexpr std::string_view kExpiredContinue =
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list.";

Error tooLargeVersion(store::Revision asked, store::Revision current) {
  ErrorDetails details;
  details.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
  details.retryAfterSeconds = 1;
  return {Reason::Timeout, concat("Timeout: Too large resource version: ", asked, ", current: ", current),
          std::move(details)};
}

// The revision to read at; 0: now.
Result<store::Revision> readRevision(const store::Store& store, const ListOptions& options) {
  if (options.version > store.revision()) return tooLargeVersion(options.version, store.revision());
  if (options.version == 0 || options.match == ListOptions::Match::NotOlderThan) return store::Revision(0);
  bool exact = options.match == ListOptions::Match::Exact || options.limit > 0;
  return exact ? options.version : store::Revision(0);
}

// Reads forward from `from` until the page is full or the range ends.
class PageReader {
 public:
  PageReader(const Registry& registry, const ServedResource& resource, const ListOptions& options, std::string prefix)
      : registry_(registry), resource_(resource), options_(options), prefix_(std::move(prefix)) {}

  Result<ListPage> read(std::string from, store::Revision at) {
    store::RangeOptions range;
    range.from = std::move(from);
    range.to = store::prefixEnd(prefix_);
    range.at = at;
    auto limit = size_t(options_.limit);
    for (;;) {
      size_t missing = limit - page_.items.size();
      range.limit = limit == 0 ? 0 : options_.selects() ? std::max(missing, kMinChunk) : missing;
      store::RangeResult result = TRY(registry_.store().range(range));
      page_.revision = result.revision;
      range.at = result.revision;
      std::vector<api::ObjectPtr> converted;
      if (blocksReads(resource_)) converted = TRY(servedObjects(result.records, resource_));
      for (size_t i = 0; i < result.records.size(); ++i) {
        take(i < converted.size() ? converted[i] : TRY(servedObject(result.records[i], resource_)));
        if (limit == 0 || page_.items.size() < limit) continue;
        bool more = result.more || i + 1 < result.records.size();
        if (more) finish(result.records[i]->key(), range.to);
        return std::move(page_);
      }
      if (!result.more) return std::move(page_);
      range.from = result.records.back()->key() + '\0';
    }
  }

 private:
  void take(api::ObjectPtr object) {
    if (!options_.selects() || options_.matches(*object)) page_.items.push_back(std::move(object));
  }
  void finish(std::string_view lastKey, const std::string& end) {
    std::string next = std::string(lastKey) + '\0';
    page_.continueToken = encodeContinue({page_.revision, next.substr(prefix_.size())});
    if (!options_.selects()) page_.remaining = int64_t(registry_.store().count(next, end));
  }

  const Registry& registry_;
  const ServedResource& resource_;
  const ListOptions& options_;
  std::string prefix_;
  ListPage page_;
};

// The value that the resource's index is asked for, if a list of now asks for one.
std::optional<std::string_view> indexedValue(const ServedResource& resource, const ListOptions& options) {
  if (!resource.index || blocksReads(resource) || !options.continueToken.empty()) return std::nullopt;
  for (const auto& requirement : options.fields.requirements())
    if (requirement.equal && requirement.field == resource.index->field()) return requirement.value;
  return std::nullopt;
}

// What the index knows of; nullopt where all must be read.
Result<std::optional<ListPage>> indexedPage(store::Store& store, const ServedResource& resource, const ListOptions& options,
                                            std::string_view prefix, std::string_view value) {
  store::Revision newest = store.revision();
  FieldIndex::Found found = TRY(resource.index->find(store, resource, prefix, value));
  size_t most = options.limit > 0 ? std::min(size_t(options.limit), kMaxIndexed) : kMaxIndexed;
  // A revision can be read a moment before its events can be taken.
  if (found.revision < newest || found.keys.size() > most)
    return std::optional<ListPage>();
  ListPage page;
  page.revision = found.revision;
  for (const std::string& key : found.keys) {
    auto read = store.range({.from = key, .to = key + '\0', .at = found.revision});
    if (!read.ok()) return std::optional<ListPage>();  // compacted meanwhile
    for (const store::RecordPtr& record : read->records)
      if (api::ObjectPtr object = TRY(servedObject(record, resource)); options.matches(*object))
        page.items.push_back(std::move(object));
  }
  return std::optional(std::move(page));
}

Value listMeta(const ListPage& page, Arena& arena) {
  Value meta = Value::map();
  if (page.revision != 0) meta.set(arena, "resourceVersion", Value::text(arena, std::to_string(page.revision)));
  if (!page.continueToken.empty()) meta.set(arena, "continue", Value::text(arena, page.continueToken));
  if (page.remaining) meta.set(arena, "remainingItemCount", Value::integer(*page.remaining));
  return meta;
}

std::vector<SharedBytes> jsonList(const ServedResource& resource, const ListPage& page) {
  Arena arena;
  std::vector<SharedBytes> pieces;
  pieces.reserve(page.items.size() * 2 + 2);
  std::string head = "{\"kind\":";
  codec::writeJsonString(head, listKind(resource));
  head += ",\"apiVersion\":";
  codec::writeJsonString(head, resource.apiVersion());
  head += ",\"metadata\":";
  codec::writeJson(head, listMeta(page, arena));
  head += ",\"items\":[";
  pieces.emplace_back(std::move(head));
  bool first = true;
  for (const api::ObjectPtr& item : page.items) {
    if (!first) pieces.push_back(SharedBytes::ofStatic(","));
    first = false;
    if (resource.custom) {
      pieces.push_back(item->json());
    } else {
      pieces.push_back(SharedBytes::ofStatic("{"));
      pieces.push_back(item->jsonOfItem());
    }
  }
  pieces.push_back(SharedBytes::ofStatic("]}\n"));
  return pieces;
}

// The pieces of the envelope of a list: every item is a message of its own.
class ProtobufList {
 public:
  static Result<ProtobufList> of(const ListPage& page) {
    ProtobufList list;
    list.pieces_.reserve(page.items.size() * 2 + 3);
    list.pieces_.emplace_back();  // the head, when the size is known
    Arena arena;
    std::string meta;
    TRY(api::encodeProtobuf(listMeta(page, arena), *api::findType("meta/v1", "ListMeta"), meta));
    codec::writeBytesField(list.listMeta_, 1, meta);
    list.size_ = list.listMeta_.size();
    return list;
  }
  void add(SharedBytes message) {
    std::string tag;
    codec::writeTag(tag, 2, codec::WireType::Bytes);
    codec::writeVarint(tag, message.view().size());
    size_ += tag.size() + message.view().size();
    pieces_.emplace_back(std::move(tag));
    pieces_.push_back(std::move(message));
  }
  std::vector<SharedBytes> finish(std::string_view apiVersion, std::string_view kind) {
    std::string typeMeta;
    codec::writeBytesField(typeMeta, 1, apiVersion);
    codec::writeBytesField(typeMeta, 2, kind);
    std::string head(api::kProtobufMagic);
    codec::writeBytesField(head, 1, typeMeta);
    codec::writeTag(head, 2, codec::WireType::Bytes);
    codec::writeVarint(head, size_);
    pieces_[0] = SharedBytes(head + listMeta_);
    // Empty contentEncoding and contentType: Go writes them.
    pieces_.push_back(SharedBytes::ofStatic(std::string_view("\x1a\0\x22\0", 4)));
    return std::move(pieces_);
  }

 private:
  std::vector<SharedBytes> pieces_;
  std::string listMeta_;
  size_t size_ = 0;
};

Result<SharedBytes> rawMessage(const api::ObjectPtr& item) {
  SharedBytes whole = TRY(item->protobuf());
  api::Envelope envelope = TRY(api::unwrapProtobuf(whole.view()));
  return whole.slice(size_t(envelope.raw.data() - whole.view().data()), envelope.raw.size());
}

Result<std::vector<SharedBytes>> protobufList(const ServedResource& resource, const ListPage& page) {
  if (resource.custom) return Error(Reason::NotAcceptable, "protobuf is not supported for custom resources");
  ProtobufList list = TRY(ProtobufList::of(page));
  for (const api::ObjectPtr& item : page.items) list.add(TRY(rawMessage(item)));
  return list.finish(resource.apiVersion(), listKind(resource));
}

constexpr std::string_view kPartialList = "PartialObjectMetadataList";

// PartialObjectMetadata is an object's first field alone.
Result<std::vector<SharedBytes>> partialProtobufList(const ListPage& page, std::string_view metaVersion) {
  ProtobufList list = TRY(ProtobufList::of(page));
  for (const api::ObjectPtr& item : page.items) list.add(TRY(item->metadataProtobuf()));
  return list.finish(concat("meta.k8s.io/", metaVersion), kPartialList);
}

std::vector<SharedBytes> partialJsonList(const ListPage& page, std::string_view metaVersion) {
  Arena arena;
  std::vector<SharedBytes> pieces;
  pieces.reserve(page.items.size() * 2 + 1);
  std::string text = concat("{\"kind\":\"", kPartialList, "\",\"apiVersion\":\"meta.k8s.io/", metaVersion, "\",\"metadata\":");
  codec::writeJson(text, listMeta(page, arena));
  text += ",\"items\":[";
  for (const api::ObjectPtr& item : page.items) {
    text += item == page.items.front() ? "{\"metadata\":" : ",{\"metadata\":";
    pieces.emplace_back(std::move(text));
    pieces.push_back(item->metadataJson());
    text = "}";
  }
  pieces.emplace_back(text + "]}\n");
  return pieces;
}

Value listValue(const ServedResource& resource, const ListPage& page, Arena& arena, const Negotiated& out) {
  Value list = Value::map();
  bool partial = out.shape == Shape::PartialMetadataList;
  list.set(arena, "kind", Value::text(arena, partial ? kPartialList : listKind(resource)));
  list.set(arena, "apiVersion",
           Value::text(arena, partial ? "meta.k8s.io/" + out.shapeVersion : resource.apiVersion()));
  list.set(arena, "metadata", listMeta(page, arena));
  Value items = Value::list();
  items.reserve(arena, page.items.size());
  for (const api::ObjectPtr& item : page.items) {
    Value whole = item->root();
    if (partial) {
      whole = Value::map();
      whole.set(arena, "metadata", item->metadata());
    }
    items.push(arena, whole);
  }
  list.set(arena, "items", items);
  return list;
}

}  // namespace

std::string listKind(const ServedResource& resource) {
  return resource.custom ? resource.custom->listKind() : concat(resource.info->kind, "List");
}

Value partialMetadata(const Value& object, std::string_view version, Arena& arena) {
  Value out = Value::map();
  out.set(arena, "kind", Value::string("PartialObjectMetadata"));
  out.set(arena, "apiVersion", Value::text(arena, concat("meta.k8s.io/", version)));
  out.set(arena, "metadata", object["metadata"]);
  return out;
}

Result<ListPage> listPage(const Registry& registry, const ServedResource& resource, std::string_view ns,
                          const ListOptions& options) {
  std::string prefix = resource.prefixOf(ns);
  std::string from = prefix;
  store::Revision at = 0;
  if (!options.continueToken.empty()) {
    ContinueToken token = TRY(decodeContinue(options.continueToken));
    from = prefix + token.startKey;
    at = token.revision < 0 ? 0 : token.revision;
    if (at > registry.store().revision()) return tooLargeVersion(at, registry.store().revision());
  } else {
    at = TRY(readRevision(registry.store(), options));
  }
  bool oneKey = !options.exactName.empty() && at == 0 && options.limit == 0 &&
                (!resource.info->namespaced || !ns.empty());
  if (oneKey) {
    ListPage page;
    page.revision = registry.store().revision();
    store::RecordPtr record = registry.store().get(resource.keyOf(ns, options.exactName));
    if (!record) return page;
    api::ObjectPtr object = TRY(servedObject(record, resource));
    page.revision = std::max(page.revision, record->modRevision());
    if (options.matches(*object)) page.items.push_back(std::move(object));
    return page;
  }
  if (auto value = indexedValue(resource, options); value && at == 0)
    if (auto page = TRY(indexedPage(registry.store(), resource, options, prefix, *value))) return *std::move(page);
  return PageReader(registry, resource, options, prefix).read(std::move(from), at);
}

Result<std::vector<SharedBytes>> encodeList(const ServedResource& resource, const ListPage& page,
                                            const Negotiated& out, std::string_view includeObject, WallTime now) {
  Arena arena;
  bool json = out.format == Format::Json && !out.pretty, protobuf = out.format == Format::Protobuf;
  switch (out.shape) {
    case Shape::Table: {
      if (json) return tableJson(resource, page.items, includeObject, out.shapeVersion, listMeta(page, arena), now);
      Value table = tableOf(resource, page.items, includeObject, out.shapeVersion, now, arena);
      table.set(arena, "metadata", listMeta(page, arena));
      return std::vector<SharedBytes>{TRY(encodeDocument(table, api::findType("meta/v1", "Table"), out.format, out.pretty))};
    }
    case Shape::PartialMetadataList:
      if (json) return partialJsonList(page, out.shapeVersion);
      if (protobuf) return partialProtobufList(page, out.shapeVersion);
      break;
    default:
      if (json) return jsonList(resource, page);
      if (protobuf) return protobufList(resource, page);
  }
  return std::vector<SharedBytes>{TRY(encodeDocument(listValue(resource, page, arena, out), nullptr, out.format, out.pretty))};
}

void respondList(Exchange& exchange, ListPage page, WallTime now) {
  net::Response response;
  if (exchange.audit && exchange.audit->wantsResponse()) {
    Negotiated plain = exchange.out;
    plain.format = Format::Json;
    plain.pretty = false;
    if (auto told = encodeList(*exchange.resource, page, plain, exchange.query.get("includeObject"), now); told.ok()) {
      std::string json;
      for (const SharedBytes& piece : *told) json += piece.view();
      exchange.audit->setResponseJson(json);
    }
  }
  if (exchange.out.format == Format::Object) {
    api::ObjectList list;
    list.resourceVersion = std::to_string(page.revision);
    list.continueToken = std::move(page.continueToken);
    list.remainingItemCount = page.remaining;
    list.items = std::move(page.items);
    response.value = std::move(list);
    return exchange.respond(std::move(response));
  }
  auto body = encodeList(*exchange.resource, page, exchange.out, exchange.query.get("includeObject"), now);
  if (!body.ok()) return exchange.fail(body.error());
  response.headers = exchange.headers(contentType(exchange.out.format));
  response.body = std::move(body).value();
  exchange.respond(std::move(response));
}

void handleList(const ExchangePtr& exchange, const Registry& registry) {
  const ServedResource& resource = *exchange->resource;
  std::string_view ns = resource.info->namespaced ? std::string_view(exchange->info.ns) : "";
  auto options = parseListOptions(exchange->query, resource, ListPurpose::List);
  if (!options.ok()) return exchange->fail(options.error());
  auto page = listPage(registry, resource, ns, *options);
  if (page.ok()) return respondList(*exchange, std::move(page).value(), registry.clock().now());
  if (!page.failedWith(Reason::Expired)) return exchange->fail(page.error());
  if (options->continueToken.empty())
    return exchange->fail(expired("The resourceVersion for the provided list is too old."));
  // The client may go on where it was, in the state of now.
  auto token = decodeContinue(options->continueToken);
  if (!token.ok()) return exchange->fail(token.error());
  token->revision = -1;
  Arena arena;
  Value status = statusValue(expired(kExpiredContinue), arena);
  status.find("metadata")->set(arena, "continue", Value::text(arena, encodeContinue(*token)));
  exchange->value(httpCode(Reason::Expired), status, api::findType("meta/v1", "Status"));
}

}  // namespace skiff::apiserver
