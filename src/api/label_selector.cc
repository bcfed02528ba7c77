#include <algorithm>

#include "api/names.h"
#include "api/selectors.h"
#include "base/strings.h"
#include "gen/meta_v1.h"

namespace skiff::api {
using Operator = LabelSelector::Operator;
using Requirement = LabelSelector::Requirement;

namespace {
enum class Token {
  End,
  Identifier,
  Comma,
  Open,
  Close,
  Not,
  Equals,
  DoubleEquals,
  NotEquals,
  Greater,
  Less,
  In,
  NotIn,
  Unknown
};

struct Lexeme {
  Token token;
  std::string_view text;
};

constexpr std::pair<std::string_view, Token> kSymbols[] = {
    {"==", Token::DoubleEquals}, {"!=", Token::NotEquals}, {"=", Token::Equals},
    {"!", Token::Not},           {"(", Token::Open},       {")", Token::Close},
    {",", Token::Comma},         {">", Token::Greater},    {"<", Token::Less},
};

std::vector<Lexeme> tokens(std::string_view text) {
  std::vector<Lexeme> out;
  auto isSpace = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  auto isSymbol = [](char c) {
    return std::string_view("=!(),><").find(c) != std::string_view::npos;
  };
  size_t at = 0;
  while (at < text.size()) {
    if (isSpace(text[at])) {
      ++at;
      continue;
    }
    std::string_view rest = text.substr(at);
    if (isSymbol(text[at])) {
      for (const auto& [symbol, token] : kSymbols)
        if (rest.starts_with(symbol)) {
          out.push_back({token, symbol});
          at += symbol.size();
          break;
        }
      continue;
    }
    size_t length = 0;
    while (length < rest.size() && !isSpace(rest[length]) && !isSymbol(rest[length])) ++length;
    std::string_view word = rest.substr(0, length);
    out.push_back({word == "in"      ? Token::In
                   : word == "notin" ? Token::NotIn
                                     : Token::Identifier,
                   word});
    at += length;
  }
  out.push_back({Token::End, ""});
  return out;
}

std::string invalid(std::string_view path, std::string_view value,
                    const std::vector<std::string>& problems) {
  return concat(path, ": Invalid value: ", quoted(value), ": ", join(problems, "; "));
}

Error problem(std::string text) {
  return badRequest(concat("unable to parse requirement: ", text));
}
Error found(std::string_view text, std::string_view rest) {
  return problem(concat("found '", text, "'", rest));
}

Status checkRequirement(const Requirement& requirement) {
  bool ordered = requirement.op == Operator::GreaterThan || requirement.op == Operator::LessThan;
  for (size_t i = 0; i < requirement.values.size(); ++i) {
    const std::string& value = requirement.values[i];
    if (ordered && !parseInt(value))
      return problem(concat("values[", i, "]: Invalid value: ", quoted(value),
                            ": for 'Gt', 'Lt' operators, the value must be an integer"));
    auto problems = labelValueErrors(value);
    if (!problems.empty())
      return problem(invalid(concat("values[", i, "][", requirement.key, "]"), value, problems));
  }
  return okStatus();
}

class Parser {
 public:
  explicit Parser(std::string_view text) : lexemes_(tokens(text)) {}

  Result<std::vector<Requirement>> parse() {
    std::vector<Requirement> out;
    for (;;) {
      const Lexeme& first = peek();
      if (first.token == Token::End) return out;
      if (first.token != Token::Identifier && first.token != Token::Not)
        return badRequest(
            concat("found '", first.text, "', expected: !, identifier, or 'end of string'"));
      out.push_back(TRY(requirement()));
      Lexeme separator = take();
      if (separator.token == Token::End) return out;
      if (separator.token != Token::Comma)
        return badRequest(concat("found '", separator.text, "', expected: ',' or 'end of string'"));
      const Lexeme& next = peek();
      if (next.token != Token::Identifier && next.token != Token::Not)
        return badRequest(concat("found '", next.text, "', expected: identifier after ','"));
    }
  }

 private:
  // Words such as "in" are keywords only where an operator stands.
  Lexeme peek() const {
    Lexeme lexeme = lexemes_[at_];
    if (lexeme.token == Token::In || lexeme.token == Token::NotIn) lexeme.token = Token::Identifier;
    return lexeme;
  }
  Lexeme take() {
    Lexeme lexeme = peek();
    if (lexeme.token != Token::End) ++at_;
    return lexeme;
  }

