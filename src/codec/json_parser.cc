// One pass, no recursion: open containers are frames on a heap stack, their finished children wait in scratch
// vectors and move to the arena in one piece when the container closes.
#include <charconv>
#include <cmath>
#include <map>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/utf8.h"

namespace skiff::codec {
namespace {

// Maps above this size find duplicate keys by an ordered index; it keeps hostile input at n log n, which a hash
// with a known seed would not.
constexpr size_t kIndexAbove = 48;
constexpr size_t kMaxDuplicates = 100;  // reported, as upstream's strict decoder

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// The byte as Go's scanner shows it: taken as Latin-1, quoted.
std::string quotedByte(char c) {
  if (c == '\'') return "'\\''";
  if (c == '"') return "'\"'";
  if (c == '\\') return "'\\\\'";
  auto byte = static_cast<unsigned char>(c);
  constexpr std::string_view kNamed = "\a\b\t\n\v\f\r", kNames = "abtnvfr";
  if (size_t at = kNamed.find(c); at != std::string_view::npos)
    return concat("'\\", kNames[at], "'");
  char text[16];
  if (byte < 0x20 || byte == 0x7f)
    std::snprintf(text, sizeof text, "'\\x%02x'", byte);
  else if ((byte > 0x7f && byte <= 0xa0) || byte == 0xad)
    std::snprintf(text, sizeof text, "'\\u%04x'", byte);
  else {
    std::string out = "'";
    appendUtf8(out, byte);
    return out + "'";
  }
  return text;
}

uint64_t keyBit(std::string_view key) {
  if (key.empty()) return 1;
  auto at = [&](size_t i) { return static_cast<unsigned char>(key[i]); };
  return uint64_t(1) << ((key.size() * 29 + at(0) * 7u + at(key.size() / 2) * 5u + at(key.size() - 1)) & 63);
}

// Bytes of a word that end the plain run of a string: quote, backslash, control, not ASCII. The lowest set bit is
// exact.
uint64_t specialBytes(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  auto zeros = [](uint64_t x) { return (x - kOnes) & ~x; };
  return (zeros(word ^ (kOnes * '"')) | zeros(word ^ (kOnes * '\\')) |
          ((word - kOnes * 0x20) & ~word) | word) &
         kHigh;
}

class Parser {
 public:
  Parser(std::string_view text, Arena& arena, const JsonOptions& options)
      : begin_(text.data()), p_(begin_), end_(p_ + text.size()), arena_(arena), options_(options) {}

  Result<Value> run() {
    Value root;
    if (!parse(&root)) return badRequest(std::move(error_));
    return root;
  }

 private:
  struct Frame {
    bool isMap;
    uint32_t slot;       // of a map: index in members_ of the member whose value comes next
    size_t start;        // first child in members_ or items_
    uint64_t keyBits;    // a one-word filter: a key whose bit is new is no duplicate
    std::unique_ptr<std::map<std::string_view, uint32_t>> index;  // large maps only
  };
  enum class Step { Failed, Scalar, Opened };

  bool parse(Value* root) {
    for (;;) {
      Value value;
      Step step = readValue(&value);
      if (step == Step::Failed) return false;
      if (step == Step::Opened) continue;
      while (!frames_.empty()) {
        bool closed = false;
        if (!addToFrame(value, &closed)) return false;
        if (!closed) break;
        value = closeFrame();
      }
      if (!frames_.empty()) continue;
      skipSpace();
      if (p_ != end_) return unexpected("after top-level value");
      if (!rangeError_.empty()) {
        error_ = rangeError_;
        return false;
      }
      *root = value;
      return true;
    }
  }

