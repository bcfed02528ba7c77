#include "api/jsonpath.h"

#include <optional>

#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Value;

struct JsonPathNode {
  enum class Kind {
    Text,
    Root,
    Current,
    Field,
    Wildcard,
    Recursive,
    Slice,
    Filter,
    Union,
    Range,
    End,
    Path
  };
  Kind kind;
  std::string text;  // literal text, field name, or a filter's operator ("" = the left path exists)
  // Slice: [begin:end:step]; absent bounds are open.
  std::optional<int64_t> begin, end, step;
  bool isIndex = false;
  // Path: its steps. Union: its alternatives. Filter: left and right side.
  std::vector<JsonPathNode> children;
  std::optional<double> number;  // of a literal in a filter
};

namespace {
using Kind = JsonPathNode::Kind;
using Nodes = std::vector<JsonPathNode>;
using Values = std::vector<const Value*>;

// Expressions nest this deep at most (filters in filters).
constexpr int kMaxDepth = 32;

Error bad(std::string_view what) { return badRequest(std::string(what)); }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Nodes> parseTemplate() {
    Nodes out;
    while (at_ < text_.size()) {
      if (text_[at_] != '{') {
        size_t end = std::min(text_.find('{', at_), text_.size());
        out.push_back(literal(text_.substr(at_, end - at_)));
        at_ = end;
        continue;
      }
      ++at_;
      skipSpace();
      if (wordIs("range")) {
        out.push_back({Kind::Range, ""});
        out.push_back(TRY(path(0)));
      } else if (wordIs("end")) {
        out.push_back({Kind::End, ""});
      } else if (peek() == '"' || peek() == '\'') {
        out.push_back(literal(TRY(quotedText())));
      } else {
        out.push_back(TRY(path(0)));
      }
      skipSpace();
      if (peek() != '}') return bad("unclosed action");
      ++at_;
    }
    return out;
  }

  Result<JsonPathNode> wholePath() {
    JsonPathNode out = TRY(path(0));
    skipSpace();
    if (at_ < text_.size())
      return bad(concat("unrecognized character in action: ", quoted(text_.substr(at_))));
    return out;
  }

 private:
  static JsonPathNode literal(std::string_view text) { return {Kind::Text, std::string(text)}; }
  char peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void skipSpace() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  bool wordIs(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    char after = peek(word.size());
    if (after != ' ' && after != '}' && after != '\t') return false;
    at_ += word.size();
    skipSpace();
    return true;
  }

  static bool isNameChar(char c) {
    return c != '\0' &&
           std::string_view(" \t.[]{}()|,=<>!@$'\"&").find(c) == std::string_view::npos;
  }

  Result<JsonPathNode> path(int depth) {
    if (depth > kMaxDepth) return bad("expression nests too deep");
    JsonPathNode out{Kind::Path, ""};
    auto& steps = out.children;
    for (bool first = true;; first = false) {
      char c = peek();
      if (c == '$' && first) {
        ++at_;
        steps.push_back({Kind::Root, ""});
      } else if (c == '@' && first) {
        ++at_;
        steps.push_back({Kind::Current, ""});
      } else if (c == '.' && peek(1) == '.') {
        ++at_;
        steps.push_back({Kind::Recursive, ""});
        if (peek(1) == '[' || peek(1) == '\0') ++at_;
      } else if (c == '.') {
        ++at_;
        if (peek() == '*') {
          ++at_;
          steps.push_back({Kind::Wildcard, ""});
        } else if (peek() != '[' && peek() != '}' && peek() != '\0' && peek() != ' ' &&
                   peek() != ')') {
          steps.push_back({Kind::Field, TRY(fieldName())});
        }
      } else if (c == '[') {
        ++at_;
        steps.push_back(TRY(bracket(depth)));
      } else if (first && isNameChar(c)) {
        steps.push_back({Kind::Field, TRY(fieldName())});
      } else {
        if (first)
          return bad(concat("unrecognized character in action: ", quoted(text_.substr(at_, 1))));
        return out;
      }
    }
  }

