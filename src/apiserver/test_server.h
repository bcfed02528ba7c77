// A whole API server over a store in memory, called without sockets: for tests.
#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>

#include "apiserver/inprocess.h"
#include "apiserver/server.h"
#include "base/strings.h"
#include "codec/json.h"
#include "rt/executor.h"
#include "store/engine.h"

namespace skiff::apiserver {

// Collects an answer; wait() blocks until it is whole, line() until there is one more line of it.
class TestWriter final : public net::ResponseWriter {
 public:
  void respond(net::Response response) override {
    std::lock_guard lock(mutex_);
    status_ = response.status;
    headers_ = std::move(response.headers);
    value_ = std::move(response.value);
    for (const SharedBytes& piece : response.body) body_ += piece.view();
    done_ = true;
    changed_.notify_all();
  }
  void begin(int status, net::Headers headers) override {
    std::lock_guard lock(mutex_);
    status_ = status;
    headers_ = std::move(headers);
    changed_.notify_all();
  }
  void write(SharedBytes piece) override {
    std::lock_guard lock(mutex_);
    body_ += piece.view();
    changed_.notify_all();
  }
  void finish() override {
    std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }
  size_t pendingBytes() const override { return 0; }
  void onDrain(UniqueFunction<void()> callback) override { callback(); }
  void onClose(UniqueFunction<void()> callback) override {
    std::lock_guard lock(mutex_);
    close_ = std::move(callback);
  }
  bool closed() const override { return false; }
  Status upgrade(int, net::Headers, UniqueFunction<void(std::unique_ptr<net::ByteStream>)>) override {
    return badRequest("no upgrades here");
  }

  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return done_; });
  }
  // The next line of a streamed answer; "" when it is over.
  std::string line() {
    std::unique_lock lock(mutex_);
    size_t end = std::string::npos;
    changed_.wait_for(lock, kPatience, [&] { return (end = body_.find('\n', read_)) != std::string::npos || done_; });
    if (end == std::string::npos) return {};
    std::string out = body_.substr(read_, end - read_);
    read_ = end + 1;
    return out;
  }
  void disconnect() {
    UniqueFunction<void()> callback;
    {
      std::lock_guard lock(mutex_);
      callback = std::exchange(close_, nullptr);
    }
    if (callback) callback();
  }
  int status() const { return status_; }
  const std::string& body() const { return body_; }
  const net::Headers& headers() const { return headers_; }

 private:
  // Only a broken server makes a test wait this long.
  static constexpr std::chrono::seconds kPatience{20};
  std::mutex mutex_;
  std::condition_variable changed_;
  int status_ = 0;
  bool done_ = false;
  size_t read_ = 0;
  net::Headers headers_;
  std::any value_;
  std::string body_;
  UniqueFunction<void()> close_;
};

struct TestAnswer {
  int status = 0;
  std::string body;
  net::Headers headers;
  codec::Document document;  // of a JSON body
  const codec::Value& json() const { return document.root; }
  std::string_view message() const { return json()["message"].asString(); }
};

class TestServer {
 public:
  explicit TestServer(ApiServerOptions options = {}) : TestServer(inMemory(), std::move(options)) {}
  explicit TestServer(std::shared_ptr<store::Store> over, ApiServerOptions options = {}) : store(std::move(over)) {
    auto created = ApiServer::create(std::move(options), store);
    if (!created.ok()) std::fprintf(stderr, "%s\n", created.error().message().c_str());
    MUST(created.ok());
    server = std::move(created).value();
  }
  ~TestServer() { server->stop(); }

  std::shared_ptr<TestWriter> start(std::string_view method, std::string_view path, std::string body = {},
                                    std::vector<std::pair<std::string, std::string>> headers = {}) {
    auto request = std::make_shared<net::Request>();
    request->method = std::string(method);
    auto query = cut(path, "?");
    request->path = std::string(query ? query->first : path);
    if (query) request->query = std::string(query->second);
    for (const auto& [name, value] : headers) request->headers.set(name, value);
    request->body = SharedBytes(std::move(body));
    if (!outside) request->caller = InProcessCaller{user, nullptr, nullptr};
    auto writer = std::make_shared<TestWriter>();
    server->handler().handle(std::move(request), writer);
    return writer;
  }
  TestAnswer call(std::string_view method, std::string_view path, std::string body = {},
                  std::vector<std::pair<std::string, std::string>> headers = {}) {
    auto writer = start(method, path, std::move(body), std::move(headers));
    TestAnswer answer;
    if (!writer->wait()) return answer;
    answer.status = writer->status();
    answer.body = writer->body();
    answer.headers = writer->headers();
    if (auto parsed = codec::parseJson(answer.body, answer.document.arena); parsed.ok()) answer.document.root = *parsed;
    return answer;
  }
  TestAnswer patch(std::string_view path, std::string_view type, std::string body) {
    return call("PATCH", path, std::move(body), {{"content-type", std::string(type)}, {"user-agent", "tester/1"}});
  }

  static std::shared_ptr<store::Store> inMemory() {
    auto opened = store::openStore({.sync = false, .inMemory = true});
    MUST(opened.ok());
    return std::move(opened).value();
  }

  bool outside = false;  // requests come as from the network: their headers tell who asks
  UserInfo user{"admin", "", {"system:masters", "system:authenticated"}, {}};
  std::shared_ptr<store::Store> store;
  std::unique_ptr<ApiServer> server;
};

}  // namespace skiff::apiserver