  Step readValue(Value* value) {
    skipSpace();
    if (p_ == end_) return failStep(endOfInput());
    switch (*p_) {
      case '{':
        return openMap(value);
      case '[':
        return openList(value);
      case '"': {
        std::string_view text;
        if (!readString(&text)) return Step::Failed;
        *value = Value::string(text);
        return Step::Scalar;
      }
      case 't':
        *value = Value::boolean(true);
        return failStep(readLiteral("true"));
      case 'f':
        *value = Value::boolean(false);
        return failStep(readLiteral("false"));
      case 'n':
        *value = Value::null();
        return failStep(readLiteral("null"));
      default:
        if (*p_ == '-' || isDigit(*p_)) return failStep(readNumber(value));
        return failStep(unexpected("looking for beginning of value"));
    }
  }

  Step openMap(Value* value) {
    if (!enter()) return Step::Failed;
    skipSpace();
    if (p_ != end_ && *p_ == '}') {
      ++p_;
      *value = Value::map();
      return Step::Scalar;
    }
    frames_.push_back({true, 0, members_.size(), 0, nullptr});
    return readKey() ? Step::Opened : Step::Failed;
  }

  Step openList(Value* value) {
    if (!enter()) return Step::Failed;
    skipSpace();
    if (p_ != end_ && *p_ == ']') {
      ++p_;
      *value = Value::list();
      return Step::Scalar;
    }
    frames_.push_back({false, 0, items_.size(), 0, nullptr});
    return Step::Opened;
  }

  bool enter() {
    ++p_;
    if (frames_.size() < size_t(options_.maxDepth)) return true;
    error_ = "exceeded max depth";
    return false;
  }

  // Puts a finished child in its place and reads on to the next child or the end of the container.
  bool addToFrame(const Value& value, bool* closed) {
    Frame& frame = frames_.back();
    if (frame.isMap)
      members_[frame.slot].value = value;
    else
      items_.push_back(value);
    skipSpace();
    if (p_ == end_) return endOfInput();
    if (*p_ == ',') {
      ++p_;
      return !frame.isMap || readKey();
    }
    if (*p_ != (frame.isMap ? '}' : ']'))
      return unexpected(frame.isMap ? "after object key:value pair" : "after array element");
    ++p_;
    *closed = true;
    return true;
  }

  Value closeFrame() {
    size_t start = frames_.back().start;
    bool isMap = frames_.back().isMap;
    frames_.pop_back();
    if (isMap) {
      Value map = Value::mapOf(arena_, std::span<const Member>(members_).subspan(start));
      members_.resize(start);
      return map;
    }
    Value list = Value::listOf(arena_, std::span<const Value>(items_).subspan(start));
    items_.resize(start);
    return list;
  }

  bool readKey() {
    skipSpace();
    if (p_ == end_) return endOfInput();
    if (*p_ != '"') return unexpected("looking for beginning of object key string");
    std::string_view key;
    if (!readString(&key)) return false;
    skipSpace();
    if (p_ == end_) return endOfInput();
    if (*p_ != ':') return unexpected("after object key");
    ++p_;
    takeSlot(key);
    return true;
  }

  // A new member for the key, or the one that it repeats.
  void takeSlot(std::string_view key) {
    Frame& frame = frames_.back();
    uint64_t bit = keyBit(key);
    size_t count = members_.size() - frame.start;
    if (count == kIndexAbove) {
      frame.index = std::make_unique<std::map<std::string_view, uint32_t>>();
      for (size_t i = frame.start; i < members_.size(); ++i)
        frame.index->emplace(members_[i].key, uint32_t(i));
    }
    if (frame.index) {
      auto [at, fresh] = frame.index->emplace(key, uint32_t(members_.size()));
      if (!fresh) return repeatSlot(at->second);
    } else if (frame.keyBits & bit) {
      for (size_t i = frame.start; i < members_.size(); ++i)
        if (members_[i].key == key) return repeatSlot(uint32_t(i));
    }
    frame.keyBits |= bit;
    frame.slot = uint32_t(members_.size());
    members_.push_back({key, Value()});
  }

