#include "net/streams.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/strings.h"
#include "net/byte_stream.h"
#include "net/spdy_headers.h"
#include "rt/executor.h"

using namespace skiff;
using namespace skiff::net;
using Side = WebSocket::Side;

namespace {

struct Ends {
  Ends() {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    a = std::make_unique<SocketStream>(Fd(fds[0]), nullptr, "");
    b = std::make_unique<SocketStream>(Fd(fds[1]), nullptr, "");
  }
  std::unique_ptr<ByteStream> a, b;
};

std::string readAll(ByteStream& stream) {
  std::string all;
  char buffer[10000];
  for (;;) {
    auto count = stream.read(buffer, sizeof buffer);
    if (!count.ok() || *count == 0) return all;
    all.append(buffer, *count);
  }
}

Headers streamType(std::string_view type) {
  Headers headers;
  headers.add("streamType", type);
  return headers;
}

// What a server sees of raw bytes: the kind of message or the error, and the close code it answers.
struct Outcome {
  std::string seen;
  int closeCode = 0;
};
Outcome feedServer(std::string_view bytes) {
  Ends ends;
  WebSocket server(std::move(ends.b), Side::Server);
  REQUIRE(ends.a->write(bytes).ok());
  auto message = server.receive();
  Outcome outcome;
  outcome.seen = message.ok() ? message->data : message.error().message();
  server.shutdown();
  auto answer = readAll(*ends.a);
  if (answer.size() >= 4 && answer[0] == char(0x88)) {
    outcome.closeCode =
        int(static_cast<unsigned char>(answer[2])) << 8 | static_cast<unsigned char>(answer[3]);
  }
  return outcome;
}

}  // namespace

