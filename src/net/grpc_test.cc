// The gRPC client against a server made of this room's HTTP/2 and trailers.
#include "net/grpc.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "base/strings.h"
#include "net/http2_session.h"
#include "net/server.h"
#include "rt/executor.h"

using namespace skiff;
using namespace skiff::net;
using namespace std::chrono_literals;

namespace {

std::string framed(std::string_view message) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += char(message.size() >> shift & 0xff);
  return out + std::string(message);
}

class Service final : public Handler {
 public:
  void handle(std::shared_ptr<Request> request, std::shared_ptr<ResponseWriter> writer) override {
    Headers headers, ok;
    headers.add("content-type", "application/grpc");
    ok.add("grpc-status", "0");
    if (request->headers.get("te") != "trailers") return writer->respond({.status = 400});
    if (request->path == "/t.S/Echo") {
      writer->begin(200, headers);
      writer->write(request->body);
      writer->finishWithTrailers(ok);
    } else if (request->path == "/t.S/Missing") {
      headers.add("grpc-status", "5");
      headers.add("grpc-message", "no such%20thing%0A");
      writer->respond({.status = 200, .headers = headers});
    } else if (request->path == "/t.S/Late") {
      writer->begin(200, headers);
      Headers trailers;
      trailers.add("grpc-status", "14");
      writer->finishWithTrailers(trailers);
    } else if (request->path == "/t.S/Hang") {
      writer->onClose([writer] {});
    } else if (request->path == "/t.S/Three") {
      writer->begin(200, headers);
      auto all = framed("one") + framed("") + framed(std::string(300000, '3'));
      writer->write(SharedBytes(all.substr(0, 3)));  // cut in the middle of a prefix
      writer->write(SharedBytes(all.substr(3)));
      writer->finishWithTrailers(ok);
    } else if (request->path == "/t.S/Huge") {
      writer->begin(200, headers);
      writer->write(SharedBytes(std::string("\0\x7f\xff\xff\xff", 5)));
    } else {
      writer->respond({.status = 404});
    }
  }
};

struct Fixture {
  Service service;
  std::unique_ptr<Server> server = Server::start({.address = "127.0.0.1"}, service).value();
  std::unique_ptr<GrpcChannel> channel =
      GrpcChannel::create({.host = "127.0.0.1", .port = server->port()});
};

}  // namespace

TEST_CASE("unary calls carry messages and map statuses") {
  Fixture f;
  auto big = std::string(3000000, 'm');
  CHECK(*f.channel->call("/t.S/Echo", "hello", 10s) == "hello");
  CHECK(*f.channel->call("/t.S/Echo", "", 10s) == "");
  CHECK(*f.channel->call("/t.S/Echo", big, 10s) == big);
  auto missing = f.channel->call("/t.S/Missing", "", 10s);
  REQUIRE(missing.failedWith(Reason::NotFound));
  CHECK(missing.error().message() == "rpc error: code = NotFound desc = no such thing\n");
  CHECK(f.channel->call("/t.S/Late", "", 10s).failedWith(Reason::ServiceUnavailable));
  CHECK(f.channel->call("/t.S/Hang", "", 5ms).failedWith(Reason::Timeout));
  CHECK(f.channel->call("/t.S/Huge", "", 50ms).failedWith(Reason::Timeout));
  CHECK(f.channel->call("/nowhere", "", 10s).failedWith(Reason::MethodNotAllowed));
}

TEST_CASE("a server stream gives its messages, then its status") {
  Fixture f;
  auto stream = f.channel->stream("/t.S/Three", "");
  REQUIRE(stream.ok());
  CHECK(*(*stream)->next(10s) == "one");
  CHECK(*(*stream)->next(10s) == "");
  CHECK_FALSE((*stream)->ended());
  CHECK((*stream)->next(10s)->size() == 300000);
  CHECK(*(*stream)->next(10s) == "");
  CHECK((*stream)->ended());

  auto failing = f.channel->stream("/t.S/Missing", "");
  REQUIRE(failing.ok());
  CHECK((*failing)->next(10s).failedWith(Reason::NotFound));
  CHECK((*failing)->ended());

  auto huge = f.channel->stream("/t.S/Huge", "");
  REQUIRE(huge.ok());
  CHECK((*huge)->next(10s).failedWith(Reason::TooManyRequests));

  auto hanging = f.channel->stream("/t.S/Hang", "");
  REQUIRE(hanging.ok());
  CHECK((*hanging)->next(1ms).failedWith(Reason::Timeout));
  CHECK_FALSE((*hanging)->ended());
  f.server->stop(0ms);
  CHECK((*hanging)->next(10s).failedWith(Reason::ServiceUnavailable));
  CHECK((*hanging)->ended());
}

