// Texts: https://github.com/google/cel-go/tree/master/ext#strings and Kubernetes' regular expressions. Positions count
// code points.
#include <re2/re2.h>

#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "cel/library.h"

namespace skiff::cel {
namespace {

using Args = std::span<const Value>;

bool allStrings(Args args) {
  return std::ranges::all_of(args, [](const Value& arg) { return arg.is(Kind::String); });
}

bool isContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

int64_t codePoints(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return !isContinuation(c); });
}

// Byte offset of the code point at `position`; nullopt beyond the end (the end itself is fine).
std::optional<size_t> byteOffset(std::string_view text, int64_t position) {
  if (position < 0) return std::nullopt;
  for (size_t i = 0; i < text.size(); ++i)
    if (!isContinuation(text[i]) && position-- == 0) return i;
  return position == 0 ? std::optional(text.size()) : std::nullopt;
}

Value contains(Context& context, Args args) {
  if (!allStrings(args)) return context.noOverload();
  if (!context.chargeText(args[0].asText().size() * std::max<size_t>(1, args[1].asText().size() / 10))) return {};
  return Value::boolean(args[0].asText().find(args[1].asText()) != std::string_view::npos);
}
Value startsWith(Context& context, Args args) {
  return allStrings(args) ? Value::boolean(args[0].asText().starts_with(args[1].asText())) : context.noOverload();
}
Value endsWith(Context& context, Args args) {
  return allStrings(args) ? Value::boolean(args[0].asText().ends_with(args[1].asText())) : context.noOverload();
}

Value charAt(Context& context, Args args) {
  if (!args[0].is(Kind::String) || !args[1].is(Kind::Int)) return context.noOverload();
  std::string_view text = args[0].asText();
  std::optional<size_t> from = byteOffset(text, args[1].asInt());
  if (!from) return context.fail(concat("index out of range: ", args[1].asInt()));
  size_t length = *from < text.size() ? 1 : 0;
  while (*from + length < text.size() && isContinuation(text[*from + length])) ++length;
  return Value::string(text.substr(*from, length));
}

Value indexOf(Context& context, Args args) {
  if (!allStrings(args.first(2)) || (args.size() == 3 && !args[2].is(Kind::Int))) return context.noOverload();
  if (!context.chargeText(args[0].asText().size())) return {};
  std::optional<size_t> from = args.size() == 3 ? byteOffset(args[0].asText(), args[2].asInt()) : 0;
  if (!from) return context.fail(concat("index out of range: ", args[2].asInt()));
  size_t found = args[0].asText().find(args[1].asText(), *from);
  if (found == std::string_view::npos) return Value::integer(-1);
  return Value::integer(codePoints(args[0].asText().substr(0, found)));
}

Value lastIndexOf(Context& context, Args args) {
  if (!allStrings(args.first(2)) || (args.size() == 3 && !args[2].is(Kind::Int))) return context.noOverload();
  if (!context.chargeText(args[0].asText().size())) return {};
  std::optional<size_t> from = args.size() == 3 ? byteOffset(args[0].asText(), args[2].asInt()) : args[0].asText().size();
  if (!from) return context.fail(concat("index out of range: ", args[2].asInt()));
  size_t found = args[0].asText().rfind(args[1].asText(), *from);
  if (found == std::string_view::npos) return Value::integer(-1);
  return Value::integer(codePoints(args[0].asText().substr(0, found)));
}

Value lowerAscii(Context& context, Args args) {
  if (!allStrings(args) || !context.chargeText(args[0].asText().size())) return context.noOverload();
  return context.text(toLower(args[0].asText()));
}
Value upperAscii(Context& context, Args args) {
  if (!allStrings(args) || !context.chargeText(args[0].asText().size())) return context.noOverload();
  std::string text(args[0].asText());
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = char(c - 'a' + 'A');
  return context.text(text);
}

