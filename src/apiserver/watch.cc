#include "apiserver/watch.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "api/convert.h"
#include "apiserver/list.h"
#include "apiserver/request_series.h"
#include "apiserver/status.h"
#include "apiserver/table.h"
#include "base/strings.h"
#include "codec/json.h"
#include "codec/wire.h"
#include "codec/yaml.h"
#include "rt/event_loop.h"
#include "rt/executor.h"

namespace skiff::apiserver {
namespace {

using api::WatchEvent;
using codec::Arena;
using codec::Value;

constexpr size_t kBatch = 256;                      // events per turn, so that one watch does not starve the others
constexpr size_t kHighWaterBytes = 1024 * 1024;     // a reader with more than this unread has to catch up first
constexpr size_t kHighWaterEvents = 10000;          // the same for callers in the process
constexpr size_t kMaxFrames = 4096;                 // shared frames kept
constexpr auto kFrameLife = std::chrono::seconds(2);  // watches that share frames ask for them within moments
constexpr auto kBookmarkInterval = std::chrono::seconds(60);
// Watches without timeoutSeconds end after a random time in [kMinTimeout, 2 * kMinTimeout), as upstream.
constexpr int64_t kMinTimeoutSeconds = 1800;
constexpr int64_t kMaxTimeoutSeconds = 24 * 3600;

constexpr std::string_view kInitialEventsEnd = "k8s.io/initial-events-end";

struct FrameKey {
  const api::Object* object;
  WatchEvent::Type type;
  Format format;
  Shape shape;
  bool first;  // the first table carries the column definitions
  bool operator==(const FrameKey&) const = default;
};
struct FrameKeyHash {
  size_t operator()(const FrameKey& key) const {
    return std::hash<const void*>()(key.object) ^ (size_t(key.type) << 3 | size_t(key.format) << 6 | size_t(key.shape) << 9);
  }
};

std::string framed(WatchEvent::Type type, Format format, std::string_view object) {
  std::string out;
  if (format == Format::Protobuf) {
    // Length in four bytes, then WatchEvent{type = 1, object = 2: RawExtension{raw = 1}}.
    std::string raw, event;
    codec::writeBytesField(raw, 1, object);
    codec::writeBytesField(event, 1, api::watchEventName(type));
    codec::writeBytesField(event, 2, raw);
    for (int shift = 24; shift >= 0; shift -= 8) out += char(event.size() >> shift & 0xff);
    return out + event;
  }
  if (format == Format::Yaml) return concat("object:\n  ", object, "type: ", api::watchEventName(type), "\n---\n");
  return concat("{\"type\":\"", api::watchEventName(type), "\",\"object\":", object, "}\n");
}

class Hub;

// One client's watch.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Hub& hub, ExchangePtr exchange, ListOptions options)
      : hub_(hub), exchange_(std::move(exchange)), options_(std::move(options)) {}
  void begin();
  void pump();
  void bookmark();
  void end();
  bool ended() const { return ended_; }

 private:
  void open(Result<ListPage> initial);
  bool wantsInitial() const;
  Result<ListPage> readInitial() const;
  Status prepare(Result<ListPage> initial);
  void convertThenDeliver(store::Watcher::Batch batch);
  // What a webhook has made of records, by record.
  using Converted = std::unordered_map<const store::Record*, api::ObjectPtr>;
  void deliver(const store::Watcher::Batch& batch, const Converted& converted);
  void beginAnswer();
  // A watch is costly while it begins; open, it holds no seat.
  void releaseSeat();
  bool blocked();
  void sendInitial();
  void sendEvent(const store::Event& event, const Converted& converted);
  void send(WatchEvent::Type type, const api::ObjectPtr& object);
  // To a caller in the process go all events of a turn at once: it is woken once.
  void handOver();
  void sendBookmark(bool initialEventsEnd);
  void sendError(const Error& error);
  Result<std::string> encode(WatchEvent::Type type, const api::ObjectPtr& object, bool first);
  void wakeUp();

  Hub& hub_;
  ExchangePtr exchange_;
  ListOptions options_;
  std::unique_ptr<store::Watcher> watcher_;
  std::deque<api::ObjectPtr> initial_;
  std::vector<WatchEvent> outgoing_;  // for a caller in the process
  store::Revision position_ = 0;  // everything up to here has been sent
  store::Revision bookmarked_ = 0;
  bool initialPending_ = false;   // the end of the initial events is still to be told
  bool begun_ = false, ended_ = false, waiting_ = false, firstTable_ = true;
  bool converting_ = false;  // a batch is with the conversion webhook
  rt::TimerId timer_ = 0;
};

class Hub final : public WatchHub {
 public:
  Hub(const Registry& registry, rt::Executor& converters)
      : registry_(registry), converters_(converters), loop_(rt::EventLoop::create()), thread_("watch", [this] { loop_->run(); }) {}
  ~Hub() override { stop(); }

