// Web pages behind a proxy path: links that lead to the root of the backend's host lead below the proxy's path instead.
// What the HTML standard calls URL attributes (https://html.spec.whatwg.org/multipage/indices.html#attributes-3).
#pragma once
#include <string>
#include <string_view>

namespace skiff::apiserver {

class LinkRewriter {
 public:
  // The backend as the links may name it ("10.0.0.1:80"), and the proxy's path without its last slash.
  LinkRewriter(std::string host, std::string prefix) : host_(std::move(host)), prefix_(std::move(prefix)) {}

  // Relative links, those to other hosts and those that have the prefix stay as they are.
  std::string url(std::string_view text) const;
  std::string page(std::string_view html) const;

 private:
  class Page;
  std::string host_, prefix_;
};

}  // namespace skiff::apiserver
