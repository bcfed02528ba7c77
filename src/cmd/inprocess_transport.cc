#include "cmd/inprocess_transport.h"

#include <condition_variable>
#include <deque>
#include <mutex>

#include "apiserver/inprocess.h"
#include "base/strings.h"
#include "codec/json.h"
#include "net/body.h"

namespace skiff::cmd {
namespace {

using apiserver::EventSink;
using apiserver::InProcessCaller;

// Takes the answer of one call and lets its caller wait for it.
class Answer final : public net::ResponseWriter {
 public:
  ~Answer() override {
    if (auto call = takeClose()) call();
  }
  void respond(net::Response response) override {
    {
      std::lock_guard lock(mutex_);
      response_ = std::move(response);
      finished_ = true;
    }
    changed_.notify_all();
  }
  void begin(int status, net::Headers headers) override {
    {
      std::lock_guard lock(mutex_);
      net::Response response;
      response.status = status;
      response.headers = std::move(headers);
      response_ = std::move(response);
    }
    changed_.notify_all();
  }
  void write(SharedBytes piece) override {
    {
      std::lock_guard lock(mutex_);
      pending_ += piece.size();
      pieces_.push_back(std::move(piece));
    }
    changed_.notify_all();
  }
  void finish() override {
    {
      std::lock_guard lock(mutex_);
      finished_ = true;
    }
    changed_.notify_all();
  }
  size_t pendingBytes() const override {
    std::lock_guard lock(mutex_);
    return pending_;
  }
  void onDrain(UniqueFunction<void()> callback) override {
    {
      std::lock_guard lock(mutex_);
      if (pending_ > 0 && !cancelled_) {
        drain_ = std::move(callback);
        return;
      }
    }
    callback();
  }
  void onClose(UniqueFunction<void()> callback) override {
    {
      std::lock_guard lock(mutex_);
      if (!cancelled_) {
        close_ = std::move(callback);
        return;
      }
    }
    callback();
  }
  bool closed() const override {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }
  Status upgrade(int, net::Headers, UniqueFunction<void(std::unique_ptr<net::ByteStream>)>) override {
    return badRequest("upgrades are not served inside the process");
  }

  // --- the caller's side ---

  // The head of the answer (all of it when it is not streamed).
  Result<net::Response> head(milliseconds timeout) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, timeout, [&] { return response_.has_value(); }))
      return Error(Reason::Timeout, "no answer in time");
    return *response_;
  }
  // "" at the end.
  Result<std::string> next(milliseconds timeout) {
    UniqueFunction<void()> drained;
    std::string out;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, timeout, [&] { return !pieces_.empty() || finished_ || cancelled_; }))
        return Error(Reason::Timeout, "no data in time");
      if (cancelled_) return Error(Reason::ServiceUnavailable, "stream was cancelled");
      if (pieces_.empty()) return out;
      out = std::string(pieces_.front().view());
      pending_ -= out.size();
      pieces_.pop_front();
      if (pending_ == 0) drained = std::exchange(drain_, nullptr);
    }
    if (drained) drained();
    return out;
  }
  void cancel() {
    UniqueFunction<void()> drained;
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      drained = std::exchange(drain_, nullptr);
    }
    changed_.notify_all();
    if (drained) drained();
    if (auto call = takeClose()) call();
  }

 private:
  UniqueFunction<void()> takeClose() {
    std::lock_guard lock(mutex_);
    return std::exchange(close_, nullptr);
  }

  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::optional<net::Response> response_;
  std::deque<SharedBytes> pieces_;
  size_t pending_ = 0;
  bool finished_ = false, cancelled_ = false;
  UniqueFunction<void()> drain_, close_;
};

// The events of one watch, between the server's watch thread and an informer.
class EventQueue final : public EventSink {
 public:
  void push(std::vector<api::WatchEvent> events) override {
    {
      std::lock_guard lock(mutex_);
      if (events_.empty()) events_ = std::move(events);
      else events_.insert(events_.end(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
    }
    changed_.notify_one();
  }
  void end() override {
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
  }
  size_t pending() const override {
    std::lock_guard lock(mutex_);
    return events_.size();
  }
  void onDrain(UniqueFunction<void()> callback) override {
    {
      std::lock_guard lock(mutex_);
      if (!events_.empty() && !cancelled_) {
        drain_ = std::move(callback);
        return;
      }
    }
    callback();
  }
  bool cancelled() const override {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }

  // All that have come, at least one; none when the watch is over.
  Result<std::vector<api::WatchEvent>> take(milliseconds timeout) {
    UniqueFunction<void()> drained;
    std::vector<api::WatchEvent> events;
    {
      std::unique_lock lock(mutex_);
      bool ready = changed_.wait_for(lock, timeout, [&] { return !events_.empty() || ended_ || cancelled_; });
      if (!ready) return Error(Reason::Timeout, "no event in time");
      if (cancelled_ || events_.empty()) return events;
      events.swap(events_);
      drained = std::exchange(drain_, nullptr);
    }
    if (drained) drained();
    return events;
  }
  void cancel() {
    UniqueFunction<void()> drained, closed;
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      drained = std::exchange(drain_, nullptr);
      closed = std::exchange(cancel_, nullptr);
    }
    changed_.notify_all();
    if (drained) drained();
    if (closed) closed();
  }
  void onCancel(UniqueFunction<void()> callback) override {
    {
      std::lock_guard lock(mutex_);
      if (!cancelled_) {
        cancel_ = std::move(callback);
        return;
      }
    }
    callback();
  }

 private:
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::vector<api::WatchEvent> events_;
  bool ended_ = false, cancelled_ = false;
  UniqueFunction<void()> drain_, cancel_;
};

class QueueStream final : public client::WatchStream {
 public:
  explicit QueueStream(std::shared_ptr<EventQueue> queue) : queue_(std::move(queue)) {}
  ~QueueStream() override { queue_->cancel(); }
  Result<std::optional<api::WatchEvent>> next(milliseconds timeout) override {
    if (taken_ == events_.size()) {
      events_.clear();  // the objects, before the wait
      taken_ = 0;
      events_ = TRY(queue_->take(timeout));
    }
    if (events_.empty() || queue_->cancelled()) return std::optional<api::WatchEvent>();
    return std::optional(std::move(events_[taken_++]));
  }
  void cancel() override { queue_->cancel(); }