  void start(ExchangePtr exchange, ListOptions options) override {
    auto session = std::make_shared<Session>(*this, std::move(exchange), std::move(options));
    count_.fetch_add(1);
    loop_->post([this, session] {
      sessions_.push_back(session);
      session->begin();
      if (!bookmarkTimer_) armBookmarks();
    });
  }
  void stop() override {
    if (stopped_.exchange(true)) return;
    loop_->post([this] {
      for (const auto& session : std::exchange(sessions_, {})) session->end();
      loop_->stop();
    });
    thread_.join();
  }
  size_t count() const override { return count_.load(); }

  rt::EventLoop& loop() { return *loop_; }
  const Registry& registry() const { return registry_; }
  rt::Executor& converters() { return converters_; }
  void forget(const std::shared_ptr<Session>& session) {
    if (std::erase(sessions_, session) > 0) count_.fetch_sub(1);
  }

  // The bytes of an event, made once for all watches of that form.
  template <class Make>
  Result<SharedBytes> frame(const FrameKey& key, const api::ObjectPtr& object, Make make) {
    if (auto found = frames_.find(key); found != frames_.end()) return found->second.bytes;
    std::string text = TRY(make());
    SharedBytes bytes(std::move(text));
    if (frames_.size() >= kMaxFrames) frames_.clear();
    frames_.emplace(key, Frame{bytes, object});
    armForgetting();
    return bytes;
  }
  // A deleted object carries the revision of its deletion.
  api::ObjectPtr deleted(const api::ObjectPtr& object, store::Revision revision) {
    auto key = std::make_pair(object.get(), revision);
    if (auto found = deleted_.find(key); found != deleted_.end()) return found->second.second;
    if (deleted_.size() >= kMaxFrames) deleted_.clear();
    api::ObjectPtr made = atRevision(object, revision);
    deleted_.emplace(key, std::make_pair(object, made));
    armForgetting();
    return made;
  }

 private:
  struct Frame {
    SharedBytes bytes;
    api::ObjectPtr object;  // keeps the key's address from being used again
  };
  // What has been shared would else hold its objects in memory until others need the room.
  void armForgetting() {
    if (forgetTimer_) return;
    forgetTimer_ = loop_->after(kFrameLife, [this] {
      forgetTimer_ = 0;
      frames_ = {};
      deleted_ = {};
    });
  }
  void armBookmarks() {
    bookmarkTimer_ = loop_->after(kBookmarkInterval, [this] {
      bookmarkTimer_ = 0;
      auto sessions = sessions_;
      for (const auto& session : sessions) session->bookmark();
      if (!sessions_.empty()) armBookmarks();
    });
  }

