// libyaml's events into values. No recursion: open containers are frames.
#include <yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <unordered_map>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "codec/utf8.h"
#include "codec/yaml_scalar.h"

namespace skiff::codec {
namespace {

constexpr size_t kMaxDepth = 10000;

// Aliases multiply a document. As go-yaml: small ones may do as they like, and the larger the result, the smaller
// the share of it that may come from aliases.
bool excessiveAliasing(size_t fromAliases, size_t nodes) {
  constexpr double kLow = 400000, kHigh = 4000000, kLowShare = 0.99, kHighShare = 0.10;
  if (fromAliases <= 100 || nodes <= 1000) return false;
  double size = double(nodes);
  double over = std::clamp((size - kLow) / (kHigh - kLow), 0.0, 1.0);
  return double(fromAliases) / size > kLowShare - over * (kLowShare - kHighShare);
}

std::string_view textOf(const yaml_char_t* text) {
  return text ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}

// Owns one event.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&event_); }
  const yaml_event_t* operator->() const { return &event_; }
  yaml_event_t* get() { return &event_; }
  size_t line() const { return event_.start_mark.line + 1; }

 private:
  yaml_event_t event_{};
};

class Reader {
 public:
  Reader(std::string_view text, std::vector<std::string>* duplicates) : duplicates_(duplicates) {
    MUST(yaml_parser_initialize(&parser_));
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { yaml_parser_delete(&parser_); }

  // The next document's root; nothing at the end of the stream.
  Result<std::optional<Value>> nextDocument(Arena& arena) {
    arena_ = &arena;
    anchors_.clear();
    nodes_ = fromAliases_ = 0;
    std::optional<Value> root;
    for (;;) {
      Event event;
      if (!yaml_parser_parse(&parser_, event.get())) return scanError();
      switch (event->type) {
        case YAML_STREAM_END_EVENT:
        case YAML_DOCUMENT_END_EVENT:
          return root;
        case YAML_NO_EVENT:
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_START_EVENT:
          break;
        default:
          TRY(take(event, &root));
      }
    }
  }

 private:
  struct Frame {
    Value value;
    std::string anchor;
    size_t nodesBefore = 0;
    size_t line = 0;
    // Of a map: the key that waits for its value, and where each key is.
    bool haveKey = false;
    bool mergeKey = false;
    std::string_view key;
    std::map<std::string_view, uint32_t> index;
  };
  struct Anchor {
    bool open = true;  // its value is still being read
    Value value;
    size_t nodes = 1;
    bool merge = false;
  };

  Status take(Event& event, std::optional<Value>* root) {
    switch (event->type) {
      case YAML_SCALAR_EVENT:
        return takeScalar(event, root);
      case YAML_ALIAS_EVENT:
        return takeAlias(event, root);
      case YAML_MAPPING_START_EVENT:
        return open(Value::map(), textOf(event->data.mapping_start.anchor), event.line());
      case YAML_SEQUENCE_START_EVENT:
        return open(Value::list(), textOf(event->data.sequence_start.anchor), event.line());
      default:
        return close(root);
    }
  }

  Status open(Value empty, std::string_view anchor, size_t line) {
    ++nodes_;
    if (frames_.size() >= kMaxDepth) return badRequest(concat("yaml: exceeded max depth of ", kMaxDepth));
    if (!frames_.empty() && frames_.back().value.isMap() && !frames_.back().haveKey)
      return badRequest("yaml: invalid map key: a mapping or sequence");
    if (!anchor.empty()) anchors_[std::string(anchor)] = {};
    Frame& frame = frames_.emplace_back();
    frame.value = empty;
    frame.anchor = anchor;
    frame.nodesBefore = nodes_;
    frame.line = line;
    return okStatus();
  }

  Status close(std::optional<Value>* root) {
    Value value = frames_.back().value;
    size_t line = frames_.back().line;
    if (!frames_.back().anchor.empty())
      anchors_[frames_.back().anchor] = {false, value, nodes_ - frames_.back().nodesBefore + 1, false};
    frames_.pop_back();
    return add(value, false, line, root);
  }

  Status takeScalar(const Event& event, std::optional<Value>* root) {
    ++nodes_;
    const auto& scalar = event->data.scalar;
    bool merge = false;
    Value value = TRY(scalarValue(event, &merge));
    if (scalar.anchor) anchors_[std::string(textOf(scalar.anchor))] = {false, value, 1, merge};
    return add(value, merge, event.line(), root);
  }

  Status takeAlias(const Event& event, std::optional<Value>* root) {
    std::string name(textOf(event->data.alias.anchor));
    auto found = anchors_.find(name);
    if (found == anchors_.end()) return badRequest(concat("yaml: unknown anchor '", name, "' referenced"));
    const Anchor& anchor = found->second;
    if (anchor.open) return badRequest(concat("yaml: anchor '", name, "' value contains itself"));
    nodes_ += anchor.nodes + 1;
    fromAliases_ += anchor.nodes;
    if (excessiveAliasing(fromAliases_, nodes_)) return badRequest("yaml: document contains excessive aliasing");
    return add(anchor.value.clone(*arena_), anchor.merge, event.line(), root);
  }

  // A finished node: root, item, key or value.
  Status add(Value value, bool merge, size_t line, std::optional<Value>* root) {
    bool isKey = !frames_.empty() && frames_.back().value.isMap() && !frames_.back().haveKey;
    if (!isKey && value.isDouble()) TRY(checkFinite(value.asDouble()));
    if (frames_.empty()) {
      *root = value;
      return okStatus();
    }
    Frame& frame = frames_.back();
    if (frame.value.isList()) {
      frame.value.push(*arena_, value);
      return okStatus();
    }
    if (isKey) {
      frame.mergeKey = merge;
      if (!merge) frame.key = TRY(keyText(value));
      frame.haveKey = true;
      return okStatus();
    }
    frame.haveKey = false;
    if (frame.mergeKey) return mergeInto(frame, value);
    auto [at, fresh] = frame.index.emplace(frame.key, uint32_t(frame.value.size()));
    if (fresh) {
      frame.value.append(*arena_, frame.key, value);
      return okStatus();
    }
    if (duplicates_) duplicates_->push_back(concat("line ", line, ": key ", quoted(frame.key), " already set in map"));
    frame.value.members()[at->second].value = value;
    return okStatus();
  }

  // Earlier maps of a sequence win over later ones; the keys of the map itself that follow win over both.
  Status mergeInto(Frame& frame, const Value& from) {
    if (from.isMap()) {
      mergeMap(frame, from);
      return okStatus();
    }
    bool mapsOnly = from.isList();
    for (const Value& item : from.items()) mapsOnly = mapsOnly && item.isMap();
    if (!mapsOnly) return badRequest("yaml: map merge requires map or sequence of maps as the value");
    for (size_t i = from.size(); i-- > 0;) mergeMap(frame, from.at(i));
    return okStatus();
  }

  void mergeMap(Frame& frame, const Value& from) {
    for (const Member& member : from.members()) {
      auto [at, fresh] = frame.index.emplace(member.key, uint32_t(frame.value.size()));
      if (fresh)
        frame.value.append(*arena_, member.key, member.value);
      else
        frame.value.members()[at->second].value = member.value;
    }
  }

  Result<std::string_view> keyText(const Value& key) {
    switch (key.kind()) {
      case Value::Kind::String:
        return key.asString();
      case Value::Kind::Bool:
        return std::string_view(key.asBool() ? "true" : "false");
      case Value::Kind::Int:
        return arena_->copy(std::to_string(key.asInt()));
      case Value::Kind::Double: {
        if (!std::isfinite(key.asDouble()))
          return std::string_view(std::isnan(key.asDouble()) ? ".nan" : key.asDouble() > 0 ? ".inf" : "-.inf");
        char text[64];
        auto end = std::to_chars(text, text + sizeof text, float(key.asDouble()), std::chars_format::general).ptr;
        return arena_->copy(std::string_view(text, size_t(end - text)));
      }
      default:
        return badRequest("unsupported map key of type: %!s(<nil>), key: <nil>");
    }
  }

  Result<Value> scalarValue(const Event& event, bool* merge) {
    const auto& scalar = event->data.scalar;
    std::string_view text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    std::string_view tag = textOf(scalar.tag);
    constexpr std::string_view kLong = "tag:yaml.org,2002:";
    bool standard = tag.starts_with(kLong);
    if (standard) tag.remove_prefix(kLong.size());
    if (tag.empty() && !scalar.plain_implicit) return Value::text(*arena_, text);
    if (standard && tag == "binary") {
      auto bytes = base64Decode(text);
      if (!bytes) return badRequest("yaml: !!binary value contains invalid base64 data");
      return Value::text(*arena_, withReplacements(*bytes));  // any bytes: what JSON cannot hold is replaced on its way
    }
    if (!tag.empty() && !(standard && (tag == "int" || tag == "float" || tag == "bool" || tag == "null")))
      return Value::text(*arena_, text);
    PlainScalar plain = resolvePlain(text);
    *merge = tag.empty() && plain.kind == PlainScalar::Kind::Merge;
    if (!tag.empty()) TRY(checkTag(tag, text, &plain));
    return plainValue(plain, text);
  }

  static Status checkTag(std::string_view tag, std::string_view text, PlainScalar* plain) {
    using enum PlainScalar::Kind;
    if (tag == "float" && plain->kind == Int) {
      *plain = {.kind = Double, .number = double(plain->integer)};
      return okStatus();
    }
    auto kind = plain->kind;
    std::string_view actual = kind == Int         ? "int"
                              : kind == Double    ? "float"
                              : kind == Bool      ? "bool"
                              : kind == Null      ? "null"
                              : kind == Timestamp ? "timestamp"
                              : kind == Merge     ? "merge"
                                                  : "str";
    if (actual == tag) return okStatus();
    return badRequest(concat("yaml: cannot decode !!", actual, " `", text, "` as a !!", tag));
  }

  Value plainValue(const PlainScalar& plain, std::string_view text) {
    switch (plain.kind) {
      case PlainScalar::Kind::Null:
        return Value::null();
      case PlainScalar::Kind::Bool:
        return Value::boolean(plain.boolean);
      case PlainScalar::Kind::Int:
        return Value::integer(plain.integer);
      case PlainScalar::Kind::Double:
        return doubleValue(plain.number);
      default:
        return Value::text(*arena_, text);
    }
  }

  // Infinities may be keys, but there is no JSON for them.
  static Status checkFinite(double number) {
    if (std::isfinite(number)) return okStatus();
    return badRequest(concat("json: unsupported value: ", std::isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf"));
  }

  // JSON is the next station of every YAML text, and it writes 1.0 and 1e3 as integers.
  static Value doubleValue(double number) {
    constexpr double kExact = 9223372036854775808.0;  // 2^63
    if (std::trunc(number) == number && std::abs(number) < kExact) {
      auto integer = parseInt(formatJsonDouble(number));
      if (integer) return Value::integer(*integer);
    }
    return Value::number(number);
  }

  Error scanError() const {
    size_t line = parser_.problem_mark.line != 0 ? parser_.problem_mark.line : parser_.context_mark.line;
    if (line != 0 && parser_.error == YAML_SCANNER_ERROR) ++line;  // the scanner stands one line before
    std::string_view problem = parser_.problem ? parser_.problem : "unknown problem parsing YAML content";
    std::string where = line != 0 ? concat("line ", line, ": ") : "";
    return badRequest(concat("yaml: ", where, problem));
  }

  yaml_parser_t parser_;
  std::vector<std::string>* duplicates_;
  Arena* arena_ = nullptr;
  std::vector<Frame> frames_;
  std::unordered_map<std::string, Anchor> anchors_;
  size_t nodes_ = 0, fromAliases_ = 0;
};

}  // namespace

std::string yamlDuplicatesError(const std::vector<std::string>& duplicates) {
  return "yaml: unmarshal errors:\n  " + join(duplicates, "\n  ");
}

Result<Value> parseYaml(std::string_view text, Arena& arena, std::vector<std::string>* duplicates) {
  auto root = TRY(Reader(text, duplicates).nextDocument(arena));
  return root.value_or(Value());
}

Result<std::vector<std::shared_ptr<Document>>> parseYamlStream(std::string_view text) {
  Reader reader(text, nullptr);
  std::vector<std::shared_ptr<Document>> documents;
  for (;;) {
    auto document = std::make_shared<Document>();
    auto root = TRY(reader.nextDocument(document->arena));
    if (!root) return documents;
    document->root = *root;
    if (!root->isNull()) documents.push_back(std::move(document));
  }
}

}  // namespace skiff::codec
