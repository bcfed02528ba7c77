// Server and client of this room against each other, over every transport.
#include <doctest/doctest.h>

#include <atomic>
#include <semaphore>

#include "base/clock.h"
#include "base/strings.h"
#include "net/http_client.h"
#include "net/server.h"
#include "net/test_tls.h"
#include "rt/executor.h"

using namespace skiff;
using namespace skiff::net;
using namespace std::chrono_literals;

namespace {

constexpr auto kLong = 20000ms;  // a test that needs it has failed

std::string bodyOf(const Response& response) {
  std::string out;
  for (const auto& piece : response.body) out += piece.view();
  return out;
}

// What a path asks for is what the answer does.
class Echo final : public Handler {
 public:
  void handle(std::shared_ptr<Request> request, std::shared_ptr<ResponseWriter> writer) override {
    if (request->path == "/echo") {
      Response response;
      response.headers.add("X-Method", request->method);
      response.headers.add("x-query", request->query);
      response.headers.add("x-http", std::to_string(request->httpMajor));
      response.headers.add("x-peer-certificates",
                           std::to_string(request->peer.certificateChain.size()));
      response.body.push_back(request->body);
      writer->respond(std::move(response));
    } else if (request->path == "/big") {
      Response response;
      for (int i = 0; i < 10; ++i)
        response.body.push_back(SharedBytes(std::string(1 << 20, char('a' + i))));
      writer->respond(std::move(response));
    } else if (request->path == "/none") {
      return;  // the writer goes without an answer
    } else if (request->path == "/empty") {
      writer->respond({.status = 204});
    } else if (request->path == "/stream") {
      writer->begin(200, {});
      auto count = int(parseInt(request->query).value_or(0));
      workers->submit([writer, count] {
        for (int i = 0; i < count; ++i) writer->write(SharedBytes(concat("event ", i, '\n')));
        writer->finish();
      });
    } else if (request->path == "/forever") {
      writer->begin(200, {});
      writer->write(SharedBytes("first"));
      writer->onClose([this, writer] { closed.release(); });
    } else if (request->path == "/later") {
      held = writer;
      arrived.release();
    } else if (request->path == "/flood") {
      // Writes the next piece only when the last one is taken.
      writer->begin(200, {});
      auto left = std::make_shared<int>(100);
      writer->onDrain([writer, left] {
        if (writer->closed() || *left == 0) return writer->finish();
        --*left;
        writer->write(SharedBytes(std::string(100000, 'x')));
      });
      writer->write(SharedBytes("start"));
    } else if (request->path == "/upgrade") {
      Headers headers;
      headers.add("upgrade", request->headers.get("upgrade"));
      auto status = writer->upgrade(101, headers, [](std::unique_ptr<ByteStream> stream) {
        char buffer[4096];
        for (;;) {
          auto count = stream->read(buffer, sizeof buffer);
          if (!count.ok() || *count == 0) return;
          if (!stream->write({buffer, *count}).ok()) return;
        }
      });
      if (!status.ok()) writer->respond({.status = 400});
    } else {
      writer->respond({.status = 404});
    }
  }
  Response refused(const Refusal& refusal) override {
    Response response = Handler::refused(refusal);
    response.headers.add("x-limit", std::to_string(refusal.limit));
    return response;
  }
  std::unique_ptr<rt::Executor> workers = rt::Executor::create({.name = "test"});
  std::counting_semaphore<> closed{0}, arrived{0};
  std::shared_ptr<ResponseWriter> held;
};

struct Transport {
  const char* name;
  bool tls, http2;
};
constexpr Transport kTransports[] = {{"http/1.1", false, false},
                                     {"http/1.1 over tls", true, false},
                                     {"h2c", false, true},
                                     {"h2", true, true}};

struct Fixture {
  explicit Fixture(Transport transport, ServerOptions options = {.maxBodyBytes = 16 << 20}) {
    options.address = "127.0.0.1";
    if (transport.tls) options.tls = testTls().server;
    auto started = Server::start(options, echo);
    REQUIRE(started.ok());
    server = std::move(started).value();
    endpoint = {.host = "127.0.0.1", .port = server->port()};
    if (transport.tls) endpoint.tls = testTls().client;
    client = HttpClient::create({.endpoint = endpoint,
                                 .forceHttp1 = !transport.http2,
                                 .http2PriorKnowledge = transport.http2 && !transport.tls});
  }
  Echo echo;
  std::unique_ptr<Server> server;
  Endpoint endpoint;
  std::unique_ptr<HttpClient> client;
};

Request get(std::string path, std::string query = {}) {
  return {.method = "GET", .path = std::move(path), .query = std::move(query)};
}

std::string readAll(ResponseStream& stream) {
  std::string all;
  for (;;) {
    auto piece = stream.next(kLong);
    REQUIRE(piece.ok());
    if (piece->empty()) return all;
    all += *piece;
  }
}

std::string exchangeRaw(const Endpoint& endpoint, std::string_view bytes) {
  auto stream = connect(endpoint, kLong);
  REQUIRE(stream.ok());
  REQUIRE((*stream)->write(bytes).ok());
  std::string all;
  char buffer[4096];
  for (;;) {
    auto count = (*stream)->read(buffer, sizeof buffer);
    if (!count.ok() || *count == 0) return all;
    all.append(buffer, *count);
  }
}

}  // namespace

