#include <openssl/evp.h>

#include "base/clock.h"
#include "base/strings.h"
#include "net/streams.h"

namespace skiff::net {
namespace {

constexpr size_t kMaxMessage = 32 * 1024 * 1024;
constexpr size_t kReadBytes = 16 * 1024;

// RFC 6455 section 5.2.
enum Opcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10
};
constexpr uint8_t kFin = 0x80, kMasked = 0x80;
enum CloseCode { kProtocolError = 1002, kBadData = 1007, kTooBig = 1009 };

Error closedError() { return {Reason::ServiceUnavailable, "websocket: connection closed"}; }

}  // namespace

struct WebSocket::Impl {
  struct Frame {
    uint8_t opcode = 0;
    bool fin = false;
    std::string payload;
  };

  const std::unique_ptr<ByteStream> stream;
  const Side side;
  std::mutex writeMutex;  // guards the order of frames and closeSent
  bool closeSent = false;
  std::string buffer;  // the receiver's
  size_t used = 0;

  Status fill(size_t count) {  // at least `count` unread bytes
    while (buffer.size() - used < count) {
      if (used > 0) {
        buffer.erase(0, used);
        used = 0;
      }
      size_t before = buffer.size();
      buffer.resize(before + kReadBytes);
      auto got = stream->read(buffer.data() + before, kReadBytes);
      buffer.resize(before + (got.ok() ? *got : 0));
      if (!got.ok()) return std::move(got).error();
      if (*got == 0) return closedError();
    }
    return okStatus();
  }

  Result<uint64_t> takeNumber(size_t bytes) {
    TRY(fill(bytes));
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; ++i) {
      number = number << 8 | static_cast<unsigned char>(buffer[used++]);
    }
    return number;
  }

  Error fail(CloseCode code, std::string_view why) {
    (void)sendClose(code, why);
    return badRequest(concat("websocket: ", why));
  }

  Result<Frame> readFrame(size_t room) {
    auto head = TRY(takeNumber(2));
    Frame frame;
    frame.fin = (head & 0x8000) != 0;
    frame.opcode = uint8_t(head >> 8 & 0x0f);
    bool masked = (head & kMasked) != 0;
    uint64_t size = head & 0x7f;
    if ((head & 0x7000) != 0) return fail(kProtocolError, "reserved bits are set");
    if (masked != (side == Side::Server)) return fail(kProtocolError, "wrong masking");
    bool control = frame.opcode >= kClose;
    if (control && (size > 125 || !frame.fin)) return fail(kProtocolError, "bad control frame");
    if (size == 126) {
      size = TRY(takeNumber(2));
    } else if (size == 127) {
      size = TRY(takeNumber(8));
    }
    if (!control && size > room) return fail(kTooBig, "message is too large");
    uint32_t key = 0;
    if (masked) key = uint32_t(TRY(takeNumber(4)));
    TRY(takePayload(size_t(size), &frame.payload));
    if (masked) applyMask(frame.payload.data(), frame.payload.size(), key);
    return frame;
  }

  // What is buffered first, then straight into the payload.
  Status takePayload(size_t size, std::string* payload) {
    size_t buffered = std::min(size, buffer.size() - used);
    payload->assign(buffer, used, buffered);
    used += buffered;
    while (payload->size() < size) {
      // Grows with what arrived: a length alone must not cost memory.
      size_t before = payload->size();
      size_t step = std::min(size - before, std::max<size_t>(before, kReadBytes));
      payload->resize(before + step);
      auto got = stream->read(payload->data() + before, step);
      payload->resize(before + (got.ok() ? *got : 0));
      if (!got.ok()) return std::move(got).error();
      if (*got == 0) return closedError();
    }
    return okStatus();
  }

  static void applyMask(char* data, size_t size, uint32_t key) {
    for (size_t i = 0; i < size; ++i) data[i] = char(data[i] ^ char(key >> (24 - 8 * (i % 4))));
  }

  Status sendFrame(uint8_t opcode, std::string_view payload) {
    std::string out;
    out.reserve(payload.size() + 14);
    out += char(kFin | opcode);
    uint8_t mask = side == Side::Client ? kMasked : 0;
    auto number = [&](uint64_t value, int bytes) {
      for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += char(value >> shift & 0xff);
    };
    if (payload.size() < 126) {
      out += char(mask | payload.size());
    } else if (payload.size() < 65536) {
      out += char(mask | 126);
      number(payload.size(), 2);
    } else {
      out += char(mask | 127);
      number(payload.size(), 8);
    }
    uint32_t key = 0;
    if (mask != 0) {
      key = uint32_t(Rng::real().next());
      number(key, 4);
    }
    size_t start = out.size();
    out += payload;
    if (mask != 0) applyMask(out.data() + start, payload.size(), key);
    std::lock_guard lock(writeMutex);
    if (closeSent) return closedError();
    if (opcode == kClose) closeSent = true;
    return stream->write(out);
  }

  Status sendClose(int code, std::string_view why) {
    std::string payload{char(code >> 8), char(code & 0xff)};
    payload += why.substr(0, 123);
    return sendFrame(kClose, payload);
  }
};

WebSocket::WebSocket(std::unique_ptr<ByteStream> stream, Side side)
    : impl_(new Impl{.stream = std::move(stream), .side = side}) {}

WebSocket::~WebSocket() { impl_->stream->close(); }

Result<WebSocket::Message> WebSocket::receive() {
  std::optional<uint8_t> kind;  // of a message whose fragments are coming in
  std::string data;
  for (;;) {
    auto frame = TRY(impl_->readFrame(kMaxMessage - data.size()));
    switch (frame.opcode) {
      case kPing:
        (void)impl_->sendFrame(kPong, frame.payload);
        continue;
      case kPong:
        continue;
      case kClose:
        (void)impl_->sendFrame(kClose, frame.payload.substr(0, 2));
        return Message{Kind::Close, std::move(frame.payload)};
      case kText:
      case kBinary:
        if (kind) return impl_->fail(kProtocolError, "a message began within another");
        kind = frame.opcode;
        break;
      case kContinuation:
        if (!kind) return impl_->fail(kProtocolError, "a continuation of nothing");
        break;
      default:
        return impl_->fail(kProtocolError, "unknown opcode");
    }
    if (data.empty()) {
      data = std::move(frame.payload);
    } else {
      data += frame.payload;
    }
    if (!frame.fin) continue;
    if (*kind == kText && !isValidUtf8(data)) return impl_->fail(kBadData, "text is not UTF-8");
    return Message{*kind == kText ? Kind::Text : Kind::Binary, std::move(data)};
  }
}

Status WebSocket::send(Kind kind, std::string_view data) {
  uint8_t opcode = kind == Kind::Text ? kText : kind == Kind::Binary ? kBinary : kClose;
  return impl_->sendFrame(opcode, data);
}

Status WebSocket::close(int code, std::string_view reason) {
  return impl_->sendClose(code, reason);
}

void WebSocket::shutdown() { impl_->stream->close(); }

WebSocket::Side WebSocket::side() const { return impl_->side; }

std::string webSocketAccept(std::string_view key) {
  std::string text = concat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");  // RFC 6455 section 1.3
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), hash, &size, EVP_sha1(), nullptr);
  return base64Encode({reinterpret_cast<char*>(hash), size});
}

}  // namespace skiff::net