 private:
  std::shared_ptr<EventQueue> queue_;
  std::vector<api::WatchEvent> events_;
  size_t taken_ = 0;  // of them
};

class AnswerStream final : public net::ResponseStream {
 public:
  AnswerStream(std::shared_ptr<Answer> answer, net::Response head) : answer_(std::move(answer)), head_(std::move(head)) {
    for (SharedBytes& piece : head_.body) first_.push_back(std::move(piece));
  }
  ~AnswerStream() override { answer_->cancel(); }
  int status() const override { return head_.status; }
  const net::Headers& headers() const override { return head_.headers; }
  Result<std::string> next(milliseconds timeout) override {
    if (!first_.empty()) {
      std::string out(first_.front().view());
      first_.pop_front();
      if (!out.empty()) return out;
    }
    return answer_->next(timeout);
  }
  void cancel() override { answer_->cancel(); }

 private:
  std::shared_ptr<Answer> answer_;
  net::Response head_;
  std::deque<SharedBytes> first_;
};

class InProcess final : public client::Transport {
 public:
  InProcess(apiserver::ApiServer& server, apiserver::UserInfo user) : server_(server), user_(std::move(user)) {}

  Result<api::ObjectPtr> call(client::ApiRequest request) override {
    net::Response response = TRY(exchange(request, apiserver::kObjectContent, nullptr));
    if (auto* object = std::any_cast<api::ObjectPtr>(&response.value)) return *object;
    return api::ObjectPtr();
  }
  Result<api::ObjectList> list(client::ApiRequest request) override {
    net::Response response = TRY(exchange(request, apiserver::kObjectContent, nullptr));
    if (auto* list = std::any_cast<api::ObjectList>(&response.value)) return std::move(*list);
    return internalError("the answer to a LIST is no list");
  }
  Result<std::unique_ptr<client::WatchStream>> watch(client::ApiRequest request) override {
    auto queue = std::make_shared<EventQueue>();
    net::Response response = TRY(exchange(request, apiserver::kObjectContent, queue));
    return std::unique_ptr<client::WatchStream>(std::make_unique<QueueStream>(std::move(queue)));
  }
  Result<net::Response> raw(client::ApiRequest request) override {
    auto answer = start(request, "", nullptr);
    net::Response response = TRY(answer->head(request.timeout));
    return response;
  }
  Result<std::unique_ptr<net::ResponseStream>> stream(client::ApiRequest request) override {
    auto answer = start(request, "", nullptr);
    net::Response head = TRY(answer->head(request.timeout));
    return std::unique_ptr<net::ResponseStream>(std::make_unique<AnswerStream>(std::move(answer), std::move(head)));
  }
  Result<std::unique_ptr<net::ByteStream>> upgrade(client::ApiRequest, net::Headers, net::Response*) override {
    return badRequest("upgrades are not served inside the process");
  }

 private:
  std::shared_ptr<Answer> start(client::ApiRequest& request, std::string_view accept, std::shared_ptr<EventSink> sink) {
    auto message = std::make_shared<net::Request>();
    message->method = request.method;
    message->path = request.path;
    message->query = net::buildQuery(request.query);
    if (!accept.empty()) message->headers.add("accept", accept);
    if (!request.contentType.empty()) message->headers.add("content-type", request.contentType);
    message->headers.add("user-agent", "skiff/in-process");
    message->body = SharedBytes(std::move(request.rawBody));
    message->caller = InProcessCaller{user_, std::move(request.body), std::move(sink)};
    auto answer = std::make_shared<Answer>();
    server_.handler().handle(std::move(message), answer);
    return answer;
  }

  // The answer, or the Error that it tells.
  Result<net::Response> exchange(client::ApiRequest& request, std::string_view accept, std::shared_ptr<EventSink> sink) {
    net::Response response = TRY(start(request, accept, std::move(sink))->head(request.timeout));
    if (response.status < 400) return response;
    if (auto* error = std::any_cast<std::shared_ptr<const Error>>(&response.value)) return Error(**error);
    std::string text = net::bodyText(response);
    codec::Arena arena;
    auto status = codec::parseJson(text, arena);
    if (status.ok() && status->isMap()) return client::errorFromStatus(*status, response.status);
    return Error(response.status == httpCode(Reason::NotFound) ? Reason::NotFound : Reason::InternalError, text)
        .withCode(response.status);
  }

  apiserver::ApiServer& server_;
  apiserver::UserInfo user_;
};

}  // namespace

std::shared_ptr<client::Transport> inProcessTransport(apiserver::ApiServer& server, apiserver::UserInfo user) {
  return std::make_shared<InProcess>(server, std::move(user));
}

}  // namespace skiff::cmd