TEST_CASE("requests and whole answers go round over every transport") {
  for (auto transport : kTransports) {
    CAPTURE(transport.name);
    Fixture fixture(transport);
    auto& client = *fixture.client;
    for (int i = 0; i < 3; ++i) {  // the same connection again
      auto response = client.call({.method = "POST",
                                   .path = "/echo",
                                   .query = "a=b&c",
                                   .body = SharedBytes(std::string("hello"))},
                                  kLong);
      REQUIRE(response.ok());
      CHECK(response->status == 200);
      CHECK(bodyOf(*response) == "hello");
      CHECK(response->headers.get("x-method") == "POST");
      CHECK(response->headers.get("X-Query") == "a=b&c");
      CHECK(response->headers.get("x-http") == (transport.http2 ? "2" : "1"));
      CHECK(response->headers.get("content-length") == "5");
      CHECK(response->headers.has("date"));
      CHECK(response->headers.get("x-peer-certificates") == (transport.tls ? "1" : "0"));
    }
    CHECK(client.call(get("/empty"), kLong)->status == 204);
    CHECK(client.call(get("/nowhere"), kLong)->status == 404);
    CHECK(client.call(get("/none"), kLong)->status == 500);
    auto head = client.call({.method = "HEAD", .path = "/big"}, kLong);
    REQUIRE(head.ok());
    CHECK(head->headers.get("content-length") == std::to_string(10 << 20));
    CHECK(head->body.empty());
  }
}

TEST_CASE("ten megabytes go both ways") {
  for (auto transport : kTransports) {
    CAPTURE(transport.name);
    Fixture fixture(transport);
    std::string big(10 << 20, 'q');
    for (size_t i = 0; i < big.size(); i += 4096) big[i] = char('a' + i / 4096 % 26);
    auto response =
        fixture.client->call({.method = "PUT", .path = "/echo", .body = SharedBytes(big)}, kLong);
    REQUIRE(response.ok());
    CHECK(bodyOf(*response) == big);
    auto down = fixture.client->call(get("/big"), kLong);
    REQUIRE(down.ok());
    CHECK(bodyOf(*down).size() == 10 << 20);
    CHECK(bodyOf(*down).back() == 'j');
  }
}