TEST_CASE("the accept value is RFC 6455's own example") {
  CHECK(webSocketAccept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("WebSocket messages of every length class go round, both ways") {
  Ends ends;
  WebSocket client(std::move(ends.a), Side::Client), server(std::move(ends.b), Side::Server);
  for (size_t size : {0UL, 1UL, 125UL, 126UL, 65535UL, 65536UL, 3000000UL}) {
    CAPTURE(size);
    std::string data(size, 'd');
    rt::Thread sender("sender", [&] {
      CHECK(client.send(WebSocket::Kind::Binary, data).ok());
      CHECK(server.send(WebSocket::Kind::Text, "back").ok());
    });
    auto message = server.receive();
    REQUIRE(message.ok());
    CHECK(message->kind == WebSocket::Kind::Binary);
    CHECK(message->data == data);
    CHECK(client.receive()->data == "back");
    sender.join();
  }
  CHECK(client.close(1000, "done").ok());
  auto end = server.receive();
  REQUIRE(end.ok());
  CHECK(end->kind == WebSocket::Kind::Close);
  CHECK(end->data.substr(2) == "done");
  CHECK(client.receive()->kind == WebSocket::Kind::Close);
  CHECK_FALSE(server.send(WebSocket::Kind::Text, "late").ok());
}

TEST_CASE("fragments are joined with pings between them answered; faults close with their code") {
  auto masked = [](std::string_view head, std::string_view payload) {
    return concat(head, std::string_view("\0\0\0\0", 4), payload);  // the mask of zeros
  };
  Ends ends;
  WebSocket server(std::move(ends.b), Side::Server);
  REQUIRE(ends.a
              ->write(masked("\x01\x82", "He") + masked("\x89\x81", "p") +
                      masked(std::string_view("\x00\x81", 2), "l") + masked("\x80\x82", "lo"))
              .ok());
  CHECK(server.receive()->data == "Hello");
  char pong[3];
  CHECK(*ends.a->read(pong, 3) == 3);
  CHECK(std::string_view(pong, 3) == "\x8a\x01p");

  CHECK(feedServer("\x81\x01x").closeCode == 1002);              // not masked
  CHECK(feedServer(masked("\xc1\x81", "x")).closeCode == 1002);  // reserved bit
  CHECK(feedServer(masked("\x83\x81", "x")).closeCode == 1002);  // opcode
  CHECK(feedServer(masked("\x80\x81", "x")).closeCode == 1002);  // of nothing
  CHECK(feedServer(masked("\x09\x81", "x")).closeCode == 1002);  // ping in pieces
  CHECK(feedServer(masked("\x01\x81", "x") + masked("\x81\x81", "y")).closeCode == 1002);
  CHECK(feedServer(masked("\x81\x81", "\xff")).closeCode == 1007);  // not UTF-8
  CHECK(feedServer(std::string("\x82\xff\x7f\0\0\0\0\0\0\0", 10)).closeCode == 1009);
}

TEST_CASE("remote-command channels keep apart and half-close") {
  Ends ends;
  auto client =
      webSocketChannels(std::make_unique<WebSocket>(std::move(ends.a), Side::Client), true);
  auto server =
      webSocketChannels(std::make_unique<WebSocket>(std::move(ends.b), Side::Server), true);
  Headers in, out, bad;
  in.add("streamtype", "stdin");
  out.add("streamtype", "stdout");
  bad.add("streamtype", "other");
  auto clientIn = client->open(in), clientOut = client->open(out);
  auto serverIn = server->open(in), serverOut = server->open(out);
  REQUIRE(serverOut.ok());
  CHECK_FALSE(client->open(in).ok());
  CHECK_FALSE(client->open(bad).ok());
  rt::Thread echo("echo", [&] {
    auto text = readAll(**serverIn);
    CHECK((*serverOut)->write("got " + std::to_string(text.size())).ok());
    server->close();
  });
  CHECK((*clientIn)->write(std::string(500000, 'i')).ok());
  (*clientIn)->closeWrite();
  CHECK(readAll(**clientOut) == "got 500000");
  echo.join();
}

TEST_CASE("SPDY's dictionary is the published one") {
  spdy::HeaderCodec codec;
  auto block = codec.encode(streamType("stdin"));
  // zlib names a preset dictionary by its Adler-32 after the two bytes of its header.
  CHECK(block.substr(2, 4) == "\xe3\xc6\xa7\xc2");
  auto headers = codec.decode(block);
  REQUIRE(headers.ok());
  CHECK(headers->get("streamtype") == "stdin");
  CHECK(codec.decode(codec.encode(streamType("stdout")))->get("streamtype") == "stdout");
  CHECK_FALSE(spdy::HeaderCodec().decode("garbage").ok());
}

TEST_CASE("SPDY streams carry data both ways beyond any window, and half-close") {
  Ends ends;
  auto client = spdyConnection(std::move(ends.a), Side::Client);
  auto server = spdyConnection(std::move(ends.b), Side::Server);
  constexpr size_t kTotal = 5 << 20;
  rt::Thread echoes("echoes", [&] {
    std::vector<rt::Thread> threads;
    for (int i = 0; i < 3; ++i) {
      auto incoming = server->accept();
      REQUIRE(incoming.ok());
      CHECK(incoming->headers.get("streamtype") == std::to_string(i));
      threads.emplace_back(
          "echo", [stream = std::shared_ptr<ByteStream>(std::move(incoming.value().stream))] {
            char buffer[30000];
            for (;;) {
              auto count = stream->read(buffer, sizeof buffer);
              if (!count.ok() || *count == 0) return stream->closeWrite();
              CHECK(stream->write({buffer, *count}).ok());
            }
          });
    }
  });
  std::vector<rt::Thread> callers;
  for (int i = 0; i < 3; ++i) {
    auto stream = client->open(streamType(std::to_string(i)));
    REQUIRE(stream.ok());
    auto shared = std::shared_ptr<ByteStream>(std::move(stream).value());
    callers.emplace_back("write", [shared, i] {
      CHECK(shared->write(std::string(kTotal, char('a' + i))).ok());
      shared->closeWrite();
    });
    callers.emplace_back(
        "read", [shared, i] { CHECK(readAll(*shared) == std::string(kTotal, char('a' + i))); });
  }
  callers.clear();
  echoes.join();
}

TEST_CASE("a peer that echoes with one thread and no flow control cannot be locked up with") {
  // As containerd does for `cat`: it reads a little, writes it back, and waits for us in between.
  Ends ends;
  auto client = spdyConnection(std::move(ends.a), Side::Client);
  rt::Thread peer("peer", [raw = std::shared_ptr<ByteStream>(std::move(ends.b))] {
    spdy::HeaderCodec codec;
    std::string in, buffer(65536, '\0');
    for (;;) {
      while (in.size() >= 8) {
        auto byte = [&](size_t i) { return size_t(static_cast<unsigned char>(in[i])); };
        size_t size = byte(5) << 16 | byte(6) << 8 | byte(7);
        if (in.size() < 8 + size) break;
        auto frame = in.substr(0, 8 + size);
        in.erase(0, 8 + size);
        if (frame[0] >= 0) {  // data goes back as it came
          if (!raw->write(frame).ok()) return;
        } else if (frame[3] == 1) {
          auto block = codec.encode({});
          std::string reply("\x80\x03\0\x02\0\0\0", 7);
          reply += char(4 + block.size());
          reply += frame.substr(8, 4) + block;
          if (!raw->write(reply).ok()) return;
        }
      }
      auto count = raw->read(buffer.data(), buffer.size());
      if (!count.ok() || *count == 0) return;
      in.append(buffer, 0, *count);
    }
  });
  auto stream = client->open(streamType("stdin"));
  REQUIRE(stream.ok());
  rt::Thread writer("writer", [&] {
    CHECK((*stream)->write(std::string(8 << 20, 'e')).ok());
    (*stream)->closeWrite();
  });
  CHECK(readAll(**stream).size() == 8 << 20);
  writer.join();
  stream->reset();
  client.reset();
}

TEST_CASE("SPDY resets, refusals and ends wake everybody") {
  Ends ends;
  auto client = spdyConnection(std::move(ends.a), Side::Client);
  auto server = spdyConnection(std::move(ends.b), Side::Server);
  auto one = client->open(streamType("one"));
  REQUIRE(one.ok());
  auto theirs = server->accept();
  REQUIRE(theirs.ok());
  CHECK((*one)->write("x").ok());
  char c = 0;
  CHECK(*theirs->stream->read(&c, 1) == 1);
  theirs->stream->close();
  CHECK(*(*one)->read(&c, 1) == 0);  // the peer's reset is the end
  CHECK_FALSE((*one)->write(std::string(1 << 20, 'x')).ok());
  CHECK_FALSE(theirs->stream->read(&c, 1).ok());

  auto two = client->open(streamType("two"));
  REQUIRE(two.ok());
  rt::Thread reader("reader", [&] { CHECK_FALSE((*two)->read(&c, 1).ok()); });
  server->close();
  reader.join();
  CHECK_FALSE(client->open(streamType("three")).ok());
  CHECK_FALSE(client->accept().ok());
}

TEST_CASE("SPDY talks to a peer without flow control, answers pings and survives garbage") {
  {
    Ends ends;
    auto server = spdyConnection(std::move(ends.b), Side::Server);
    spdy::HeaderCodec codec;
    auto block = codec.encode(streamType("error"));
    std::string syn = std::string("\x80\x03\0\x01\0\0\0", 7);
    syn += char(10 + block.size());
    syn += std::string("\0\0\0\x01\0\0\0\0\0\0", 10) + block;
    REQUIRE(ends.a->write(syn).ok());
    REQUIRE(ends.a->write(std::string("\x80\x03\0\x06\0\0\0\x04\0\0\0\x01", 12)).ok());
    auto incoming = server->accept();
    REQUIRE(incoming.ok());
    CHECK(incoming->headers.get("streamtype") == "error");
    // Far more than the default window, with no WINDOW_UPDATE ever coming.
    rt::Thread writer("writer", [&] {
      CHECK(incoming->stream->write(std::string(300000, 'w')).ok());
      incoming->stream->closeWrite();
      server->close();
    });
    auto all = readAll(*ends.a);
    ends.a->close();
    writer.join();
    CHECK(all.size() > 300000);
    CHECK(all.find(std::string("\x80\x03\0\x06\0\0\0\x04\0\0\0\x01", 12)) != std::string::npos);
  }
  for (std::string bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100, '\xff'),
                            std::string("\x80\x03\0\x01\0\0\0\x02\0\0", 10),
                            std::string("\x80\x03\0\x04\0\0\0\x04\xff\xff\xff\xff", 12)}) {
    Ends ends;
    auto server = spdyConnection(std::move(ends.b), Side::Server);
    REQUIRE(ends.a->write(bytes).ok());
    ends.a->closeWrite();
    CHECK_FALSE(server->accept().ok());
  }
}