namespace {

// Sends back what it gets while it gets it, which this room's server does not: one connection, one stream at a time.
class EchoServer {
 public:
  EchoServer() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && ::listen(listener_, 1) == 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = rt::Thread("echo", [this] { run(); });
  }
  ~EchoServer() {
    ::shutdown(listener_, SHUT_RDWR);
    if (int peer = peer_; peer >= 0) ::shutdown(peer, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    if (int peer = peer_; peer >= 0) ::close(peer);
  }
  uint16_t port() const { return port_; }

 private:
  static EchoServer& self(void* user) { return *static_cast<EchoServer*>(user); }

  void run() {
    peer_ = ::accept(listener_, nullptr, nullptr);
    if (peer_ < 0) return;
    auto callbacks = http2::newCallbacks();
    auto* c = callbacks.get();
    nghttp2_session_callbacks_set_send_callback(c, [](nghttp2_session*, const uint8_t* data, size_t size, int, void* user) -> ssize_t {
      return ::send(self(user).peer_, data, size, MSG_NOSIGNAL) < 0 ? ssize_t(NGHTTP2_ERR_CALLBACK_FAILURE) : ssize_t(size);
    });
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, [](nghttp2_session* session, const nghttp2_frame* frame, void* user) {
      auto& echo = self(user);
      if (frame->hd.type == NGHTTP2_HEADERS) {
        nghttp2_nv head[] = {http2::header(":status", "200"), http2::header("content-type", "application/grpc")};
        nghttp2_data_provider provider{.source = {.ptr = nullptr}, .read_callback = &onRead};
        nghttp2_submit_response(session, frame->hd.stream_id, head, std::size(head), &provider);
      }
      if (frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        echo.finished_ = true;
        nghttp2_session_resume_data(session, frame->hd.stream_id);
      }
      return 0;
    });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        c, [](nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
          self(user).pending_.append(reinterpret_cast<const char*>(data), size);
          nghttp2_session_resume_data(session, id);
          return 0;
        });
    nghttp2_session* session = nullptr;
    MUST(nghttp2_session_server_new(&session, c, this) == 0);
    http2::SessionPtr owner(session);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
    uint8_t buffer[16384];
    while (nghttp2_session_send(session) == 0) {
      ssize_t got = ::recv(peer_, buffer, sizeof buffer, 0);
      if (got <= 0 || nghttp2_session_mem_recv(session, buffer, size_t(got)) < 0) return;
    }
  }

  static ssize_t onRead(nghttp2_session* session, int32_t id, uint8_t* into, size_t length, uint32_t* flags,
                        nghttp2_data_source*, void* user) {
    auto& echo = self(user);
    if (echo.pending_.empty()) {
      if (!echo.finished_) return NGHTTP2_ERR_DEFERRED;
      *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
      nghttp2_nv trailer = http2::header("grpc-status", "0");
      nghttp2_submit_trailer(session, id, &trailer, 1);
      return 0;
    }
    size_t count = std::min(length, echo.pending_.size());
    echo.pending_.copy(reinterpret_cast<char*>(into), count);
    echo.pending_.erase(0, count);
    return ssize_t(count);
  }

  const int listener_;
  uint16_t port_ = 0;
  std::atomic<int> peer_{-1};
  std::string pending_;
  bool finished_ = false;
  rt::Thread thread_;
};

}  // namespace

TEST_CASE("a stream in both directions carries messages both ways as they come") {
  EchoServer server;
  auto channel = GrpcChannel::create({.host = "127.0.0.1", .port = server.port()});
  auto stream = channel->bidirectional("/t.S/Chat");
  REQUIRE(stream.ok());
  CHECK((*stream)->next(1ms).failedWith(Reason::Timeout));
  for (const std::string& message : {std::string("one"), std::string(), std::string(3000000, '3')}) {
    (*stream)->send(message);
    CHECK(*(*stream)->next(10s) == message);
  }
  (*stream)->send("last");
  (*stream)->finishSending();
  CHECK(*(*stream)->next(10s) == "last");
  CHECK_FALSE((*stream)->ended());
  CHECK(*(*stream)->next(10s) == "");
  CHECK((*stream)->ended());
  (*stream)->send("too late");
}

TEST_CASE("a stream in both directions that is cancelled ends for who waits") {
  EchoServer server;
  auto channel = GrpcChannel::create({.host = "127.0.0.1", .port = server.port()});
  auto stream = channel->bidirectional("/t.S/Chat");
  REQUIRE(stream.ok());
  rt::Thread other("cancel", [&] { (*stream)->cancel(); });
  CHECK((*stream)->next(10s).failedWith(Reason::ServiceUnavailable));
  CHECK((*stream)->ended());
}

TEST_CASE("nobody at the socket is Unavailable") {
  auto channel = GrpcChannel::create({.unixPath = "/nonexistent/socket"});
  bool untouched = false;
  auto result = channel->call("/a", "", 1s, &untouched);
  CHECK(untouched);
  REQUIRE(result.failedWith(Reason::ServiceUnavailable));
  CHECK(result.error().message() ==
        "rpc error: code = Unavailable desc = dial unix /nonexistent/socket: connect: no such file "
        "or directory");
}
