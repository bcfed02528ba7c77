// The pieces of an answer's body as one text, for those who read it whole.
#pragma once
#include <string>

#include "net/http.h"

namespace skiff::net {

inline std::string bodyText(const Response& response) {
  std::string text;
  for (const SharedBytes& piece : response.body) text += piece.view();
  return text;
}

}  // namespace skiff::net
