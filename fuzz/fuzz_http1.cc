// HTTP/1.1: the server's side whole, and the parsers alone, whose result may not depend on how the bytes arrive.
//   kind, step, bytes
#include "base/result.h"
#include "fuzz/http_peer.h"
#include "fuzz/input.h"
#include "net/http1.h"

using namespace skiff;
using namespace skiff::net;

namespace {

struct Decoded {
  http1::Parse state = http1::Parse::NeedMore;
  std::string body;
  size_t consumed = 0;
  bool operator==(const Decoded&) const = default;
};

Decoded dechunked(std::string_view bytes, size_t step) {
  http1::ChunkedDecoder decoder;
  Decoded decoded;
  while (!bytes.empty() && decoded.state == http1::Parse::NeedMore) {
    size_t consumed = 0;
    auto piece = bytes.substr(0, step);
    decoded.state = decoder.feed(piece, &decoded.body, &consumed);
    MUST(consumed <= piece.size());
    MUST(decoded.state != http1::Parse::NeedMore || consumed == piece.size());
    decoded.consumed += consumed;
    bytes.remove_prefix(consumed);
  }
  if (decoded.state == http1::Parse::Bad) return {http1::Parse::Bad, {}, 0};
  return decoded;
}

void heads(std::string_view bytes) {
  size_t consumed = 0;
  http1::RequestHead request;
  if (http1::parseRequestHead(bytes, &request, &consumed) == http1::Parse::Done) {
    MUST(consumed <= bytes.size());
    (void)http1::requestFraming(request.headers);
    std::string text;
    http1::writeRequestHead(text, request.method, request.target, request.headers);
    http1::RequestHead again;
    MUST(http1::parseRequestHead(text, &again, &consumed) == http1::Parse::Done && consumed == text.size());
    MUST(again.target == request.target && again.headers.items() == request.headers.items());
  }
  http1::ResponseHead response;
  if (http1::parseResponseHead(bytes, &response, &consumed) == http1::Parse::Done) {
    MUST(consumed <= bytes.size());
    (void)http1::responseFraming(response, "GET");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  uint8_t kind = input.byte();
  size_t step = std::max<size_t>(input.byte(), 1);
  std::string_view bytes = input.rest();
  switch (kind % 4) {
    case 0:
      MUST(dechunked(bytes, step) == dechunked(bytes, bytes.size()));
      break;
    case 1:
      heads(bytes);
      break;
    default:
      (void)fuzz::exchange(bytes, kind % 4 == 2 ? bytes.size() : step * 16);
  }
  return 0;
}