TEST_CASE("SPDY streams that were opened and reset before anybody accepted them are bounded") {
  Ends ends;
  auto server = spdyConnection(std::move(ends.b), Side::Server);
  spdy::HeaderCodec codec;
  constexpr int kOpened = 1500;
  rt::Thread flood("flood", [&] {
    for (int i = 0; i < kOpened; ++i) {
      std::string id{0, 0, char(i >> 7), char(i << 1 | 1)};
      auto block = codec.encode({});
      std::string bytes = std::string("\x80\x03\0\x01\0\0\0", 7) + char(10 + block.size()) + id;
      bytes += std::string(6, '\0') + block;
      bytes += std::string("\x80\x03\0\x03\0\0\0\x08", 8) + id + std::string("\0\0\0\x05", 4);
      CHECK(ends.a->write(bytes).ok());
    }
    ends.a->closeWrite();
  });
  auto answers = readAll(*ends.a);
  flood.join();
  auto count = [&](std::string_view frame) {
    int found = 0;
    for (size_t at = 0; (at = answers.find(frame, at)) != std::string::npos; at += frame.size()) ++found;
    return found;
  };
  CHECK(count({"\x80\x03\0\x02", 4}) == 1000);  // SYN_REPLY
  CHECK(count({"\x80\x03\0\x03", 4}) == kOpened - 1000);
}

TEST_CASE("SPDY runs through a WebSocket tunnel, as port-forward does") {
  Ends ends;
  auto client = spdyConnection(
      webSocketTunnel(std::make_unique<WebSocket>(std::move(ends.a), Side::Client)), Side::Client);
  auto server = spdyConnection(
      webSocketTunnel(std::make_unique<WebSocket>(std::move(ends.b), Side::Server)), Side::Server);
  auto stream = client->open(streamType("data"));
  REQUIRE(stream.ok());
  auto theirs = server->accept();
  REQUIRE(theirs.ok());
  CHECK((*stream)->write("ping").ok());
  (*stream)->closeWrite();
  CHECK(readAll(*theirs->stream) == "ping");
}