  // A backslash takes the next character as it is: "metadata.labels.app\.kubernetes\.io/name".
  Result<std::string> fieldName() {
    std::string name;
    while (at_ < text_.size()) {
      if (peek() == '\\' && at_ + 1 < text_.size()) {
        name += text_[at_ + 1];
        at_ += 2;
      } else if (isNameChar(peek())) {
        name += text_[at_++];
      } else {
        break;
      }
    }
    if (name.empty()) return bad("a field name is missing");
    return name;
  }

  Result<std::string> quotedText() {
    char quote = text_[at_++];
    std::string out;
    for (; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == quote) {
        ++at_;
        return out;
      }
      if (c == '\\' && at_ + 1 < text_.size()) {
        char next = text_[++at_];
        out += next == 'n' ? '\n' : next == 't' ? '\t' : next == 'r' ? '\r' : next;
      } else {
        out += c;
      }
    }
    return bad("unterminated quoted string");
  }

  Result<JsonPathNode> bracket(int depth) {
    skipSpace();
    if (peek() == '?') {
      ++at_;
      return filter(depth);
    }
    JsonPathNode all{Kind::Union, ""};
    for (;;) {
      skipSpace();
      all.children.push_back(TRY(bracketItem()));
      skipSpace();
      char c = peek();
      ++at_;
      if (c == ']') break;
      if (c != ',') return bad("unterminated array");
    }
    if (all.children.size() == 1) return std::move(all.children.front());
    return all;
  }

  Result<JsonPathNode> bracketItem() {
    char c = peek();
    if (c == '*') {
      ++at_;
      return JsonPathNode{Kind::Wildcard, ""};
    }
    if (c == '\'' || c == '"') return quotedField();
    size_t end = text_.find_first_of(",]", at_);
    if (end == text_.npos) return bad("unterminated array");
    std::string_view item = trim(text_.substr(at_, end - at_));
    at_ = end;
    JsonPathNode out{Kind::Slice, ""};
    if (item.empty()) return bad("invalid array index ");
    auto parts = split(item, ':');
    std::optional<int64_t>* bounds[] = {&out.begin, &out.end, &out.step};
    if (parts.size() > 3) return bad(concat("invalid array index ", item));
    for (size_t i = 0; i < parts.size(); ++i) {
      auto part = trim(parts[i]);
      if (part.empty() && parts.size() > 1) continue;
      auto number = parseInt(part);
      if (!number) return bad(concat("invalid array index ", item));
      *bounds[i] = *number;
    }
    out.isIndex = parts.size() == 1;
    return out;
  }

  // Dots in a quoted name part a path too, unless escaped: ['metadata.name'].
  Result<JsonPathNode> quotedField() {
    char quote = text_[at_++];
    JsonPathNode out{Kind::Path, ""};
    std::string name;
    for (; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == quote) {
        ++at_;
        out.children.push_back({Kind::Field, std::move(name)});
        if (out.children.size() == 1) return std::move(out.children.front());
        return out;
      }
      if (c == '.') {
        out.children.push_back({Kind::Field, std::exchange(name, {})});
        continue;
      }
      if (c == '\\' && at_ + 1 < text_.size()) ++at_;
      name += text_[at_];
    }
    return bad("unterminated quoted string");
  }

  Result<JsonPathNode> filter(int depth) {
    skipSpace();
    if (peek() != '(') return bad("a filter is written ?(...)");
    ++at_;
    JsonPathNode out{Kind::Filter, ""};
    out.children.push_back(TRY(operand(depth)));
    skipSpace();
    for (std::string_view op : {"==", "!=", "<=", ">=", "<", ">"})
      if (text_.substr(at_).starts_with(op)) {
        out.text = op;
        at_ += op.size();
        break;
      }
    if (!out.text.empty()) {
      skipSpace();
      out.children.push_back(TRY(operand(depth)));
      skipSpace();
    }
    if (peek() != ')') return bad("unterminated filter");
    ++at_;
    skipSpace();
    if (peek() != ']') return bad("unterminated filter");
    ++at_;
    return out;
  }

  Result<JsonPathNode> operand(int depth) {
    skipSpace();
    char c = peek();
    if (c == '\'' || c == '"') return literal(TRY(quotedText()));
    if (c == '@' || c == '$' || c == '.') return path(depth + 1);
    size_t start = at_;
    while (at_ < text_.size() &&
           std::string_view(" )=<>!").find(text_[at_]) == std::string_view::npos)
      ++at_;
    JsonPathNode out = literal(text_.substr(start, at_ - start));
    if (out.text.empty()) return bad("a filter's operand is missing");
    out.number = parseDouble(out.text);
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
};