  const Registry& registry_;
  rt::Executor& converters_;
  std::unique_ptr<rt::EventLoop> loop_;
  std::vector<std::shared_ptr<Session>> sessions_;
  std::unordered_map<FrameKey, Frame, FrameKeyHash> frames_;
  std::map<std::pair<const api::Object*, store::Revision>, std::pair<api::ObjectPtr, api::ObjectPtr>> deleted_;
  rt::TimerId bookmarkTimer_ = 0, forgetTimer_ = 0;
  std::atomic<size_t> count_ = 0;
  std::atomic<bool> stopped_ = false;
  rt::Thread thread_;  // last: it uses everything above
};

// Conversion webhooks are asked from a worker; the rest of a session's life is on the loop.
void Session::begin() {
  if (!blocksReads(*exchange_->resource) || !wantsInitial()) return open(wantsInitial() ? readInitial() : ListPage());
  auto self = shared_from_this();
  bool taken = hub_.converters().submit([self, &loop = hub_.loop()] {
    auto page = std::make_shared<Result<ListPage>>(self->readInitial());
    loop.post([self, page] { self->open(std::move(*page)); });
  });
  if (!taken) open(tooManyRequests("Too many requests, please try again later.", 1));
}

void Session::open(Result<ListPage> initial) {
  if (ended_) return;
  Status ready = prepare(std::move(initial));
  if (!ready.ok()) {
    if (ready.failedWith(Reason::Expired)) {
      beginAnswer();
      sendError(expired("The resourceVersion for the provided watch is too old."));
    } else {
      exchange_->fail(ready.error());
    }
    return end();
  }
  beginAnswer();
  if (!initialPending_) releaseSeat();
  int64_t timeout = options_.timeoutSeconds.value_or(0);
  if (timeout <= 0) timeout = kMinTimeoutSeconds + int64_t(Rng::real().below(uint64_t(kMinTimeoutSeconds)));
  timeout = std::min(timeout, kMaxTimeoutSeconds);
  std::weak_ptr<Session> weak = weak_from_this();
  timer_ = hub_.loop().after(std::chrono::seconds(timeout), [weak] {
    if (auto self = weak.lock()) self->timer_ = 0, self->end();
  });
  pump();
}

// Without a version, the state of now comes first, and its end is marked for clients that take bookmarks.
bool Session::wantsInitial() const { return options_.sendInitialEvents.value_or(options_.version == 0); }

Result<ListPage> Session::readInitial() const {
  const ServedResource& resource = *exchange_->resource;
  std::string_view ns = resource.info->namespaced ? std::string_view(exchange_->info.ns) : "";
  ListOptions list = options_;
  list.limit = 0;
  list.continueToken.clear();
  list.version = 0;
  list.match = ListOptions::Match::Unset;
  return listPage(hub_.registry(), resource, ns, list);
}

// Where the watch starts: after a revision, or with the state of now as ADDED events.
Status Session::prepare(Result<ListPage> initial) {
  const ServedResource& resource = *exchange_->resource;
  std::string_view ns = resource.info->namespaced ? std::string_view(exchange_->info.ns) : "";
  store::Store& store = hub_.registry().store();
  if (options_.version > store.revision() && !wantsInitial()) {
    // Such a version comes from another history: the client waits in vain until its timeout, as with upstream.
    watcher_ = TRY(store.watch(resource.prefixOf(ns), 0));
    position_ = options_.version;
    return okStatus();
  }
  bool oneKey = !options_.exactName.empty() && (!resource.info->namespaced || !ns.empty());
  std::string prefix = oneKey ? resource.keyOf(ns, options_.exactName) : resource.prefixOf(ns);
  if (!wantsInitial()) {
    if (options_.version < store.compactedRevision()) return expired("");
    watcher_ = TRY(store.watch(prefix, options_.version));
    position_ = options_.version;
    return okStatus();
  }
  ListPage page = TRY(std::move(initial));
  position_ = page.revision;
  watcher_ = TRY(store.watch(prefix, position_));
  initial_.assign(page.items.begin(), page.items.end());
  initialPending_ = true;
  return okStatus();
}

void Session::releaseSeat() { exchange_->seat.release(hub_.registry().clock().steadyNow()); }

void Session::beginAnswer() {
  begun_ = true;
  exchange_->begun(200);
  std::weak_ptr<Session> weak = weak_from_this();
  if (exchange_->inProcess() && exchange_->caller()->sink) {
    exchange_->writer()->respond({});
    exchange_->caller()->sink->onCancel([weak, &loop = hub_.loop()] {
      if (weak.expired()) return;
      loop.post([weak] {
        if (auto self = weak.lock()) self->end();
      });
    });
    return;
  }
  std::string type(contentType(exchange_->out.format));
  if (exchange_->out.format == Format::Protobuf) type += ";stream=watch";
  exchange_->writer()->begin(200, exchange_->headers(type));
  exchange_->writer()->onClose([weak, &loop = hub_.loop()] {
    if (weak.expired()) return;
    loop.post([weak] {
      if (auto self = weak.lock()) self->end();
    });
  });
}

// True when the client has enough to read; pump() is called again when it has read it.
bool Session::blocked() {
  const auto& sink = exchange_->inProcess() ? exchange_->caller()->sink : nullptr;
  bool full = sink ? sink->pending() > kHighWaterEvents : exchange_->writer()->pendingBytes() > kHighWaterBytes;
  if (!full) return false;
  if (std::exchange(waiting_, true)) return true;
  std::weak_ptr<Session> weak = weak_from_this();
  auto resume = [weak, &loop = hub_.loop()] {
    if (weak.expired()) return;
    loop.post([weak] {
      if (auto self = weak.lock()) self->waiting_ = false, self->pump();
    });
  };
  if (sink) {
    sink->onDrain(resume);
  } else {
    exchange_->writer()->onDrain(resume);
  }
  return true;
}

void Session::wakeUp() {
  std::weak_ptr<Session> weak = weak_from_this();
  watcher_->notify([weak, &loop = hub_.loop()] {
    loop.post([weak] {
      if (auto self = weak.lock()) self->pump();
    });
  });
}

void Session::pump() {
  if (ended_ || waiting_ || converting_) return;
  if (exchange_->inProcess() && exchange_->caller()->sink && exchange_->caller()->sink->cancelled()) return end();
  if (blocked()) return;
  if (!initial_.empty() || initialPending_) {
    sendInitial();
    if (!initial_.empty()) return pump();
  }
  store::Watcher::Batch batch = watcher_->take(kBatch);
  if (blocksReads(*exchange_->resource) && !batch.events.empty()) return convertThenDeliver(std::move(batch));
  deliver(batch, {});
}

void Session::convertThenDeliver(store::Watcher::Batch batch) {
  converting_ = true;
  auto self = shared_from_this();
  auto shared = std::make_shared<store::Watcher::Batch>(std::move(batch));
  bool taken = hub_.converters().submit([self, shared, &loop = hub_.loop()] {
    std::vector<store::RecordPtr> records;
    for (const store::EventPtr& event : shared->events)
      for (const store::RecordPtr& record : {event->record, event->previous})
        if (record) records.push_back(record);
    auto objects = std::make_shared<Result<std::vector<api::ObjectPtr>>>(servedObjects(records, *self->exchange_->resource));
    Converted converted;
    for (size_t i = 0; objects->ok() && i < records.size(); ++i) converted.emplace(records[i].get(), (**objects)[i]);
    loop.post([self, shared, objects, converted = std::move(converted)] {
      self->converting_ = false;
      if (self->ended_) return;
      if (objects->ok()) return self->deliver(*shared, converted);
      self->sendError(objects->error());
      self->end();
    });
  });
  if (taken) return;
  sendError(tooManyRequests("Too many requests, please try again later.", 1));
  end();
}

void Session::deliver(const store::Watcher::Batch& batch, const Converted& converted) {
  for (const store::EventPtr& event : batch.events) {
    sendEvent(*event, converted);
    if (ended_) return;
  }
  handOver();
  if (batch.compacted) {
    sendError(expired("The resourceVersion for the provided watch is too old."));
    return end();
  }
  position_ = std::max(position_, batch.upTo);
  if (!batch.more) return wakeUp();
  hub_.loop().post([self = shared_from_this()] { self->pump(); });
}

void Session::sendInitial() {
  for (size_t i = 0; i < kBatch && !initial_.empty() && !ended_; ++i) {
    send(WatchEvent::Type::Added, initial_.front());
    initial_.pop_front();
  }
  handOver();
  if (!initial_.empty() || !std::exchange(initialPending_, false)) return;
  releaseSeat();
  if (options_.bookmarks) sendBookmark(true);
}

// What the event is for this watch's selection: an object that enters it is added, one that leaves it is deleted.
void Session::sendEvent(const store::Event& event, const Converted& converted) {
  const ServedResource& resource = *exchange_->resource;
  if (event.revision <= position_) return;
  bool before = false, after = false;
  api::ObjectPtr now, was;
  auto read = [&](const store::RecordPtr& record) -> api::ObjectPtr {
    if (!record) return nullptr;
    if (auto found = converted.find(record.get()); found != converted.end()) return found->second;
    auto object = servedObject(record, resource);
    return object.ok() ? std::move(object).value() : nullptr;
  };
  if (event.type == store::Event::Type::Put) now = read(event.record);
  was = read(event.type == store::Event::Type::Delete && !event.previous ? event.record : event.previous);
  bool exact = options_.exactName.empty() || (now ? now : was ? was : nullptr) == nullptr ||
               (now ? now : was)->name() == options_.exactName;
  if (!exact) return;
  bool all = !options_.selects();
  after = now && (all || options_.matches(*now));
  before = was && (all || options_.matches(*was));
  position_ = event.revision;
  if (after) return send(before ? WatchEvent::Type::Modified : WatchEvent::Type::Added, now);
  if (before) send(WatchEvent::Type::Deleted, hub_.deleted(was, event.revision));
}

Result<std::string> Session::encode(WatchEvent::Type type, const api::ObjectPtr& object, bool first) {
  const Negotiated& out = exchange_->out;
  bool whole = out.shape == Shape::Whole && type != WatchEvent::Type::Error;
  if (whole && out.format == Format::Json) return framed(type, Format::Json, object->json().view());
  if (whole && out.format == Format::Protobuf) return framed(type, Format::Protobuf, TRY(object->protobuf()).view());
  Arena arena;
  Value value = object->root();
  const api::TypeInfo* bodyType = object->type();
  if (type != WatchEvent::Type::Error) {
    if (out.shape == Shape::Table) {
      std::vector<api::ObjectPtr> one{object};
      if (type == WatchEvent::Type::Bookmark) one.clear();
      value = tableOf(*exchange_->resource, one, exchange_->query.get("includeObject"), out.shapeVersion,
                      hub_.registry().clock().now(), arena);
      if (!first) value.set(arena, "columnDefinitions", Value::null());
      Value meta = Value::map();
      meta.set(arena, "resourceVersion", object->metadata()["resourceVersion"]);
      value.set(arena, "metadata", meta);
      if (type == WatchEvent::Type::Bookmark) {
        Value row = Value::map();
        row.set(arena, "cells", Value::list());
        row.set(arena, "object", partialMetadata(object->root(), out.shapeVersion, arena));
        Value rows = Value::list();
        rows.push(arena, row);
        value.set(arena, "rows", rows);
      }
      bodyType = api::findType("meta/v1", "Table");
    } else if (out.shape == Shape::PartialMetadata) {
      value = partialMetadata(object->root(), out.shapeVersion, arena);
      bodyType = api::findType("meta/v1", "PartialObjectMetadata");
    }
  }
  if (out.format == Format::Yaml)
    return framed(type, Format::Yaml, replaceAll(codec::toYaml(value), "\n", "\n  "));
  SharedBytes bytes = TRY(encodeDocument(value, bodyType, out.format, false));
  std::string_view text = bytes.view();
  if (out.format == Format::Json) text.remove_suffix(1);  // the newline
  return framed(type, out.format, text);
}

void Session::send(WatchEvent::Type type, const api::ObjectPtr& object) {
  if (ended_ || !object) return;
  if (exchange_->inProcess() && exchange_->caller()->sink) {
    if (exchange_->series) exchange_->series->watchEvent(0);
    outgoing_.push_back({type, object});
    return;
  }
  const Negotiated& out = exchange_->out;
  bool first = out.shape == Shape::Table && std::exchange(firstTable_, false);
  auto bytes = hub_.frame({object.get(), type, out.format, out.shape, first}, object,
                          [&] { return encode(type, object, first); });
  if (!bytes.ok()) return;
  if (exchange_->series) exchange_->series->watchEvent(bytes->size());
  exchange_->writer()->write(std::move(bytes).value());
}

void Session::handOver() {
  if (!outgoing_.empty()) exchange_->caller()->sink->push(std::exchange(outgoing_, {}));
}

void Session::sendBookmark(bool initialEventsEnd) {
  auto document = std::make_shared<codec::Document>();
  Arena& arena = document->arena;
  const ServedResource& resource = *exchange_->resource;
  setTypeMeta(document->root, arena, arena.copy(resource.apiVersion()), resource.info->kind);
  Value metadata = Value::map();
  metadata.set(arena, "resourceVersion", Value::text(arena, std::to_string(position_)));
  if (initialEventsEnd) {
    Value annotations = Value::map();
    annotations.set(arena, kInitialEventsEnd, Value::string("true"));
    metadata.set(arena, "annotations", annotations);
  }
  document->root.set(arena, "metadata", metadata);
  if (resource.custom) arena.keep(resource.custom);
  bookmarked_ = position_;
  send(WatchEvent::Type::Bookmark, api::Object::fromDocument(std::move(document), resource.info->type));
  handOver();
}

void Session::bookmark() {
  if (ended_ || !options_.bookmarks || initialPending_ || waiting_ || position_ == bookmarked_) return;
  sendBookmark(false);
}

void Session::sendError(const Error& error) {
  auto document = std::make_shared<codec::Document>();
  document->root = statusValue(error, document->arena);
  send(WatchEvent::Type::Error, api::Object::fromDocument(std::move(document), api::findType("meta/v1", "Status")));
  handOver();
}

void Session::end() {
  if (std::exchange(ended_, true)) return;
  auto self = shared_from_this();
  if (timer_) hub_.loop().cancel(timer_);
  watcher_.reset();
  if (begun_) {
    if (exchange_->inProcess() && exchange_->caller()->sink) {
      exchange_->caller()->sink->end();
    } else {
      exchange_->writer()->finish();
    }
    if (auto call = std::exchange(exchange_->onAnswer, nullptr)) call(200);
  }
  hub_.forget(self);
}

}  // namespace

std::unique_ptr<WatchHub> WatchHub::create(const Registry& registry, rt::Executor& converters) {
  return std::make_unique<Hub>(registry, converters);
}

}  // namespace skiff::apiserver
