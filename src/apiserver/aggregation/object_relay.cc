#include "apiserver/aggregation/object_relay.h"

#include <atomic>

#include "apiserver/status.h"
#include "base/strings.h"
#include "codec/json.h"
#include "net/body.h"
#include "net/client_core.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr milliseconds kAnswerTimeout{60000};
constexpr milliseconds kIdleTimeout{3600 * 1000};  // servers end watches sooner
constexpr size_t kMaxEventBytes = 16 * 1024 * 1024;  // of one event's line: more than any object may have
constexpr size_t kHighWaterEvents = 10000;           // as in watches of this server

api::ObjectPtr objectOf(const Value& tree) { return api::Object::fromDocument(codec::cloneDocument(tree), nullptr); }

Error errorOf(const Value& status, int code) {
  ErrorDetails details;
  details.name = status["details"]["name"].str();
  details.group = status["details"]["group"].str();
  details.kind = status["details"]["kind"].str();
  return Error(net::reasonOfStatus(code), status["message"].str(), std::move(details)).withCode(code);
}

// A list's items say neither what they are; the list does.
api::ObjectList listOf(const Value& list) {
  api::ObjectList out;
  out.resourceVersion = list["metadata"]["resourceVersion"].str();
  out.continueToken = list["metadata"]["continue"].str();
  if (const Value& left = list["metadata"]["remainingItemCount"]; left.isInt()) out.remainingItemCount = left.asInt();
  std::string_view kind = list["kind"].asString();
  if (kind.ends_with("List")) kind.remove_suffix(4);
  for (const Value& item : list["items"].items()) {
    auto document = codec::cloneDocument(item);
    for (const auto& [key, text] : {std::pair("kind", kind), std::pair("apiVersion", list["apiVersion"].asString())})
      if (!document->root.has(key)) document->root.set(document->arena, key, Value::text(document->arena, text));
    out.items.push_back(api::Object::fromDocument(std::move(document), nullptr));
  }
  return out;
}

void answerObject(const ExchangePtr& exchange, net::Response answer) {
  std::string text = net::bodyText(answer);
  codec::Arena arena;
  auto tree = codec::parseJson(text, arena);
  if (answer.status >= 400) return exchange->fail(errorOf(tree.ok() ? *tree : Value::null(), answer.status));
  if (!tree.ok()) return exchange->fail(internalError(concat("the answer of an aggregated server is no JSON: ", tree.error().message())));
  net::Response response;
  response.status = answer.status;
  bool isList = (*tree)["items"].isList() && (*tree)["kind"].asString().ends_with("List");
  if (isList) response.value = listOf(*tree);
  else response.value = objectOf(*tree);
  exchange->respond(std::move(response));
}

std::optional<api::WatchEvent> eventOf(std::string_view line) {
  codec::Arena arena;
  auto tree = codec::parseJson(line, arena);
  if (!tree.ok()) return std::nullopt;
  using Type = api::WatchEvent::Type;
  for (Type type : {Type::Added, Type::Modified, Type::Deleted, Type::Bookmark, Type::Error})
    if (api::watchEventName(type) == (*tree)["type"].asString()) return api::WatchEvent{type, objectOf((*tree)["object"])};
  return std::nullopt;
}

// Events into the sink until one of the two ends has had enough.
void pumpEvents(net::ResponseStream& stream, EventSink& sink) {
  auto wakes = std::make_shared<std::atomic<uint32_t>>(0);
  auto wake = [wakes] {
    wakes->fetch_add(1);
    wakes->notify_all();
  };
  std::string pending;
  while (!sink.cancelled()) {
    auto piece = stream.next(kIdleTimeout);
    if (!piece.ok() || piece->empty() || pending.size() + piece->size() > kMaxEventBytes) return;
    pending += *piece;
    std::vector<api::WatchEvent> events;
    for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
      if (auto event = eventOf(std::string_view(pending).substr(0, end))) events.push_back(*std::move(event));
    }
    if (!events.empty()) sink.push(std::move(events));
    uint32_t seen = wakes->load();
    if (sink.pending() <= kHighWaterEvents) continue;
    sink.onDrain(wake);
    wakes->wait(seen);
  }
}

void watchObjects(const ExchangePtr& exchange, net::HttpClient& client, net::Request request, const RelayError& onError,
                  RelayGroup& group) {
  auto answer = client.stream(std::move(request), kAnswerTimeout);
  if (!answer.ok()) return exchange->fail(onError(answer.error()));
  std::shared_ptr<net::ResponseStream> stream(std::move(answer).value());
  auto underWay = group.add(stream);
  if (stream->status() != 200) {
    net::Response refused;
    refused.status = stream->status();
    while (true) {
      auto piece = stream->next(kAnswerTimeout);
      if (!piece.ok() || piece->empty()) break;
      refused.body.emplace_back(std::move(piece).value());
    }
    return answerObject(exchange, std::move(refused));
  }
  auto sink = exchange->caller()->sink;
  exchange->writer()->respond({});
  sink->onCancel([stream] { stream->cancel(); });
  pumpEvents(*stream, *sink);
  sink->end();
  if (auto call = std::exchange(exchange->onAnswer, nullptr)) call(200);
}

}  // namespace

void relayObjects(const ExchangePtr& exchange, net::HttpClient& client, net::Request request, const RelayError& onError,
                  RelayGroup& group) {
  const InProcessCaller& caller = *exchange->caller();
  if (caller.body) {
    request.body = caller.body->json();
    if (!request.headers.has("content-type")) request.headers.set("content-type", "application/json");
  }
  if (request.headers.get("accept") != kObjectContent) return relay(exchange, client, std::move(request), onError, group);
  request.headers.set("accept", "application/json");
  exchange->out.format = Format::Object;
  if (caller.sink) return watchObjects(exchange, client, std::move(request), onError, group);
  auto answer = client.call(std::move(request), kAnswerTimeout);
  if (!answer.ok()) return exchange->fail(onError(answer.error()));
  answerObject(exchange, std::move(answer).value());
}

}  // namespace skiff::apiserver
