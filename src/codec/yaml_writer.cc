// Values to libyaml's emitter, which go-yaml's was ported from: line folding, block scalar marks and the choice of
// quotes for awkward characters are its; which strings must not be plain is ours.
#include <yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "codec/yaml.h"
#include "codec/yaml_scalar.h"

namespace skiff::codec {
namespace {

// Natural order of keys: numbers inside count as numbers (a2 < a10), letters follow everything else.
class NaturalOrder {
 public:
  bool operator()(const Member* a, const Member* b) const { return less(a->key, b->key); }

 private:
  static bool isDigit(char c) { return c >= '0' && c <= '9'; }
  // Above ASCII by blocks: symbols, punctuation and emoji are no letters.
  static bool isLetter(uint32_t c) {
    if (c < 0x80) return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    bool symbol = c < 0xc0 || c == 0xd7 || c == 0xf7 || (c >= 0x2000 && c < 0x2c00) || c == 0xfeff || c >= 0x1f000;
    return !symbol;
  }
  static uint32_t characterAt(std::string_view text, size_t at) {
    size_t length = utf8Length(text.data() + at, text.data() + text.size());
    return length == 0 ? static_cast<unsigned char>(text[at]) : utf8Decode(text.data() + at, length);
  }
  static std::string_view digitsAt(std::string_view text, size_t at) {
    size_t end = at;
    while (end < text.size() && isDigit(text[end])) ++end;
    return text.substr(at, end - at);
  }
  static std::string_view withoutZeros(std::string_view digits) {
    return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
  }

  static bool less(std::string_view a, std::string_view b) {
    size_t at = size_t(std::ranges::mismatch(a, b).in1 - a.begin());
    if (at == a.size() || at == b.size()) return a.size() < b.size();
    while (at > 0 && (a[at] & 0xc0) == 0x80) --at;  // the start of the character
    uint32_t ca = characterAt(a, at), cb = characterAt(b, at);
    bool letterA = isLetter(ca), letterB = isLetter(cb);
    if (letterA != letterB) return letterB;
    if (letterA) return ca < cb;
    // Inside a number that began before the difference, zeros count.
    bool inNumber = false;
    for (size_t i = at; i-- > 0 && isDigit(a[i]);) inNumber = inNumber || a[i] != '0';
    std::string_view da = digitsAt(a, at), db = digitsAt(b, at);
    std::string_view na = inNumber ? da : withoutZeros(da), nb = inNumber ? db : withoutZeros(db);
    if (na.size() != nb.size()) return na.size() < nb.size();
    if (na != nb) return na < nb;
    if (da.size() != db.size()) return da.size() < db.size();
    return ca < cb;
  }
};

// As Go's shortest 'g' form: 0.1, 1.5e+06, 1e-05.
std::string formatGeneral(double number) {
  char text[32];
  auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::scientific).ptr;
  std::string scientific(text, end);
  size_t e = scientific.find('e');
  int exponent = std::atoi(scientific.c_str() + e + 1);
  if (exponent < -4 || exponent >= 6) return scientific;
  return formatJsonDouble(number);
}

std::string doubleText(double number) {
  std::string json = formatJsonDouble(number);
  PlainScalar plain = resolvePlain(json);
  if (plain.kind != PlainScalar::Kind::Double) return json;           // null, or an integer
  if (json.find_first_of(".e") == json.npos && json[0] != '-' && number < 18446744073709551616.0)
    return json;  // an unsigned integer for the reader
  return formatGeneral(number);
}

class Emitter {
 public:
  explicit Emitter(std::string& out) {
    MUST(yaml_emitter_initialize(&emitter_));
    yaml_emitter_set_unicode(&emitter_, 1);
    yaml_emitter_set_output(&emitter_, &append, &out);
  }
  Emitter(const Emitter&) = delete;
  Emitter& operator=(const Emitter&) = delete;
  ~Emitter() { yaml_emitter_delete(&emitter_); }

  void write(const Value& root) {
    yaml_event_t event;
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(event);
    yaml_document_start_event_initialize(&event, nullptr, nullptr, nullptr, 1);
    emit(event);
    walk(root);
    yaml_document_end_event_initialize(&event, 1);
    emit(event);
    // No end of the stream: it would add "..." behind a text that ends in line breaks.
    MUST(yaml_emitter_flush(&emitter_));
  }

