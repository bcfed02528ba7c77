#include "client/events.h"

#include <deque>
#include <mutex>
#include <unordered_map>

#include "base/clock.h"
#include "base/log.h"
#include "base/strings.h"
#include "rt/executor.h"

namespace skiff::client {
namespace {

using api::core::v1::Event;
using api::core::v1::ObjectReference;

constexpr size_t kMaxQueued = 1000;   // beyond it events are dropped: they are news, not state
constexpr size_t kMaxRemembered = 4096;  // events whose repetitions are counted, as upstream's LRU

class Recorder final : public EventRecorder {
 public:
  Recorder(std::shared_ptr<Client> client, std::string component, std::string host)
      : client_(std::move(client)), component_(std::move(component)), host_(std::move(host)),
        thread_("events", [this] { run(); }) {}
  ~Recorder() override {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }

  void record(const ObjectReference& about, std::string_view type, std::string_view reason,
              std::string message) override {
    std::lock_guard lock(mutex_);
    if (stopped_ || queue_.size() >= kMaxQueued) return;
    queue_.push_back({about, std::string(type), std::string(reason), std::move(message)});
    changed_.notify_one();
  }

 private:
  struct Item {
    ObjectReference about;
    std::string type, reason, message;
  };

  void run() {
    for (;;) {
      Item item;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopped_ || !queue_.empty(); });
        if (stopped_) return;
        item = std::move(queue_.front());
        queue_.pop_front();
      }
      write(item);
    }
  }

  void write(const Item& item) {
    std::string key = join(std::vector<std::string>{item.about.kind, item.about.namespace_, item.about.name,
                                                    item.about.uid, item.about.fieldPath, item.type, item.reason,
                                                    item.message}, "\x1f");
    auto now = Clock::real().now();
    if (auto known = sent_.find(key); known != sent_.end()) {
      Event& event = known->second;
      event.count += 1;
      event.lastTimestamp.value = now;
      std::string patch = concat("{\"count\":", event.count, ",\"lastTimestamp\":\"", formatRfc3339(now), "\"}");
      auto patched = client_->patch<Event>(event.metadata.namespace_, event.metadata.name, PatchType::Merge, patch);
      if (patched.ok()) return;
      sent_.erase(known);  // expired meanwhile: write it anew
    }
    auto created = client_->create(makeEvent(item, now));
    if (!created.ok()) {
      log::debug("Event was not written", {{"reason", item.reason}, {"err", created.error().message()}});
      return;
    }
    if (sent_.size() >= kMaxRemembered) sent_.clear();
    sent_.emplace(std::move(key), std::move(*created));
  }

  Event makeEvent(const Item& item, WallTime now) const {
    Event event;
    event.metadata.namespace_ = item.about.namespace_.empty() ? "default" : item.about.namespace_;
    event.metadata.name = concat(item.about.name, ".", hexEncode(stamp(now)));
    event.involvedObject = item.about;
    event.type = item.type;
    event.reason = item.reason;
    event.message = item.message;
    event.source.component = component_;
    event.source.host = host_;
    event.reportingComponent = component_;
    event.reportingInstance = host_;
    event.firstTimestamp.value = event.lastTimestamp.value = now;
    event.count = 1;
    return event;
  }

  // Unique enough for a name: the time and a random byte pair.
  static std::string stamp(WallTime now) {
    uint64_t n = uint64_t(now.time_since_epoch().count()) << 8 ^ (Rng::real().next() & 0xffff);
    std::string bytes;
    for (int shift = 56; shift >= 0; shift -= 8) bytes += char(n >> shift & 0xff);
    return bytes;
  }

  std::shared_ptr<Client> client_;
  std::string component_, host_;
  std::mutex mutex_;  // guards queue_ and stopped_
  std::condition_variable changed_;
  std::deque<Item> queue_;
  bool stopped_ = false;
  std::unordered_map<std::string, Event> sent_;  // the thread's own
  rt::Thread thread_;
};

}  // namespace

std::unique_ptr<EventRecorder> EventRecorder::create(std::shared_ptr<Client> client, std::string component,
                                                     std::string host) {
  return std::make_unique<Recorder>(std::move(client), std::move(component), std::move(host));
}

}  // namespace skiff::client