class Walker {
 public:
  Walker(const Value& root, bool allowMissing) : root_(root), allowMissing_(allowMissing) {}

  Result<Values> path(const JsonPathNode& path, const Value& current) {
    Values values{&current};
    for (const auto& step : path.children) {
      Values next;
      if (step.kind == Kind::Union) {  // alternative by alternative, over all values
        for (const auto& alternative : step.children)
          for (const Value* value : values) TRY(apply(alternative, *value, next));
      } else {
        for (const Value* value : values) TRY(apply(step, *value, next));
      }
      values = std::move(next);
    }
    return values;
  }

  Result<std::string> print(const Nodes& nodes, const Value& current) {
    std::string out;
    TRY(printFrom(nodes, 0, nodes.size(), current, out));
    return out;
  }

 private:
  Status apply(const JsonPathNode& step, const Value& value, Values& out) {
    switch (step.kind) {
      case Kind::Root:
        out.push_back(&root_);
        break;
      case Kind::Field:
        if (const Value* found = value.find(step.text))
          out.push_back(found);
        else if (!allowMissing_)
          return bad(concat(step.text, " is not found"));
        break;
      case Kind::Wildcard:
        for (const auto& item : value.items()) out.push_back(&item);
        for (const auto& member : value.members()) out.push_back(&member.value);
        break;
      case Kind::Recursive:
        descend(value, out);
        break;
      case Kind::Slice:
        return slice(step, value, out);
      case Kind::Filter:
        for (const auto& item : value.items())
          if (passes(step, item)) out.push_back(&item);
        break;
      case Kind::Path: {
        Values found = TRY(path(step, value));
        out.insert(out.end(), found.begin(), found.end());
        break;
      }
      default:
        out.push_back(&value);
    }
    return okStatus();
  }

  static void descend(const Value& value, Values& out) {
    out.push_back(&value);
    for (const auto& item : value.items()) descend(item, out);
    for (const auto& member : value.members()) descend(member.value, out);
  }

  Status slice(const JsonPathNode& step, const Value& value, Values& out) {
    if (!value.isList()) return bad(concat(jsonPathText(value), " is not array or slice"));
    auto size = int64_t(value.size());
    auto wrap = [&](int64_t n) { return n < 0 ? n + size : n; };
    if (step.isIndex) {
      int64_t index = wrap(*step.begin);
      if (index < 0 || index >= size)
        return bad(concat("array index out of bounds: index ", *step.begin, ", length ", size));
      out.push_back(&value.at(size_t(index)));
      return okStatus();
    }
    int64_t by = step.step.value_or(1);
    if (by <= 0) return bad("step must be > 0");
    int64_t from = std::max<int64_t>(wrap(step.begin.value_or(0)), 0);
    int64_t to = std::min(step.end ? wrap(*step.end) : size, size);
    for (int64_t i = from; i < to; i += by) out.push_back(&value.at(size_t(i)));
    return okStatus();
  }

  bool passes(const JsonPathNode& filter, const Value& item) {
    bool outer = std::exchange(allowMissing_, true);
    bool result = compare(filter, item);
    allowMissing_ = outer;
    return result;
  }