TEST_CASE("a body over the limit is answered with 413 and the server goes on") {
  for (auto transport : kTransports) {
    CAPTURE(transport.name);
    Fixture fixture(transport, {.maxBodyBytes = 1000});
    auto response = fixture.client->call(
        {.method = "PUT", .path = "/echo", .body = SharedBytes(std::string(5 << 20, 'x'))}, kLong);
    REQUIRE(response.ok());
    CHECK(response->status == 413);
    CHECK(parseInt(response->headers.get("x-limit")) == 1000);
    CHECK(fixture.client->call(get("/echo"), kLong)->status == 200);
  }
}

TEST_CASE("streamed answers arrive whole and in order") {
  for (auto transport : kTransports) {
    CAPTURE(transport.name);
    Fixture fixture(transport);
    auto stream = fixture.client->stream(get("/stream", "20000"), kLong);
    REQUIRE(stream.ok());
    std::string expected;
    for (int i = 0; i < 20000; ++i) expected += concat("event ", i, '\n');
    CHECK(readAll(**stream) == expected);
    auto flood = fixture.client->stream(get("/flood"), kLong);
    REQUIRE(flood.ok());
    CHECK(readAll(**flood).size() == 5 + 100 * 100000);
  }
}

TEST_CASE("a stream that waits times out, stays usable, and tells the handler when it is dropped") {
  for (auto transport : kTransports) {
    CAPTURE(transport.name);
    Fixture fixture(transport);
    auto stream = fixture.client->stream(get("/forever"), kLong);
    REQUIRE(stream.ok());
    CHECK(*(*stream)->next(kLong) == "first");
    CHECK((*stream)->next(1ms).failedWith(Reason::Timeout));
    CHECK((*stream)->next(1ms).failedWith(Reason::Timeout));
    rt::Thread canceller("cancel", [&] { (*stream)->cancel(); });
    CHECK_FALSE((*stream)->next(kLong).ok());
    canceller.join();
    stream->reset();
    fixture.echo.closed.acquire();
    CHECK(fixture.client->call(get("/echo"), kLong)->status == 200);
  }
}

TEST_CASE("stopping the server ends open streams and tells their handlers") {
  for (auto transport : kTransports) {
    CAPTURE(transport.name);
    Fixture fixture(transport);
    auto stream = fixture.client->stream(get("/forever"), kLong);
    REQUIRE(stream.ok());
    CHECK(*(*stream)->next(kLong) == "first");
    fixture.server->stop(0ms);
    fixture.echo.closed.acquire();
    CHECK_FALSE((*stream)->next(kLong).ok());
    CHECK_FALSE(fixture.client->call(get("/echo"), kLong).ok());
  }
}

TEST_CASE("stopping with a drain time lets open requests be answered") {
  for (auto transport : kTransports) {
    CAPTURE(transport.name);
    Fixture fixture(transport);
    rt::Thread caller("caller", [&] {
      auto response = fixture.client->call(get("/later"), kLong);
      REQUIRE(response.ok());
      CHECK(bodyOf(*response) == "at last");
    });
    fixture.echo.arrived.acquire();
    rt::Thread stopper("stopper", [&] { fixture.server->stop(kLong); });
    // The gate is closed once nobody can connect any more; the open request is answered after that.
    while (connect(fixture.endpoint, kLong).ok()) {
    }
    Response response;
    response.body.push_back(SharedBytes("at last"));
    std::exchange(fixture.echo.held, nullptr)->respond(std::move(response));
    caller.join();
    stopper.join();
  }
}

TEST_CASE("many streams run at once on one client") {
  for (auto transport : kTransports) {
    CAPTURE(transport.name);
    Fixture fixture(transport);
    std::atomic<int> good{0};
    auto pool = rt::Executor::create({.name = "callers", .maxThreads = 16});
    for (int i = 0; i < 400; ++i) {
      pool->submit([&, i] {
        auto text = std::to_string(i);
        auto response = fixture.client->call(
            {.method = "POST", .path = "/echo", .body = SharedBytes(text)}, kLong);
        if (response.ok() && bodyOf(*response) == text) ++good;
      });
    }
    pool->stop();
    CHECK(good == 400);
  }
}

