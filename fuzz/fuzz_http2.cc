// HTTP/2 on the server's side: raw bytes behind the preface, or frames whose lengths are right.
//   kind, step, bytes or (type, flags, stream, length, payload)...
#include "fuzz/http_peer.h"
#include "fuzz/input.h"

using namespace skiff;

namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kSettings{"\0\0\0\4\0\0\0\0\0", 9};

void put(std::string& out, uint32_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += char(value >> shift & 0xff);
}

std::string frames(fuzz::Input& input) {
  std::string out(kSettings);
  for (int count = 0; count < 200 && !input.empty(); ++count) {
    uint8_t type = input.byte(), flags = input.byte(), stream = input.byte();
    std::string_view payload = input.take(input.byte());
    put(out, uint32_t(payload.size()), 3);
    put(out, type, 1);
    put(out, flags, 1);
    put(out, stream, 4);
    out += payload;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  uint8_t kind = input.byte();
  size_t step = size_t(input.byte()) * 16;
  std::string bytes(kPreface);
  bytes += kind % 4 == 0 ? std::string(input.rest()) : frames(input);
  (void)fuzz::exchange(bytes, kind % 2 == 0 ? bytes.size() : step);
  return 0;
}