  void repeatSlot(uint32_t slot) {
    frames_.back().slot = slot;
    auto* duplicates = options_.duplicates;
    if (!duplicates || duplicates->size() >= kMaxDuplicates) return;
    std::string path;
    for (const Frame& frame : frames_) {
      if (!frame.isMap) {
        path += concat("[", listLength(frame), "]");
        continue;
      }
      if (!path.empty()) path += '.';
      path += members_[frame.slot].key;
    }
    if (std::ranges::find(*duplicates, path) != duplicates->end()) return;
    duplicates->push_back(std::move(path));
    if (options_.duplicateOffsets) options_.duplicateOffsets->push_back(size_t(p_ - begin_));
  }

  // Children so far of an open list, whose scratch ends where the next open list's begins.
  size_t listLength(const Frame& frame) const {
    for (const Frame* next = &frame + 1; next <= &frames_.back(); ++next)
      if (!next->isMap) return next->start - frame.start;
    return items_.size() - frame.start;
  }

  bool readLiteral(std::string_view word) {
    for (size_t i = 0; i < word.size(); ++i, ++p_) {
      if (p_ == end_ || *p_ != word[i])
        return unexpected(concat("in literal ", word, " (expecting '", word[i], "')"));
    }
    return true;
  }

  bool readDigits(std::string_view where) {
    if (p_ == end_ || !isDigit(*p_)) return unexpected(where);
    while (p_ != end_ && isDigit(*p_)) ++p_;
    return true;
  }

  bool readNumber(Value* value) {
    const char* start = p_;
    if (*p_ == '-') ++p_;
    if (p_ != end_ && *p_ == '0')
      ++p_;
    else if (!readDigits("in numeric literal"))
      return false;
    bool integer = true;
    if (p_ != end_ && *p_ == '.') {
      ++p_, integer = false;
      if (!readDigits("after decimal point in numeric literal")) return false;
    }
    if (p_ != end_ && (*p_ == 'e' || *p_ == 'E')) {
      ++p_, integer = false;
      if (p_ != end_ && (*p_ == '+' || *p_ == '-')) ++p_;
      if (!readDigits("in exponent of numeric literal")) return false;
    }
    return convertNumber(start, integer, value);
  }

  bool convertNumber(const char* start, bool integer, Value* value) {
    if (integer) {
      int64_t number = 0;
      if (std::from_chars(start, p_, number).ec == std::errc()) {
        *value = Value::integer(number);
        return true;
      }
    }
    double number = 0;
    if (std::from_chars(start, p_, number).ec != std::errc()) {
      // Too small is zero; too large is an error.
      number = std::strtod(std::string(start, p_).c_str(), nullptr);
      if (std::isinf(number) && rangeError_.empty()) {
        rangeError_ = concat("json: cannot unmarshal number ", std::string_view(start, size_t(p_ - start)),
                             " into Go value of type float64");
      }
    }
    *value = Value::number(number);
    return true;
  }

  // At the opening quote.
  bool readString(std::string_view* text) {
    const char* start = ++p_;
    for (;;) {
      skipPlain();
      if (p_ == end_) return endOfInput();
      if (*p_ == '"') {
        std::string_view view(start, size_t(p_ - start));
        ++p_;
        *text = options_.copyStrings ? arena_.copy(view) : view;
        return true;
      }
      size_t length = *p_ == '\\' ? 0 : utf8Length(p_, end_);
      if (length < 2) break;
      p_ += length;
    }
    return readEscaped(start, text);
  }

  void skipPlain() {
    while (end_ - p_ >= 8) {
      uint64_t word;
      std::memcpy(&word, p_, 8);
      if (uint64_t special = specialBytes(word)) {
        p_ += __builtin_ctzll(special) / 8;
        return;
      }
      p_ += 8;
    }
    while (p_ != end_ && *p_ != '"' && *p_ != '\\' && static_cast<unsigned char>(*p_) - 0x20u < 0x60)
      ++p_;
  }