TEST_CASE("more long streams than the peer allows at once get another connection") {
  Fixture fixture({"h2c", false, true}, {.maxConcurrentStreams = 10});
  std::vector<std::unique_ptr<ResponseStream>> streams;
  REQUIRE(fixture.client->call(get("/echo"), kLong).ok());  // the limit is known now
  for (int i = 0; i < 35; ++i) {
    auto stream = fixture.client->stream(get("/forever"), kLong);
    REQUIRE(stream.ok());
    CHECK(*(*stream)->next(kLong) == "first");
    streams.push_back(std::move(stream).value());
  }
  CHECK(fixture.client->call(get("/echo"), kLong).ok());
  streams.clear();
  for (int i = 0; i < 35; ++i) fixture.echo.closed.acquire();
}

TEST_CASE("an upgraded connection is a raw stream, with and without TLS") {
  for (bool tls : {false, true}) {
    Fixture fixture({"upgrade", tls, false});
    Request request{.method = "POST", .path = "/upgrade"};
    request.headers.add("connection", "Upgrade");
    request.headers.add("upgrade", "test");
    Response answer;
    auto stream = fixture.client->upgrade(request, &answer, kLong);
    REQUIRE(stream.ok());
    CHECK(answer.headers.get("upgrade") == "test");
    // Both directions at once, more than any buffer between holds.
    constexpr size_t kTotal = 8 << 20;
    rt::Thread sender("sender", [&] {
      std::string block(65536, 'z');
      for (size_t sent = 0; sent < kTotal; sent += block.size()) {
        REQUIRE((*stream)->write(block).ok());
      }
    });
    size_t got = 0;
    std::string buffer(65536, '\0');
    while (got < kTotal) {
      auto count = (*stream)->read(buffer.data(), buffer.size());
      REQUIRE(count.ok());
      REQUIRE(*count > 0);
      got += *count;
    }
    sender.join();
    // A read that waits ends by close() from another thread.
    rt::Thread closer("closer", [&] { (*stream)->close(); });
    auto end = (*stream)->read(buffer.data(), buffer.size());
    CHECK((!end.ok() || *end == 0));

    auto refused = fixture.client->upgrade(get("/nowhere"), &answer, kLong);
    CHECK(refused.failedWith(Reason::NotFound));
    CHECK(answer.status == 404);
  }
}

TEST_CASE("an upgraded stream ends when the server stops") {
  Fixture fixture({"upgrade", true, false});
  Request request{.method = "GET", .path = "/upgrade"};
  request.headers.add("connection", "Upgrade");
  request.headers.add("upgrade", "test");
  auto stream = fixture.client->upgrade(request, nullptr, kLong);
  REQUIRE(stream.ok());
  REQUIRE((*stream)->write("x").ok());
  char c = 0;
  REQUIRE((*stream)->read(&c, 1).ok());
  fixture.server->stop(0ms);
  auto end = (*stream)->read(&c, 1);
  CHECK((!end.ok() || *end == 0));
}

