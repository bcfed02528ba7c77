// UTF-8 by single characters, for codecs that replace what is invalid instead of refusing it.
#pragma once
#include <cstdint>
#include <string>

namespace skiff::codec {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Length of the valid character at `p` (p < end), 0 when it is not valid: overlong, surrogate, cut off, above 10FFFF.
inline size_t utf8Length(const char* p, const char* end) {
  auto at = [p](int i) { return static_cast<unsigned char>(p[i]); };
  unsigned char c = at(0);
  if (c < 0x80) return 1;
  size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
  if (c < 0xc2 || c > 0xf4 || size_t(end - p) < length) return 0;
  unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
  if (at(1) < low || at(1) > high) return 0;
  for (int i = 2; i < int(length); ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  return length;
}

// The valid character of `length` bytes at `p`.
inline uint32_t utf8Decode(const char* p, size_t length) {
  auto at = [p](size_t i) { return static_cast<unsigned char>(p[i]); };
  if (length == 1) return at(0);
  uint32_t code = at(0) & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) code = code << 6 | (at(i) & 0x3fu);
  return code;
}

inline void appendUtf8(std::string& out, uint32_t code) {
  auto tail = [&](int shift) { out += char(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    out += char(code);
  } else if (code < 0x800) {
    out += char(0xc0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    out += char(0xe0 | code >> 12);
    tail(6), tail(0);
  } else {
    out += char(0xf0 | code >> 18);
    tail(12), tail(6), tail(0);
  }
}

// The text with each invalid byte replaced.
inline std::string withReplacements(std::string_view text) {
  std::string out;
  for (const char *p = text.data(), *end = p + text.size(); p != end;) {
    size_t length = utf8Length(p, end);
    length == 0 ? out.append(kReplacement) : out.append(p, length);
    p += std::max<size_t>(length, 1);
  }
  return out;
}

}  // namespace skiff::codec
