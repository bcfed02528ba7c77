#include <algorithm>
#include <charconv>
#include <cmath>

#include "codec/json.h"
#include "codec/utf8.h"

namespace skiff::codec {
namespace {

// Walks a tree without recursion: trees may be deeper than a worker's stack allows.
class Writer {
 public:
  struct Style {
    bool sorted = false;
    int indent = 0;  // 0: one line
  };
  Writer(std::string& out, Style style) : out_(out), style_(style) {}

  void write(const Value& root) {
    begin(root);
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      if (frame.next == frame.container->size()) {
        bool isMap = frame.container->isMap();
        frames_.pop_back();
        newLine();
        out_ += isMap ? '}' : ']';
        continue;
      }
      if (frame.next > 0) out_ += ',';
      newLine();
      begin(nextChild(frame));
    }
  }

 private:
  struct Frame {
    const Value* container;
    size_t next;
    std::vector<const Member*> order;  // of a sorted map
  };

  const Value& nextChild(Frame& frame) {
    size_t index = frame.next++;
    if (frame.container->isList()) return frame.container->items()[index];
    const Member& member = style_.sorted ? *frame.order[index] : frame.container->members()[index];
    writeJsonString(out_, member.key);
    out_ += ':';
    if (style_.indent > 0) out_ += ' ';
    return member.value;
  }

  void begin(const Value& value) {
    if (value.isRaw() && (style_.sorted || style_.indent > 0)) return begin(expanded(value));
    if (!value.isList() && !value.isMap()) return scalar(value);
    if (value.empty()) {
      out_ += value.isMap() ? "{}" : "[]";
      return;
    }
    out_ += value.isMap() ? '{' : '[';
    frames_.push_back({&value, 0, {}});
    if (!style_.sorted || !value.isMap()) return;
    auto& order = frames_.back().order;
    order.reserve(value.size());
    for (const Member& member : value.members()) order.push_back(&member);
    std::ranges::sort(order, {}, &Member::key);
  }

  void scalar(const Value& value) {
    switch (value.kind()) {
      case Value::Kind::Bool:
        out_ += value.asBool() ? "true" : "false";
        return;
      case Value::Kind::Int: {
        char digits[24];
        out_.append(digits, std::to_chars(digits, digits + sizeof digits, value.asInt()).ptr);
        return;
      }
      case Value::Kind::Double:
        out_ += formatJsonDouble(value.asDouble());
        return;
      case Value::Kind::String:
        writeJsonString(out_, value.asString());
        return;
      case Value::Kind::Raw:
        out_ += value.asRaw();
        return;
      default:
        out_ += "null";
    }
  }

  void newLine() {
    if (style_.indent <= 0) return;
    out_ += '\n';
    out_.append(frames_.size() * size_t(style_.indent), ' ');
  }

  // In the arena: frames point into it.
  const Value& expanded(const Value& raw) { return *std::construct_at(arena_.array<Value>(1), parseRaw(raw, arena_)); }

  std::string& out_;
  Style style_;
  std::vector<Frame> frames_;
  Arena arena_;
};

// Bytes that are not written as they stand.
constexpr std::array<bool, 256> kSpecial = [] {
  std::array<bool, 256> special{};
  for (size_t i = 0; i < 256; ++i)
    special[i] = i < 0x20 || i >= 0x80 || i == '"' || i == '\\' || i == '<' || i == '>' || i == '&';
  return special;
}();

void writeUnicodeEscape(std::string& out, uint32_t code) {
  constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[code >> shift & 0xf];
}

void writeEscapedAscii(std::string& out, char c) {
  constexpr std::string_view kChars = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
  if (size_t at = kChars.find(c); at != std::string_view::npos) {
    out += '\\';
    out += kNames[at];
  } else {
    writeUnicodeEscape(out, static_cast<unsigned char>(c));
  }
}

std::string written(const Value& value, Writer::Style style) {
  std::string out;
  Writer(out, style).write(value);
  return out;
}

}  // namespace

void writeJson(std::string& out, const Value& value) { Writer(out, {}).write(value); }
std::string toJson(const Value& value) { return written(value, {}); }
std::string toJsonSorted(const Value& value) { return written(value, {.sorted = true}); }
std::string toJsonIndented(const Value& value, int spaces) {
  return written(value, {.sorted = true, .indent = spaces});
}

void writeJsonString(std::string& out, std::string_view text) {
  out += '"';
  const char* p = text.data();
  const char* end = p + text.size();
  for (;;) {
    const char* run = p;
    while (p != end && !kSpecial[static_cast<unsigned char>(*p)]) ++p;
    out.append(run, p);
    if (p == end) break;
    if (static_cast<unsigned char>(*p) < 0x80) {
      writeEscapedAscii(out, *p++);
      continue;
    }
    size_t length = utf8Length(p, end);
    if (length == 0) {
      out += "\\ufffd";
      ++p;
      continue;
    }
    // The line separators are not allowed in JavaScript strings.
    uint32_t code = utf8Decode(p, length);
    if (code == 0x2028 || code == 0x2029)
      writeUnicodeEscape(out, code);
    else
      out.append(p, length);
    p += length;
  }
  out += '"';
}

std::string formatJsonDouble(double value) {
  if (!std::isfinite(value)) return "null";
  char buffer[32];
  auto scientific = [&] {
    return std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  };
  std::string text(buffer, scientific().ptr);  // -d.ddde+xx, the fewest digits that read back equal
  double size = std::abs(value);
  size_t e = text.find('e');
  if (size != 0 && (size < 1e-6 || size >= 1e21)) {
    // e-09 -> e-9
    if (text[e + 1] == '-' && text[e + 2] == '0') text.erase(e + 2, 1);
    return text;
  }
  int exponent = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), text.data() + text.size(), exponent);
  std::string sign = text[0] == '-' ? "-" : "";
  std::string digits;
  for (char c : std::string_view(text).substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  if (exponent < 0) return sign + "0." + std::string(size_t(-exponent - 1), '0') + digits;
  size_t whole = size_t(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0');
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

}  // namespace skiff::codec