  // The rest of a string that cannot be taken as it stands: escapes or invalid bytes.
  bool readEscaped(const char* start, std::string_view* text) {
    scratch_.assign(start, p_);
    for (;;) {
      const char* run = p_;
      skipPlain();
      scratch_.append(run, p_);
      if (p_ == end_) return endOfInput();
      if (*p_ == '"') {
        ++p_;
        *text = arena_.copy(scratch_);
        return true;
      }
      if (*p_ == '\\') {
        ++p_;
        if (!readEscape()) return false;
      } else if (static_cast<unsigned char>(*p_) < 0x20) {
        return unexpected("in string literal");
      } else if (size_t length = utf8Length(p_, end_)) {
        scratch_.append(p_, length);
        p_ += length;
      } else {
        scratch_ += kReplacement;
        ++p_;
      }
    }
  }

  // Behind the backslash.
  bool readEscape() {
    if (p_ == end_) return unexpected("in string escape code");
    constexpr std::string_view kNames = "\"\\/bfnrt", kChars = "\"\\/\b\f\n\r\t";
    if (size_t at = kNames.find(*p_); at != std::string_view::npos) {
      scratch_ += kChars[at];
      ++p_;
      return true;
    }
    if (*p_ != 'u') return unexpected("in string escape code");
    ++p_;
    uint32_t code = 0;
    if (!readHex4(&code)) return false;
    if (code >= 0xd800 && code < 0xdc00) joinSurrogate(&code);
    if (code >= 0xd800 && code < 0xe000)
      scratch_ += kReplacement;
    else
      appendUtf8(scratch_, code);
    return true;
  }

  bool readHex4(uint32_t* code) {
    for (int i = 0; i < 4; ++i, ++p_) {
      char c = p_ == end_ ? ' ' : *p_;
      int digit = isDigit(c)               ? c - '0'
                  : c >= 'a' && c <= 'f'   ? c - 'a' + 10
                  : c >= 'A' && c <= 'F'   ? c - 'A' + 10
                                           : -1;
      if (digit < 0) return unexpected("in \\u hexadecimal character escape");
      *code = *code << 4 | uint32_t(digit);
    }
    return true;
  }

  // Takes a following low surrogate into `code`; leaves everything as it is when there is none.
  void joinSurrogate(uint32_t* code) {
    if (end_ - p_ < 6 || p_[0] != '\\' || p_[1] != 'u') return;
    uint32_t low = 0;
    if (auto [at, ec] = std::from_chars(p_ + 2, p_ + 6, low, 16); ec != std::errc() || at != p_ + 6) return;
    if (low < 0xdc00 || low >= 0xe000) return;
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    p_ += 6;
  }

  void skipSpace() {
    while (p_ != end_ && isSpace(*p_)) ++p_;
  }
  bool endOfInput() {
    error_ = "unexpected end of JSON input";
    return false;
  }
  // In the middle of a token Go's scanner sees a space behind the input.
  bool unexpected(std::string_view where) {
    error_ = concat("invalid character ", quotedByte(p_ == end_ ? ' ' : *p_), " ", where);
    return false;
  }
  static Step failStep(bool ok) { return ok ? Step::Scalar : Step::Failed; }

  const char* begin_;
  const char* p_;
  const char* end_;
  Arena& arena_;
  const JsonOptions& options_;
  std::vector<Frame> frames_;
  std::vector<Member> members_;
  std::vector<Value> items_;
  std::string scratch_;
  std::string error_;
  std::string rangeError_;  // the first number out of range: told only when the syntax is right
};

}  // namespace

Result<Value> parseJson(std::string_view text, Arena& arena, const JsonOptions& options) {
  if (text.size() > UINT32_MAX) return Error(Reason::RequestEntityTooLarge, "JSON input is too large");
  return Parser(text, arena, options).run();
}

Result<std::shared_ptr<Document>> parseJsonDocument(std::string_view text) {
  auto document = std::make_shared<Document>();
  document->root = TRY(parseJson(text, document->arena));
  return document;
}

Value parseRaw(const Value& raw, Arena& arena) { return parseJson(raw.asRaw(), arena).valueOr(Value()); }

}  // namespace skiff::codec