  Result<Requirement> requirement() {
    Requirement out{"", Operator::Exists, {}};
    Lexeme key = take();
    bool negated = key.token == Token::Not;
    if (negated) key = take();
    if (key.token != Token::Identifier) return found(key.text, ", expected: identifier");
    auto problems = qualifiedNameErrors(key.text);
    if (!problems.empty()) return problem(invalid("<nil>", key.text, problems));
    out.key = key.text;
    if (negated) {
      out.op = Operator::DoesNotExist;
      return out;
    }
    Token next = peek().token;
    if (next == Token::End || next == Token::Comma) return out;
    TRY(operatorAndValues(out));
    std::sort(out.values.begin(), out.values.end());
    out.values.erase(std::unique(out.values.begin(), out.values.end()), out.values.end());
    TRY(checkRequirement(out));
    return out;
  }

  Status operatorAndValues(Requirement& out) {
    Lexeme lexeme = lexemes_[at_];
    if (lexeme.token != Token::End) ++at_;
    switch (lexeme.token) {
      case Token::In:
      case Token::NotIn:
        out.op = lexeme.token == Token::In ? Operator::In : Operator::NotIn;
        return valueSet(out.values);
      case Token::Equals:
      case Token::DoubleEquals:
        out.op = Operator::Equals;
        break;
      case Token::NotEquals:
        out.op = Operator::NotEquals;
        break;
      case Token::Greater:
        out.op = Operator::GreaterThan;
        break;
      case Token::Less:
        out.op = Operator::LessThan;
        break;
      default:
        return found(lexeme.text, ", expected: in, notin, =, ==, !=, gt, lt");
    }
    return exactValue(out.values);
  }

  Status exactValue(std::vector<std::string>& values) {
    Lexeme next = peek();
    if (next.token == Token::End || next.token == Token::Comma) {
      values.emplace_back();
      return okStatus();
    }
    take();
    if (next.token != Token::Identifier) return found(next.text, ", expected: identifier");
    values.emplace_back(next.text);
    return okStatus();
  }

  Status valueSet(std::vector<std::string>& values) {
    Lexeme open = take();
    if (open.token != Token::Open) return found(open.text, " expected: '('");
    Lexeme next = peek();
    if (next.token == Token::Close) {  // "()" holds the empty value
      take();
      values.emplace_back();
      return okStatus();
    }
    if (next.token != Token::Identifier && next.token != Token::Comma)
      return found(next.text, ", expected: ',', ')' or identifier");
    TRY(valueList(values));
    Lexeme close = take();
    if (close.token != Token::Close) return found(close.text, ", expected: ')'");
    return okStatus();
  }

  // Leaves the closing parenthesis. An empty value stands before, between or after lone commas.
  Status valueList(std::vector<std::string>& values) {
    for (;;) {
      Lexeme lexeme = take();
      Token next = peek().token;
      if (lexeme.token == Token::Identifier) {
        values.emplace_back(lexeme.text);
        if (next == Token::Close) return okStatus();
        if (next != Token::Comma) return found(peek().text, ", expected: ',' or ')'");
      } else if (lexeme.token == Token::Comma) {
        if (values.empty()) values.emplace_back();
        if (next == Token::Close) {
          values.emplace_back();
          return okStatus();
        }
        if (next == Token::Comma) {
          take();
          values.emplace_back();
        }
      } else {
        return found(lexeme.text, ", expected: ',', or identifier");
      }
    }
  }

  std::vector<Lexeme> lexemes_;
  size_t at_ = 0;
};

void sortByKey(std::vector<Requirement>& requirements) {
  std::stable_sort(requirements.begin(), requirements.end(),
                   [](const Requirement& a, const Requirement& b) { return a.key < b.key; });
}

Result<Operator> expressionOperator(std::string_view name) {
  if (name == "In") return Operator::In;
  if (name == "NotIn") return Operator::NotIn;
  if (name == "Exists") return Operator::Exists;
  if (name == "DoesNotExist") return Operator::DoesNotExist;
  return badRequest(concat(quoted(name), " is not a valid label selector operator"));
}

bool contains(const std::vector<std::string>& sorted, std::string_view value) {
  return std::binary_search(sorted.begin(), sorted.end(), value);
}

// `value` is null when the label is absent.
bool requirementMatches(const Requirement& requirement, const std::string_view* value) {
  switch (requirement.op) {
    case Operator::In:
    case Operator::Equals:
      return value && contains(requirement.values, *value);
    case Operator::NotIn:
    case Operator::NotEquals:
      return !value || !contains(requirement.values, *value);
    case Operator::Exists:
      return value != nullptr;
    case Operator::DoesNotExist:
      return value == nullptr;
    case Operator::GreaterThan:
    case Operator::LessThan: {
      if (!value || requirement.values.size() != 1) return false;
      auto left = parseInt(*value), right = parseInt(requirement.values.front());
      if (!left || !right) return false;
      return requirement.op == Operator::GreaterThan ? *left > *right : *left < *right;
    }
  }
  return false;
}
}  // namespace

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector out;
  out.requirements_ = TRY(Parser(text).parse());
  sortByKey(out.requirements_);
  return out;
}

