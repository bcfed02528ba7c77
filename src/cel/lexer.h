// Text to tokens: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "cel/value.h"
#include "codec/value.h"

namespace skiff::cel {

enum class Token : uint8_t {
  End, Identifier, QuotedIdentifier, Int, Uint, Double, String, Bytes, True, False, Null, In,
  Dot, Comma, Colon, Question, LeftParen, RightParen, LeftBracket, RightBracket, LeftBrace, RightBrace,
  Plus, Minus, Star, Slash, Percent, Not, And, Or, Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual,
  Bad,
};

class Lexer {
 public:
  // `text` and `arena` must outlive the tokens' views.
  Lexer(std::string_view text, codec::Arena& arena) : text_(text), arena_(arena) { next(); }

  Token token() const { return token_; }
  size_t offset() const { return start_; }
  std::string_view spelling() const { return text_.substr(start_, at_ - start_); }
  // Of strings and bytes the decoded text, of identifiers the name.
  std::string_view text() const { return value_; }
  const std::string& problem() const { return problem_; }  // of a Bad token
  void next();

 private:
  void skipSpace();
  Token scan();
  Token number();
  Token word();
  Token quotedIdentifier();
  Token stringLiteral(bool raw, bool bytes);
  bool escape(std::string& out, bool bytes);
  Token bad(std::string problem);
  Token one(Token token) { return ++at_, token; }
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  std::string_view text_;
  codec::Arena& arena_;
  size_t at_ = 0, start_ = 0;
  Token token_ = Token::End;
  std::string_view value_;
  std::string problem_;
};

}  // namespace skiff::cel
