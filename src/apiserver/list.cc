#include "apiserver/list.h"

#include "api/convert.h"
#include "apiserver/crd.h"
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
      for (size_t i = 0; i < result.records.size(); ++i) {
        TRY(take(result.records[i]));
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
  Status take(const store::RecordPtr& record) {
    api::ObjectPtr object = TRY(servedObject(record, resource_));
    if (!options_.selects() || options_.matches(object->root())) page_.items.push_back(std::move(object));
    return okStatus();
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
      pieces.push_back(itemJson(item));
    }
  }
  pieces.push_back(SharedBytes::ofStatic("]}\n"));
  return pieces;
}

Result<std::vector<SharedBytes>> protobufList(const ServedResource& resource, const ListPage& page) {
  if (resource.custom) return Error(Reason::NotAcceptable, "protobuf is not supported for custom resources");
  Arena arena;
  std::string meta;
  TRY(api::encodeProtobuf(listMeta(page, arena), *api::findType("meta/v1", "ListMeta"), meta));
  std::vector<SharedBytes> items;
  items.reserve(page.items.size() * 2 + 3);
  items.emplace_back();  // the head, when the size is known
  std::string raw;
  codec::writeBytesField(raw, 1, meta);
  size_t size = raw.size();
  for (const api::ObjectPtr& item : page.items) {
    SharedBytes whole = TRY(item->protobuf());
    api::Envelope envelope = TRY(api::unwrapProtobuf(whole.view()));
    std::string tag;
    codec::writeTag(tag, 2, codec::WireType::Bytes);
    codec::writeVarint(tag, envelope.raw.size());
    size += tag.size() + envelope.raw.size();
    items.emplace_back(std::move(tag));
    items.push_back(whole.slice(size_t(envelope.raw.data() - whole.view().data()), envelope.raw.size()));
  }
  std::string typeMeta;
  codec::writeBytesField(typeMeta, 1, resource.apiVersion());
  codec::writeBytesField(typeMeta, 2, listKind(resource));
  std::string head(api::kProtobufMagic);
  codec::writeBytesField(head, 1, typeMeta);
  codec::writeTag(head, 2, codec::WireType::Bytes);
  codec::writeVarint(head, size);
  items[0] = SharedBytes(head + raw);
  // Empty contentEncoding and contentType: Go writes them.
  items.push_back(SharedBytes::ofStatic(std::string_view("\x1a\0\x22\0", 4)));
  return items;
}

Value listValue(const ServedResource& resource, const ListPage& page, Arena& arena, const Negotiated& out) {
  Value list = Value::map();
  bool partial = out.shape == Shape::PartialMetadataList;
  list.set(arena, "kind", Value::text(arena, partial ? "PartialObjectMetadataList" : listKind(resource)));
  list.set(arena, "apiVersion",
           Value::text(arena, partial ? "meta.k8s.io/" + out.shapeVersion : resource.apiVersion()));
  list.set(arena, "metadata", listMeta(page, arena));
  Value items = Value::list();
  items.reserve(arena, page.items.size());
  for (const api::ObjectPtr& item : page.items) {
    if (partial) {
      Value metadata = partialMetadata(item->root(), out.shapeVersion, arena);
      metadata.erase("kind");
      metadata.erase("apiVersion");
      items.push(arena, metadata);
    } else {
      items.push(arena, item->root());
    }
  }
  list.set(arena, "items", items);
  return list;
}

}  // namespace

std::string listKind(const ServedResource& resource) {
  return resource.custom ? resource.custom->listKind() : concat(resource.info->kind, "List");
}

SharedBytes itemJson(const api::ObjectPtr& object) {
  SharedBytes json = object->json();
  std::string head = concat("{\"kind\":\"", object->kind(), "\",\"apiVersion\":\"", object->apiVersion(), "\",");
  if (json.view().starts_with(head)) return json.slice(head.size());
  return json.slice(1);
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
    if (options.matches(object->root())) page.items.push_back(std::move(object));
    return page;
  }
  return PageReader(registry, resource, options, prefix).read(std::move(from), at);
}

Result<std::vector<SharedBytes>> encodeList(const ServedResource& resource, const ListPage& page,
                                            const Negotiated& out, std::string_view includeObject, WallTime now) {
  Arena arena;
  if (out.shape == Shape::Whole && !out.pretty) {
    if (out.format == Format::Json) return jsonList(resource, page);
    if (out.format == Format::Protobuf) return protobufList(resource, page);
  }
  Value value;
  const api::TypeInfo* type = nullptr;
  if (out.shape == Shape::Table) {
    value = tableOf(resource, page.items, includeObject, out.shapeVersion, now, arena);
    value.set(arena, "metadata", listMeta(page, arena));
    type = api::findType("meta/v1", "Table");
  } else {
    value = listValue(resource, page, arena, out);
    if (out.shape == Shape::PartialMetadataList) type = api::findType("meta/v1", "PartialObjectMetadataList");
    else if (out.format == Format::Protobuf) return protobufList(resource, page);
  }
  SharedBytes bytes = TRY(encodeDocument(value, type, out.format, out.pretty));
  return std::vector<SharedBytes>{std::move(bytes)};
}

void respondList(Exchange& exchange, ListPage page, WallTime now) {
  net::Response response;
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