Value replace(Context& context, Args args) {
  if (!allStrings(args.first(3)) || (args.size() == 4 && !args[3].is(Kind::Int))) return context.noOverload();
  std::string_view text = args[0].asText(), from = args[1].asText(), to = args[2].asText();
  int64_t left = args.size() == 4 ? args[3].asInt() : -1;
  std::string out;
  size_t at = 0;
  while (left != 0) {
    size_t found = text.find(from, at);
    if (found == std::string_view::npos) break;
    if (!context.chargeText(found - at + to.size() + 10)) return {};
    out.append(text.substr(at, found - at)).append(to);
    at = found + from.size();
    --left;
    if (!from.empty()) continue;
    if (at >= text.size()) return context.text(out);
    do out += text[at++];  // an empty text stands between any two characters
    while (at < text.size() && isContinuation(text[at]));
  }
  return context.text(out.append(text.substr(at)));
}

std::vector<Value> splitCharacters(std::string_view text, int64_t limit) {
  std::vector<Value> parts;
  while (!text.empty() && limit != 1) {
    size_t length = 1;
    while (length < text.size() && isContinuation(text[length])) ++length;
    parts.push_back(Value::string(text.substr(0, length)));
    text.remove_prefix(length);
    --limit;
  }
  if (!text.empty()) parts.push_back(Value::string(text));
  return parts;
}

Value splitText(Context& context, Args args) {
  if (!allStrings(args.first(2)) || (args.size() == 3 && !args[2].is(Kind::Int))) return context.noOverload();
  std::string_view text = args[0].asText(), separator = args[1].asText();
  int64_t limit = args.size() == 3 ? args[2].asInt() : -1;
  if (!context.chargeText(text.size())) return {};
  if (limit == 0) return context.list({});
  if (separator.empty()) return context.list(splitCharacters(text, limit));
  std::vector<Value> parts;
  while (limit < 0 || limit > 1) {
    size_t found = text.find(separator);
    if (found == std::string_view::npos) break;
    if (!context.charge(1)) return {};
    parts.push_back(Value::string(text.substr(0, found)));
    text.remove_prefix(found + separator.size());
    if (limit > 0) --limit;
  }
  parts.push_back(Value::string(text));
  return context.list(parts);
}

Value joinTexts(Context& context, Args args) {
  if (!args[0].is(Kind::List) || (args.size() == 2 && !args[1].is(Kind::String))) return context.noOverload();
  std::string_view separator = args.size() == 2 ? args[1].asText() : "";
  std::string out;
  for (size_t i = 0; i < args[0].size(); ++i) {
    Value item = args[0].item(i);
    if (!item.is(Kind::String)) return context.fail("join: invalid input: " + std::string(typeName(item.kind())));
    if (i > 0) out += separator;
    out += item.asText();
    if (!context.chargeText(item.asText().size() + separator.size() + 10)) return {};
  }
  return context.text(out);
}

Value substring(Context& context, Args args) {
  bool typed = args[0].is(Kind::String) && args[1].is(Kind::Int) && (args.size() == 2 || args[2].is(Kind::Int));
  if (!typed) return context.noOverload();
  std::string_view text = args[0].asText();
  std::optional<size_t> from = byteOffset(text, args[1].asInt());
  if (!from) return context.fail(concat("index out of range: ", args[1].asInt()));
  if (args.size() == 2) return Value::string(text.substr(*from));
  std::optional<size_t> to = byteOffset(text, args[2].asInt());
  if (!to) return context.fail(concat("index out of range: ", args[2].asInt()));
  if (*to < *from) return context.fail(concat("invalid substring range. start: ", args[1].asInt(), ", end: ", args[2].asInt()));
  return Value::string(text.substr(*from, *to - *from));
}

Value trimText(Context& context, Args args) {
  return allStrings(args) ? Value::string(trim(args[0].asText())) : context.noOverload();
}
Value quote(Context& context, Args args) {
  if (!allStrings(args) || !context.chargeText(args[0].asText().size())) return context.noOverload();
  return context.text(quoted(args[0].asText()));
}
Value format(Context& context, Args args) {
  if (!args[0].is(Kind::String) || !args[1].is(Kind::List)) return context.noOverload();
  return formatText(context, args[0].asText(), args[1]);
}

// A constant pattern was compiled with the expression; others are compiled here, each time.
template <class Use>
Value withPattern(Context& context, Args args, Use use) {
  if (!allStrings(args.first(2))) return context.noOverload();
  size_t weight = std::max<size_t>(1, args[1].asText().size() / 4);
  if (!context.chargeText(args[0].asText().size() * weight)) return {};
  if (context.call->regex) return use(*context.call->regex);
  RE2::Options options;
  options.set_log_errors(false);
  RE2 pattern(re2::StringPiece(args[1].asText().data(), args[1].asText().size()), options);
  if (!pattern.ok()) return context.fail("error parsing regexp: " + pattern.error());
  return use(pattern);
}

