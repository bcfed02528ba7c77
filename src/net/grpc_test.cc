// The gRPC client against a server made of this room's HTTP/2 and trailers.
#include "net/grpc.h"

#include <doctest/doctest.h>

#include "base/strings.h"
#include "net/server.h"

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

TEST_CASE("nobody at the socket is Unavailable") {
  auto channel = GrpcChannel::create({.unixPath = "/nonexistent/socket"});
  auto result = channel->call("/a", "", 1s);
  REQUIRE(result.failedWith(Reason::ServiceUnavailable));
  CHECK(result.error().message() ==
        "rpc error: code = Unavailable desc = dial unix /nonexistent/socket: connect: no such file "
        "or directory");
}