 private:
  struct Frame {
    const Value* container;
    size_t next;
    std::vector<const Member*> order;
  };

  static int append(void* out, unsigned char* bytes, size_t size) {
    static_cast<std::string*>(out)->append(reinterpret_cast<char*>(bytes), size);
    return 1;
  }

  // Our events are well-formed, so only memory can fail.
  void emit(yaml_event_t& event) { MUST(yaml_emitter_emit(&emitter_, &event)); }

  void walk(const Value& root) {
    std::vector<Frame> frames;
    begin(root, frames);
    while (!frames.empty()) {
      Frame& frame = frames.back();
      const Value& container = *frame.container;
      if (frame.next == container.size()) {
        yaml_event_t event;
        container.isMap() ? yaml_mapping_end_event_initialize(&event) : yaml_sequence_end_event_initialize(&event);
        emit(event);
        frames.pop_back();
        continue;
      }
      size_t index = frame.next++;
      if (container.isMap()) {
        const Member& member = *frame.order[index];
        string(member.key);
        begin(member.value, frames);
      } else {
        begin(container.items()[index], frames);
      }
    }
  }

  void begin(const Value& value, std::vector<Frame>& frames) {
    if (value.isRaw()) return begin(*std::construct_at(arena_.array<Value>(1), parseRaw(value, arena_)), frames);
    yaml_event_t event;
    switch (value.kind()) {
      case Value::Kind::Map: {
        yaml_mapping_start_event_initialize(&event, nullptr, nullptr, 1, YAML_BLOCK_MAPPING_STYLE);
        emit(event);
        Frame& frame = frames.emplace_back(Frame{&value, 0, {}});
        for (const Member& member : value.members()) frame.order.push_back(&member);
        // Stable: the order is not transitive for every set of keys, which only a merge sort takes well.
        std::stable_sort(frame.order.begin(), frame.order.end(), NaturalOrder());
        return;
      }
      case Value::Kind::List:
        yaml_sequence_start_event_initialize(&event, nullptr, nullptr, 1, YAML_BLOCK_SEQUENCE_STYLE);
        emit(event);
        frames.emplace_back(Frame{&value, 0, {}});
        return;
      case Value::Kind::String:
        return string(value.asString());
      case Value::Kind::Bool:
        return scalar(value.asBool() ? "true" : "false", YAML_PLAIN_SCALAR_STYLE);
      case Value::Kind::Int:
        return scalar(std::to_string(value.asInt()), YAML_PLAIN_SCALAR_STYLE);
      case Value::Kind::Double:
        return scalar(doubleText(value.asDouble()), YAML_PLAIN_SCALAR_STYLE);
      case Value::Kind::Null:
      case Value::Kind::Raw:
        return scalar("null", YAML_PLAIN_SCALAR_STYLE);
    }
  }

  void string(std::string_view text) {
    if (!isValidUtf8(text)) return string(withReplacements(text));
    if (text.find('\n') != text.npos) return scalar(text, YAML_LITERAL_SCALAR_STYLE);
    auto kind = resolvePlain(text).kind;
    bool isText = kind == PlainScalar::Kind::String || kind == PlainScalar::Kind::Merge;  // << stays plain, as upstream
    bool plain = isText && !isSexagesimal(text);
    scalar(text, plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
  }

  void scalar(std::string_view text, yaml_scalar_style_t style) {
    static constexpr yaml_char_t kNothing[] = "";
    auto* bytes = text.empty() ? kNothing : reinterpret_cast<const yaml_char_t*>(text.data());
    MUST(text.size() <= INT32_MAX);
    yaml_event_t event;
    MUST(yaml_scalar_event_initialize(&event, nullptr, nullptr, bytes, int(text.size()), 1, 1, style));
    emit(event);
  }

  yaml_emitter_t emitter_;
  Arena arena_;  // trees of raw values; frames point into it
};

}  // namespace

std::string toYaml(const Value& value) {
  std::string out;
  Emitter(out).write(value);
  return out;
}

}  // namespace skiff::codec