LabelSelector LabelSelector::fromMap(const Labels& labels) {
  LabelSelector out;
  for (const auto& [key, value] : labels)
    out.requirements_.push_back({key, Operator::Equals, {value}});
  return out;
}

LabelSelector LabelSelector::nothing() {
  LabelSelector out;
  out.nothing_ = true;
  return out;
}

Result<LabelSelector> LabelSelector::fromTyped(const meta::v1::LabelSelector& selector) {
  LabelSelector out;
  for (const auto& [key, value] : selector.matchLabels)
    out.requirements_.push_back({key, Operator::Equals, {value}});
  for (const auto& expression : selector.matchExpressions) {
    Operator op = TRY(expressionOperator(expression.operator_));
    Requirement requirement{expression.key, op, expression.values};
    std::sort(requirement.values.begin(), requirement.values.end());
    out.requirements_.push_back(std::move(requirement));
  }
  sortByKey(out.requirements_);
  return out;
}

Result<LabelSelector> LabelSelector::fromValue(const codec::Value& selector) {
  if (selector.isNull()) return nothing();
  LabelSelector out;
  for (const auto& member : selector["matchLabels"].members())
    out.requirements_.push_back({std::string(member.key), Operator::Equals, {member.value.str()}});
  for (const auto& expression : selector["matchExpressions"].items()) {
    Operator op = TRY(expressionOperator(expression["operator"].asString()));
    Requirement requirement{expression["key"].str(), op, {}};
    for (const auto& value : expression["values"].items())
      requirement.values.push_back(value.str());
    std::sort(requirement.values.begin(), requirement.values.end());
    out.requirements_.push_back(std::move(requirement));
  }
  sortByKey(out.requirements_);
  return out;
}

template <class Get>
bool LabelSelector::matchesWith(Get get) const {
  if (nothing_) return false;
  return std::all_of(requirements_.begin(), requirements_.end(),
                     [&](const Requirement& requirement) {
                       std::string_view value;
                       bool present = get(requirement.key, &value);
                       return requirementMatches(requirement, present ? &value : nullptr);
                     });
}

bool LabelSelector::matches(const Labels& labels) const {
  return matchesWith([&](const std::string& key, std::string_view* value) {
    auto found = labels.find(key);
    if (found != labels.end()) *value = found->second;
    return found != labels.end();
  });
}

bool LabelSelector::matches(const codec::Value& labels) const {
  return matchesWith([&](const std::string& key, std::string_view* value) {
    const codec::Value* found = labels.find(key);
    if (found) *value = found->asString();
    return found != nullptr;
  });
}

std::string LabelSelector::str() const {
  std::vector<std::string> parts;
  for (const auto& r : requirements_) {
    std::string_view first = r.values.empty() ? std::string_view() : r.values.front();
    switch (r.op) {
      case Operator::In:
        parts.push_back(concat(r.key, " in (", join(r.values, ","), ")"));
        break;
      case Operator::NotIn:
        parts.push_back(concat(r.key, " notin (", join(r.values, ","), ")"));
        break;
      case Operator::Exists:
        parts.push_back(r.key);
        break;
      case Operator::DoesNotExist:
        parts.push_back("!" + r.key);
        break;
      case Operator::Equals:
        parts.push_back(concat(r.key, "=", first));
        break;
      case Operator::NotEquals:
        parts.push_back(concat(r.key, "!=", first));
        break;
      case Operator::GreaterThan:
        parts.push_back(concat(r.key, ">", first));
        break;
      case Operator::LessThan:
        parts.push_back(concat(r.key, "<", first));
        break;
    }
  }
  return join(parts, ",");
}

}  // namespace skiff::api