TEST_CASE("malformed HTTP/1.1 gets a 400 or a closed connection, never more") {
  Fixture fixture({"raw", false, false}, {.maxHeaderBytes = 4096});
  const std::pair<std::string, std::string> cases[] = {
      {"garbage\r\n\r\n", "400"},
      {"GET /echo HTTP/9.9\r\nHost: a\r\n\r\n", "400"},
      {"GET /echo HTTP/1.1\r\n\r\n", "400"},  // no host
      {"GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET /echo HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
      {"GET /echo HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "400"},
      {"GET /ec\x01ho HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400"},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", "400"},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400"},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "400"},
      {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", "431"},
      {"GET / HTTP/1.1\r\nX: " + std::string(9000, 'a'), "431"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(200, '\xff'), ""},
  };
  for (const auto& [bytes, status] : cases) {
    CAPTURE(bytes.substr(0, 60));
    auto answer = exchangeRaw(fixture.endpoint, bytes);
    if (!status.empty()) CHECK(answer.substr(0, 12) == "HTTP/1.1 " + status);
  }
  CHECK(fixture.client->call(get("/echo"), kLong)->status == 200);
}

TEST_CASE("truncated requests and TLS garbage leave the server alive") {
  for (bool tls : {false, true}) {
    Fixture fixture({"raw", tls, false});
    std::string whole = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    for (size_t size = 0; size < whole.size(); size += 7) {
      auto stream = connect({.host = "127.0.0.1", .port = fixture.endpoint.port}, kLong);
      REQUIRE(stream.ok());
      REQUIRE((*stream)->write(whole.substr(0, size)).ok());
    }
    CHECK(fixture.client->call(get("/echo"), kLong)->status == 200);
  }
}

TEST_CASE("HTTP/1.1 details: pipelining, 100-continue, chunked requests, HTTP/1.0") {
  Fixture fixture({"raw", false, false});
  auto answer =
      exchangeRaw(fixture.endpoint,
                  "\r\nGET /echo?1 HTTP/1.1\r\nHost: a\r\n\r\n"
                  "POST /echo?2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
                  "GET http://host/echo?3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  size_t one = answer.find("x-query: 1"), two = answer.find("x-query: 2"),
         three = answer.find("x-query: 3");
  CHECK(one < two);
  CHECK(two < three);
  CHECK(three != std::string::npos);
  CHECK(answer.find("abcde") != std::string::npos);

  answer = exchangeRaw(fixture.endpoint, "GET /stream?2 HTTP/1.0\r\n\r\n");
  CHECK(answer.ends_with("\r\n\r\nevent 0\nevent 1\n"));
  CHECK(answer.find("chunked") == std::string::npos);

  auto stream = connect(fixture.endpoint, kLong);
  REQUIRE(stream.ok());
  REQUIRE((*stream)
              ->write("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                      "Expect: 100-continue\r\nConnection: close\r\n\r\n")
              .ok());
  char buffer[4096];
  auto count = (*stream)->read(buffer, sizeof buffer);
  REQUIRE(count.ok());
  CHECK(std::string_view(buffer, *count) == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE((*stream)->write("ok").ok());
  count = (*stream)->read(buffer, sizeof buffer);
  REQUIRE(count.ok());
  CHECK(std::string_view(buffer, *count).ends_with("\r\n\r\nok"));
}

TEST_CASE("the client verifies the server's certificate and reports refused connections") {
  Fixture fixture({"tls", true, true});
  TlsContext::Client stranger{.caPem = testTls().otherCaPem};
  auto endpoint = fixture.endpoint;
  endpoint.tls = *TlsContext::client(stranger);
  auto result = HttpClient::create({.endpoint = endpoint})->call(get("/echo"), kLong);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message() ==
        "tls: failed to verify certificate: x509: certificate signed by unknown authority");
  endpoint.tls = testTls().client;
  endpoint.serverName = "other.example";
  CHECK_FALSE(HttpClient::create({.endpoint = endpoint})->call(get("/echo"), kLong).ok());

  uint16_t port = fixture.endpoint.port;
  fixture.server->stop(0ms);
  auto refused =
      HttpClient::create({.endpoint = {.host = "127.0.0.1", .port = port}})->call(get("/"), kLong);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message() ==
        concat("dial tcp 127.0.0.1:", port, ": connect: connection refused"));
}

TEST_CASE("a client goes on after its server was replaced") {
  for (auto transport : kTransports) {
    CAPTURE(transport.name);
    Fixture fixture(transport);
    REQUIRE(fixture.client->call(get("/echo"), kLong).ok());
    uint16_t port = fixture.server->port();
    fixture.server.reset();
    ServerOptions options{.address = "127.0.0.1", .port = port};
    if (transport.tls) options.tls = testTls().server;
    auto second = Server::start(options, fixture.echo);
    REQUIRE(second.ok());
    auto response = fixture.client->call(get("/echo"), kLong);
    CHECK(response.ok());
    CHECK(Server::start(options, fixture.echo).failedWith(Reason::ServiceUnavailable));
    second->reset();
  }
}

TEST_CASE("HTTP/2 refuses what is too large or broken and serves the next request") {
  Fixture fixture({"h2c", false, true}, {.maxHeaderBytes = 4096});
  auto request = get("/echo");
  request.headers.add("x-large", std::string(6000, 'h'));
  auto response = fixture.client->call(request, kLong);
  REQUIRE(response.ok());
  CHECK(response->status == 431);
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const std::string settings("\0\0\0\x04\0\0\0\0\0", 9);
  for (const auto& frames : {
           std::string("\0\0\x04\x01\x05\0\0\0\x01\xff\xff\xff\xff", 13),  // HPACK garbage
           std::string("\xff\xff\xff\0\0\0\0\0\x01", 9),                   // DATA far too long
           std::string("\0\0\0\x01\x05\0\0\0\x02", 9),                     // even stream id
           std::string("\0\0\x04\x03\0\0\0\0\x07\0\0\0\0", 13),            // reset of nothing
           std::string("\0\0\x01\x06\0\0\0\0\0x", 10),                     // short PING
       }) {
    CAPTURE(frames);
    exchangeRaw(fixture.endpoint, preface + settings + frames);  // ends: the server closed it
  }
  CHECK(fixture.client->call(get("/echo"), kLong)->status == 200);
}

TEST_CASE("streams cancelled in a row leave the connection usable") {
  Fixture fixture({"h2", true, true});
  for (int i = 0; i < 300; ++i) {
    auto stream = fixture.client->stream(get("/forever"), kLong);
    REQUIRE(stream.ok());
  }
  for (int i = 0; i < 300; ++i) fixture.echo.closed.acquire();
  CHECK(fixture.client->call(get("/echo"), kLong)->status == 200);
}

TEST_CASE("an idle connection is closed after its time") {
  Fixture fixture({"raw", false, false}, {.idleTimeoutSeconds = 0});
  auto answer = exchangeRaw(fixture.endpoint, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200"));
}

TEST_CASE("a server on a unix socket replaces a stale one, not a live one") {
  Echo echo;
  auto path = concat("/tmp/skiff-net-test-", newUid());
  ServerOptions options{.unixPath = path};
  auto first = Server::start(options, echo);
  REQUIRE(first.ok());
  CHECK(Server::start(options, echo).failedWith(Reason::ServiceUnavailable));
  auto client = HttpClient::create({.endpoint = {.unixPath = path}});
  CHECK(client->call(get("/echo"), kLong)->status == 200);
  client.reset();
  first->reset();
  CHECK_FALSE(HttpClient::create({.endpoint = {.unixPath = path}})->call(get("/"), kLong).ok());
}

TEST_CASE("URLs of servers are read as kubeconfig writes them") {
  bool tls = false;
  std::string prefix;
  auto endpoint = parseUrl("https://10.0.0.1:6443/k8s/x/", &tls, &prefix);
  REQUIRE(endpoint.ok());
  CHECK(endpoint->host == "10.0.0.1");
  CHECK(endpoint->port == 6443);
  CHECK(tls);
  CHECK(prefix == "/k8s/x");
  endpoint = parseUrl("http://[::1]:80", &tls, &prefix);
  REQUIRE(endpoint.ok());
  CHECK(endpoint->host == "::1");
  CHECK_FALSE(tls);
  CHECK(parseUrl("https://h", &tls, &prefix)->port == 443);
  CHECK_FALSE(parseUrl("ftp://h", &tls, &prefix).ok());
  CHECK_FALSE(parseUrl("https://h:0", &tls, &prefix).ok());
  CHECK_FALSE(parseUrl("https://", &tls, &prefix).ok());
}