re2::StringPiece piece(const Value& value) { return {value.asText().data(), value.asText().size()}; }

Value matches(Context& context, Args args) {
  return withPattern(context, args,
                     [&](const RE2& pattern) { return Value::boolean(RE2::PartialMatch(piece(args[0]), pattern)); });
}

Value find(Context& context, Args args) {
  return withPattern(context, args, [&](const RE2& pattern) {
    re2::StringPiece text = piece(args[0]), found;
    if (!pattern.Match(text, 0, text.size(), RE2::UNANCHORED, &found, 1)) return Value::string("");
    return Value::string({found.data(), found.size()});
  });
}

Value findAll(Context& context, Args args) {
  if (args.size() == 3 && !args[2].is(Kind::Int)) return context.noOverload();
  int64_t limit = args.size() == 3 ? args[2].asInt() : -1;
  return withPattern(context, args, [&](const RE2& pattern) {
    re2::StringPiece text = piece(args[0]), found;
    std::vector<Value> all;
    size_t at = 0;
    while (limit != 0 && at <= text.size() && pattern.Match(text, at, text.size(), RE2::UNANCHORED, &found, 1)) {
      if (!context.charge(1)) return Value();
      all.push_back(Value::string({found.data(), found.size()}));
      at = size_t(found.data() - text.data()) + std::max<size_t>(1, found.size());
      --limit;
    }
    return context.list(all);
  });
}

Value reverseAny(Context& context, Args args) {
  std::vector<Value> items;
  if (args[0].is(Kind::List)) {
    for (size_t i = args[0].size(); i-- > 0;) items.push_back(args[0].item(i));
    return context.charge(int64_t(items.size())) ? context.list(items) : Value();
  }
  if (!args[0].is(Kind::String)) return context.noOverload();
  if (!context.chargeText(args[0].asText().size())) return {};
  std::string out;
  for (const Value& character : splitCharacters(args[0].asText(), -1)) out.insert(0, character.asText());
  return context.text(out);
}

constexpr Function kFunctions[] = {
    {"contains", Style::Member, 2, 2, contains, "string string -> bool"},
    {"startsWith", Style::Member, 2, 2, startsWith, "string string -> bool"},
    {"endsWith", Style::Member, 2, 2, endsWith, "string string -> bool"},
    {"matches", Style::Member, 2, 2, matches, "string string -> bool"},
    {"matches", Style::Global, 2, 2, matches, "string string -> bool"},
    {"charAt", Style::Member, 2, 2, charAt, "string int -> string"},
    {"lowerAscii", Style::Member, 1, 1, lowerAscii, "string -> string"},
    {"upperAscii", Style::Member, 1, 1, upperAscii, "string -> string"},
    {"replace", Style::Member, 3, 4, replace, "string string string -> string | string string string int -> string"},
    {"split", Style::Member, 2, 3, splitText, "string string -> list<string> | string string int -> list<string>"},
    {"join", Style::Member, 1, 2, joinTexts, "list<string> -> string | list<string> string -> string"},
    {"substring", Style::Member, 2, 3, substring, "string int -> string | string int int -> string"},
    {"trim", Style::Member, 1, 1, trimText, "string -> string"},
    {"format", Style::Member, 2, 2, format, "string list<dyn> -> string"},
    {"strings.quote", Style::Global, 1, 1, quote, "string -> string"},
    {"find", Style::Member, 2, 2, find, "string string -> string"},
    {"findAll", Style::Member, 2, 3, findAll, "string string -> list<string> | string string int -> list<string>"},
    {"reverse", Style::Member, 1, 1, reverseAny, "list<A> -> list<A>"},
};

}  // namespace

// indexOf and lastIndexOf are also functions of lists (library_lists.cc decides by the receiver).
Value textIndexOf(Context& context, Args args) { return indexOf(context, args); }
Value textLastIndexOf(Context& context, Args args) { return lastIndexOf(context, args); }

std::span<const Function> stringFunctions() { return kFunctions; }

}  // namespace skiff::cel
