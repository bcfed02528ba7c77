// WebSocket frames from a stranger: messages do not depend on how the bytes arrive; channels and tunnels end with them.
//   kind and side, step, bytes
#include "base/result.h"
#include "fuzz/input.h"
#include "fuzz/memory_stream.h"
#include "net/streams.h"

using namespace skiff;
using namespace skiff::net;
using Side = WebSocket::Side;

namespace {

std::unique_ptr<WebSocket> socketOver(std::string_view bytes, size_t step, Side side) {
  return std::make_unique<WebSocket>(std::make_unique<fuzz::MemoryStream>(bytes, step), side);
}

std::string messages(std::string_view bytes, size_t step, Side side) {
  auto socket = socketOver(bytes, step, side);
  std::string all;
  for (;;) {
    auto message = socket->receive();
    if (!message.ok()) return all + message.error().message();
    all += std::to_string(int(message->kind)) + ":" + message->data + "\n";
    if (message->kind == WebSocket::Kind::Close) return all;
  }
}

void channels(std::string_view bytes, size_t step, Side side, bool halfClose) {
  auto connection = webSocketChannels(socketOver(bytes, step, side), halfClose);
  for (std::string_view type : {"stdin", "stdout", "stderr", "error", "resize", "none"}) {
    Headers headers;
    headers.add("streamtype", type);
    auto stream = connection->open(std::move(headers));
    if (!stream.ok()) continue;
    (void)(*stream)->write("answer").ok();
    (*stream)->closeWrite();
    (void)fuzz::readAll(**stream);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  uint8_t kind = input.byte();
  size_t step = input.byte();
  std::string_view bytes = input.rest();
  Side side = kind % 2 == 0 ? Side::Server : Side::Client;
  switch (kind / 2 % 4) {
    case 0:
    case 1:
      MUST(messages(bytes, step, side) == messages(bytes, bytes.size(), side));
      break;
    case 2:
      channels(bytes, step, side, kind % 16 < 8);
      break;
    default:
      (void)fuzz::readAll(*webSocketTunnel(socketOver(bytes, step, side)));
  }
  return 0;
}
