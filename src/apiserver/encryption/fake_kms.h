// A KMS v2 plug-in on a unix socket, for tests: it "encrypts" by inverting bits, and tells the key id it is given.
#pragma once
#include <atomic>
#include <mutex>

#include "base/clock.h"
#include "base/strings.h"
#include "codec/wire.h"
#include "net/server.h"

namespace skiff::apiserver::encryption {

class FakeKms final : public net::Handler {
 public:
  FakeKms() : path_(concat("/tmp/skiff-kms-test-", newUid())) {
    auto started = net::Server::start({.unixPath = path_}, *this);
    server_ = std::move(started).value();
  }
  ~FakeKms() override {
    server_->stop(std::chrono::milliseconds(0));
    std::remove(path_.c_str());
  }
  const std::string& path() const { return path_; }
  void setKey(std::string id) {
    std::lock_guard lock(mutex_);
    keyId_ = std::move(id);
  }
  std::atomic<bool> broken = false;
  std::atomic<int> encrypted = 0, decrypted = 0;

  void handle(std::shared_ptr<net::Request> request, std::shared_ptr<net::ResponseWriter> writer) override {
    net::Headers headers, trailers;
    headers.set("content-type", "application/grpc");
    trailers.set("grpc-status", broken ? "14" : "0");
    writer->begin(200, headers);
    if (!broken) {
      std::string answer = answerTo(request->path, request->body.view().substr(5));
      std::string frame(1, '\0');
      for (int shift : {24, 16, 8, 0}) frame += char(answer.size() >> shift);
      writer->write(SharedBytes(frame + answer));
    }
    writer->finishWithTrailers(trailers);
  }

 private:
  std::string answerTo(std::string_view method, std::string_view message) {
    std::string first, out;
    codec::WireReader reader(message);
    while (reader.next())
      if (reader.field() == 1) first = std::string(reader.bytes());
    for (char& c : first) c = char(c ^ 0x5a);
    std::lock_guard lock(mutex_);
    if (method.ends_with("/Status")) {
      codec::writeBytesField(out, 1, "v2");
      codec::writeBytesField(out, 2, "ok");
      codec::writeBytesField(out, 3, keyId_);
      return out;
    }
    codec::writeBytesField(out, 1, first);
    if (method.ends_with("/Decrypt")) return ++decrypted, out;
    ++encrypted;
    codec::writeBytesField(out, 2, keyId_);
    return out;
  }

  const std::string path_;
  std::mutex mutex_;  // guards keyId_
  std::string keyId_ = "kek1";
  std::unique_ptr<net::Server> server_;
};

}  // namespace skiff::apiserver::encryption