  bool compare(const JsonPathNode& filter, const Value& item) {
    Values found = operand(filter.children.front(), item);
    if (filter.text.empty()) return !found.empty();
    Values other = operand(filter.children.back(), item);
    if (found.empty() || other.empty()) return false;
    return holds(filter.text, *found.front(), *other.front());
  }

  // Literals become values of their own, kept until the walk ends. A path that fails selects
  // nothing.
  Values operand(const JsonPathNode& node, const Value& item) {
    if (node.kind == Kind::Path) return path(node, item).valueOr({});
    Value literal = Value::string(node.text);
    if (node.number) literal = Value::number(*node.number);
    literals_.push_back(std::make_unique<Value>(literal));
    return Values{literals_.back().get()};
  }

  static bool holds(std::string_view op, const Value& a, const Value& b) {
    int order;
    if (a.isNumber() && b.isNumber()) {
      order = a.asDouble() < b.asDouble() ? -1 : a.asDouble() > b.asDouble();
    } else {
      std::string left = jsonPathText(a), right = jsonPathText(b);
      order = left.compare(right);
    }
    if (op == "==") return order == 0;
    if (op == "!=") return order != 0;
    if (op == "<") return order < 0;
    if (op == ">") return order > 0;
    if (op == "<=") return order <= 0;
    return order >= 0;
  }

  // Nodes [from, to) of a template.
  Status printFrom(const Nodes& nodes, size_t from, size_t to, const Value& current,
                   std::string& out) {
    for (size_t i = from; i < to; ++i) {
      const JsonPathNode& node = nodes[i];
      if (node.kind == Kind::Text) {
        out += node.text;
      } else if (node.kind == Kind::Path) {
        Values values = TRY(path(node, current));
        for (size_t v = 0; v < values.size(); ++v) {
          if (v > 0) out += ' ';
          out += jsonPathText(*values[v]);
        }
      } else if (node.kind == Kind::Range) {
        size_t end = endOfRange(nodes, i, to);
        Values values = TRY(path(nodes[i + 1], current));
        for (const Value* value : values) TRY(printFrom(nodes, i + 2, end, *value, out));
        i = end;
      } else if (node.kind == Kind::End) {
        return bad("not in range, nothing to end");
      }
    }
    return okStatus();
  }

  static size_t endOfRange(const Nodes& nodes, size_t from, size_t to) {
    int depth = 0;
    for (size_t i = from; i < to; ++i) {
      if (nodes[i].kind == Kind::Range) ++depth;
      if (nodes[i].kind == Kind::End && --depth == 0) return i;
    }
    return to;
  }

  const Value& root_;
  bool allowMissing_;
  std::vector<std::unique_ptr<Value>> literals_;
};
}  // namespace

Result<JsonPath> JsonPath::parse(std::string_view text) {
  JsonPath out;
  out.nodes_ = std::make_shared<const Nodes>(TRY(Parser(text).parseTemplate()));
  return out;
}

Result<JsonPath> JsonPath::parsePath(std::string_view path) {
  JsonPath out;
  Nodes nodes;
  nodes.push_back(TRY(Parser(path).wholePath()));
  out.nodes_ = std::make_shared<const Nodes>(std::move(nodes));
  return out;
}

Result<std::vector<const Value*>> JsonPath::find(const Value& root, bool allowMissing) const {
  for (const auto& node : *nodes_)
    if (node.kind == Kind::Path) return Walker(root, allowMissing).path(node, root);
  return Values{};
}

Result<std::string> JsonPath::print(const Value& root, bool allowMissing) const {
  return Walker(root, allowMissing).print(*nodes_, root);
}

std::string jsonPathText(const Value& value) {
  if (value.isString()) return value.str();
  if (value.isNull()) return "<nil>";
  return value.isMap() ? codec::toJsonSorted(value) : codec::toJson(value);
}

}  // namespace skiff::api
