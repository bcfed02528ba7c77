// What the client's and the server's use of nghttp2 share. Only for .cc files of this room.
#pragma once
#include <nghttp2/nghttp2.h>

#include <memory>
#include <string_view>

#include "base/result.h"

namespace skiff::net::http2 {

constexpr int32_t kStreamWindow = 1 << 20;  // one stream fills a 100 ms path at 80 Mbit/s
constexpr int32_t kConnectionWindow = 16 << 20;
constexpr size_t kFrameHeaderBytes = 9;

struct Free {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  void operator()(nghttp2_session_callbacks* callbacks) const {
    nghttp2_session_callbacks_del(callbacks);
  }
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};
using SessionPtr = std::unique_ptr<nghttp2_session, Free>;
using CallbacksPtr = std::unique_ptr<nghttp2_session_callbacks, Free>;
using OptionPtr = std::unique_ptr<nghttp2_option, Free>;

inline CallbacksPtr newCallbacks() {
  nghttp2_session_callbacks* callbacks = nullptr;
  MUST(nghttp2_session_callbacks_new(&callbacks) == 0);
  return CallbacksPtr(callbacks);
}

inline OptionPtr newOption() {
  nghttp2_option* option = nullptr;
  MUST(nghttp2_option_new(&option) == 0);
  return OptionPtr(option);
}

// Kept: name and value live until the stream closes, and need no copy of nghttp2's own.
enum class Lifetime { Kept, Copied };

inline nghttp2_nv header(std::string_view name, std::string_view value,
                         Lifetime lifetime = Lifetime::Kept) {
  auto bytes = [](std::string_view text) {
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  };
  uint8_t flags = lifetime == Lifetime::Kept
                      ? NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE
                      : NGHTTP2_NV_FLAG_NONE;
  return {bytes(name), bytes(value), name.size(), value.size(), flags};
}

// Headers of HTTP/1.1 connections have no place in HTTP/2 (RFC 9113 section 8.2.2).
inline bool isConnectionHeader(std::string_view lowerName) {
  return lowerName == "connection" || lowerName == "keep-alive" || lowerName == "upgrade" ||
         lowerName == "transfer-encoding" || lowerName == "proxy-connection";
}

}  // namespace skiff::net::http2
