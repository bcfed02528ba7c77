#include "net/http1.h"

#include <doctest/doctest.h>

#include <random>

using namespace skiff::net;
using namespace skiff::net::http1;

TEST_CASE("a response's head and framing are read as RFC 9112 says") {
  ResponseHead head;
  size_t consumed = 0;
  CHECK(parseResponseHead("HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\n", &head, &consumed) ==
        Parse::NeedMore);
  CHECK(parseResponseHead("HTTP/1.1 204\r\n\r\nrest", &head, &consumed) == Parse::Done);
  CHECK(head.status == 204);
  CHECK(consumed == 16);
  CHECK(parseResponseHead("HTTP/1.1 abc\r\n\r\n", &head, &consumed) == Parse::Bad);
  head = {.status = 200};
  CHECK(responseFraming(head, "GET")->kind == Framing::Kind::UntilClose);
  CHECK(responseFraming(head, "HEAD")->kind == Framing::Kind::None);
  head.headers.add("content-length", "7");
  CHECK(responseFraming(head, "GET")->length == 7);
  head.headers.add("transfer-encoding", "chunked");
  CHECK_FALSE(responseFraming(head, "GET"));
}

TEST_CASE("chunks decode the same however they are cut") {
  std::string wire =
      "4\r\nWiki\r\n6;a=b\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nX: y\r\n\r\nnext";
  for (size_t step = 1; step <= wire.size(); ++step) {
    ChunkedDecoder decoder;
    std::string out;
    size_t at = 0, consumed = 0;
    auto state = Parse::NeedMore;
    while (state == Parse::NeedMore && at < wire.size()) {
      state = decoder.feed(std::string_view(wire).substr(at, step), &out, &consumed);
      at += consumed;
    }
    CHECK(state == Parse::Done);
    CHECK(out == "Wikipedia in \r\n\r\nchunks.");
    CHECK(wire.substr(at) == "next");
  }
}

TEST_CASE("mutated messages never give more than they hold") {
  std::mt19937 random(20260101);
  const std::string request =
      "POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string body = "5\r\nhello\r\n10;x\r\n0123456789abcdef\r\n0\r\nT: v\r\n\r\n";
  for (int i = 0; i < 20000; ++i) {
    auto mutate = [&](std::string text) {
      for (auto n = random() % 4; n > 0; --n) text[random() % text.size()] = char(random());
      return text.substr(0, random() % (text.size() + 1));
    };
    auto head = mutate(request), chunks = mutate(body);
    RequestHead parsed;
    size_t consumed = 0;
    if (parseRequestHead(head, &parsed, &consumed) == Parse::Done) {
      CHECK(consumed <= head.size());
      (void)requestFraming(parsed.headers);
    }
    ChunkedDecoder decoder;
    std::string out;
    consumed = 0;
    (void)decoder.feed(chunks, &out, &consumed);
    REQUIRE(consumed <= chunks.size());
    REQUIRE(out.size() <= chunks.size());
  }
}
