#include "cel/lexer.h"

#include "base/strings.h"

namespace skiff::cel {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isHex(char c) { return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool isLetter(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
int hexValue(char c) { return isDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10; }

void appendUtf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += char(code);
  } else if (code < 0x800) {
    out += char(0xc0 | code >> 6);
    out += char(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += char(0xe0 | code >> 12);
    out += char(0x80 | (code >> 6 & 0x3f));
    out += char(0x80 | (code & 0x3f));
  } else {
    out += char(0xf0 | code >> 18);
    out += char(0x80 | (code >> 12 & 0x3f));
    out += char(0x80 | (code >> 6 & 0x3f));
    out += char(0x80 | (code & 0x3f));
  }
}

}  // namespace

void Lexer::next() {
  skipSpace();
  start_ = at_;
  value_ = {};
  token_ = scan();
}

void Lexer::skipSpace() {
  while (at_ < text_.size()) {
    char c = text_[at_];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
      ++at_;
    } else if (c == '/' && peek(1) == '/') {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else {
      return;
    }
  }
}

Token Lexer::bad(std::string problem) {
  problem_ = std::move(problem);
  return Token::Bad;
}

Token Lexer::scan() {
  if (at_ >= text_.size()) return Token::End;
  char c = text_[at_];
  if (isDigit(c) || (c == '.' && isDigit(peek(1)))) return number();
  if (isLetter(c)) return word();
  auto two = [&](char second, Token with, Token without) {
    if (peek(1) != second) return without == Token::Bad ? bad(concat("token recognition error at: '", c, "'")) : one(without);
    at_ += 2;
    return with;
  };
  switch (c) {
    case '"':
    case '\'': return stringLiteral(false, false);
    case '`': return quotedIdentifier();
    case '.': return one(Token::Dot);
    case ',': return one(Token::Comma);
    case ':': return one(Token::Colon);
    case '?': return one(Token::Question);
    case '(': return one(Token::LeftParen);
    case ')': return one(Token::RightParen);
    case '[': return one(Token::LeftBracket);
    case ']': return one(Token::RightBracket);
    case '{': return one(Token::LeftBrace);
    case '}': return one(Token::RightBrace);
    case '+': return one(Token::Plus);
    case '-': return one(Token::Minus);
    case '*': return one(Token::Star);
    case '/': return one(Token::Slash);
    case '%': return one(Token::Percent);
    case '!': return two('=', Token::NotEqual, Token::Not);
    case '=': return two('=', Token::Equal, Token::Bad);
    case '<': return two('=', Token::LessEqual, Token::Less);
    case '>': return two('=', Token::GreaterEqual, Token::Greater);
    case '&': return two('&', Token::And, Token::Bad);
    case '|': return two('|', Token::Or, Token::Bad);
    default: return bad(concat("token recognition error at: '", c, "'"));
  }
}

Token Lexer::number() {
  if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X') && isHex(peek(2))) {
    at_ += 2;
    while (isHex(peek())) ++at_;
  } else {
    bool fractional = false;
    while (isDigit(peek())) ++at_;
    if (peek() == '.' && isDigit(peek(1))) {
      fractional = true;
      ++at_;
      while (isDigit(peek())) ++at_;
    }
    size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if ((peek() == 'e' || peek() == 'E') && isDigit(peek(1 + sign))) {
      fractional = true;
      at_ += 1 + sign;
      while (isDigit(peek())) ++at_;
    }
    if (fractional) return value_ = spelling(), Token::Double;
  }
  value_ = spelling();
  if (peek() == 'u' || peek() == 'U') return ++at_, Token::Uint;
  return Token::Int;
}

Token Lexer::word() {
  // A prefix of r and b in any order and case before a quote makes a raw or bytes literal.
  bool raw = false, bytes = false;
  size_t prefix = 0;
  for (; prefix < 2; ++prefix) {
    char c = peek(prefix);
    if ((c == 'r' || c == 'R') && !raw) raw = true;
    else if ((c == 'b' || c == 'B') && !bytes) bytes = true;
    else break;
  }
  if (prefix > 0 && (peek(prefix) == '"' || peek(prefix) == '\'')) {
    at_ += prefix;
    return stringLiteral(raw, bytes);
  }
  while (isLetter(peek()) || isDigit(peek())) ++at_;
  value_ = spelling();
  if (value_ == "true") return Token::True;
  if (value_ == "false") return Token::False;
  if (value_ == "null") return Token::Null;
  if (value_ == "in") return Token::In;
  return Token::Identifier;
}

Token Lexer::quotedIdentifier() {
  size_t end = text_.find('`', at_ + 1);
  if (end == std::string_view::npos || end == at_ + 1) return bad("token recognition error at: '`'");
  value_ = text_.substr(at_ + 1, end - at_ - 1);
  at_ = end + 1;
  return Token::QuotedIdentifier;
}

Token Lexer::stringLiteral(bool raw, bool bytes) {
  char quote = peek();
  bool triple = peek(1) == quote && peek(2) == quote;
  at_ += triple ? 3 : 1;
  std::string out;
  while (true) {
    if (at_ >= text_.size() || (!triple && (peek() == '\n' || peek() == '\r')))
      return bad(concat("token recognition error at: '", text_.substr(start_, at_ - start_), "'"));
    char c = peek();
    if (c == quote && (!triple || (peek(1) == quote && peek(2) == quote))) {
      at_ += triple ? 3 : 1;
      value_ = arena_.copy(out);
      return bytes ? Token::Bytes : Token::String;
    }
    if (c == '\\' && !raw) {
      if (!escape(out, bytes)) return bad("token recognition error at: '\\'");
      continue;
    }
    if (c == '\\' && at_ + 1 < text_.size()) {  // raw: a backslash keeps a quote from ending the text
      out += c;
      ++at_;
    }
    out += peek();
    ++at_;
  }
}

bool Lexer::escape(std::string& out, bool bytes) {
  char c = peek(1);
  at_ += 2;
  switch (c) {
    case 'a': return out += '\a', true;
    case 'b': return out += '\b', true;
    case 'f': return out += '\f', true;
    case 'n': return out += '\n', true;
    case 'r': return out += '\r', true;
    case 't': return out += '\t', true;
    case 'v': return out += '\v', true;
    case '\\':
    case '\'':
    case '"':
    case '`':
    case '?': return out += c, true;
    default: break;
  }
  uint32_t code = 0;
  if (c >= '0' && c <= '3') {  // three octal digits
    code = uint32_t(c - '0');
    for (int i = 0; i < 2; ++i, ++at_) {
      if (peek() < '0' || peek() > '7') return false;
      code = code * 8 + uint32_t(peek() - '0');
    }
  } else {
    int digits = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0 || (bytes && digits > 2)) return false;
    for (int i = 0; i < digits; ++i, ++at_) {
      if (!isHex(peek())) return false;
      code = code * 16 + uint32_t(hexValue(peek()));
    }
  }
  if (bytes) return out += char(code), true;
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
  appendUtf8(out, code);
  return true;
}

}  // namespace skiff::cel
