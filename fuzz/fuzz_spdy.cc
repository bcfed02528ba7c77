// SPDY frames from a stranger. Besides raw bytes the input can say frames, so that lengths and compression are right and
// what is behind them is reached.
//   kind, step, bytes or (type, flags, stream, length, payload)...
#include <set>

#include "base/result.h"
#include "fuzz/input.h"
#include "fuzz/memory_stream.h"
#include "net/spdy_headers.h"
#include "net/streams.h"
#include "rt/executor.h"

using namespace skiff;
using namespace skiff::net;
using Side = WebSocket::Side;

namespace {

void put(std::string& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += char(value >> shift & 0xff);
}

Headers headersFrom(std::string_view text) {
  fuzz::Input input(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  Headers headers;
  while (!input.empty()) {
    std::string_view name = input.until('=');
    headers.add(name, input.until('\n'));
  }
  return headers;
}

std::string frames(fuzz::Input& input) {
  std::string out;
  spdy::HeaderCodec codec;
  for (int count = 0; count < 200 && !input.empty(); ++count) {
    uint8_t type = input.byte(), flags = input.byte();
    uint32_t id = input.byte();
    std::string_view payload = input.take(input.byte());
    std::string body;
    if (type % 16 == 0) {  // data
      put(out, id, 4);
      body = payload;
    } else {
      put(out, 0x8003, 2);
      put(out, type % 16, 2);
      put(body, id, 4);
      if (type % 16 == 1) body.append(6, '\0');
      if (type % 16 == 1 || type % 16 == 2 || type % 16 == 8)
        body += codec.encode(headersFrom(payload));
      else
        body += payload;
    }
    put(out, flags, 1);
    put(out, body.size(), 3);
    out += body;
  }
  return out;
}

void headerBlocks(std::string_view text) {
  spdy::HeaderCodec raw, out, in;
  (void)raw.decode(text).ok();
  for (int i = 0; i < 2; ++i) {  // the second block leans on the first
    auto block = out.encode(headersFrom(text));
    auto headers = in.decode(block);
    if (!headers.ok()) return;  // larger than a block may be
    for (const auto& [name, value] : headers->items()) MUST(value.find('\0') == value.npos);
  }
}

void serve(std::string_view bytes, size_t step) {
  auto connection = spdyConnection(std::make_unique<fuzz::MemoryStream>(bytes, step), Side::Server);
  for (;;) {
    auto incoming = connection->accept();
    if (!incoming.ok()) return;
    (void)incoming->stream->write("answer").ok();
    if (bytes.size() % 2 == 0) incoming->stream->closeWrite();
    (void)fuzz::readAll(*incoming->stream);
    if (bytes.size() % 3 == 0) incoming->stream->close();
  }
}

void ask(std::string_view bytes, size_t step) {
  std::string synStream("\x80\x03\x00\x01", 4);
  auto connection = spdyConnection(std::make_unique<fuzz::MemoryStream>(bytes, step, synStream), Side::Client);
  Headers headers;
  headers.add("streamtype", "stdout");
  auto stream = connection->open(headers);
  if (!stream.ok()) return;
  (void)(*stream)->write("question").ok();
  (*stream)->closeWrite();
  (void)fuzz::readAll(**stream);
  (void)connection->open(headers).ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  uint8_t kind = input.byte();
  size_t step = input.byte();
  if (kind % 8 == 0) {
    headerBlocks(input.rest());
    return 0;
  }
  std::string bytes = kind % 8 < 3 ? std::string(input.rest()) : frames(input);
  if (kind % 2 == 0)
    serve(bytes, step);
  else
    ask(bytes, step);
  return 0;
}
