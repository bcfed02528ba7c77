#include "apiserver/link_rewriter.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::apiserver {
namespace {

constexpr std::string_view kUrlAttributes[] = {"action",     "background", "cite", "classid",  "codebase", "data",
                                               "formaction", "href",       "icon", "longdesc", "manifest", "poster",
                                               "profile",    "src",        "usemap"};
// Their insides are no markup.
constexpr std::string_view kRawElements[] = {"script", "style", "textarea", "title"};

bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

size_t findIgnoringCase(std::string_view text, std::string_view what, size_t from) {
  for (size_t at = from; at + what.size() <= text.size(); ++at)
    if (equalsIgnoreCase(text.substr(at, what.size()), what)) return at;
  return text.size();
}

}  // namespace

std::string LinkRewriter::url(std::string_view text) const {
  std::string_view path = text;
  for (std::string_view scheme : {"http://", "https://", "//"}) {
    if (!text.starts_with(scheme)) continue;
    std::string_view rest = text.substr(scheme.size());
    size_t slash = std::min(rest.find('/'), rest.size());
    if (rest.substr(0, slash) != host_) return std::string(text);
    path = rest.substr(slash);
    break;
  }
  if (!path.starts_with('/') || path.starts_with(prefix_)) return std::string(path.empty() ? text : path);
  return concat(prefix_, path);
}

// One pass over a page: everything is copied but the values of URL attributes.
class LinkRewriter::Page {
 public:
  Page(const LinkRewriter& links, std::string_view html) : links_(links), html_(html) {}

  std::string run() {
    while (at_ < html_.size()) {
      size_t tag = std::min(html_.find('<', at_), html_.size());
      copyTo(tag);
      if (at_ < html_.size()) markup();
    }
    return std::move(out_);
  }

 private:
  void copyTo(size_t end) {
    out_ += html_.substr(at_, end - at_);
    at_ = end;
  }
  template <class Is>
  std::string_view take(Is is) {
    size_t from = at_;
    while (at_ < html_.size() && is(html_[at_])) ++at_;
    out_ += html_.substr(from, at_ - from);
    return html_.substr(from, at_ - from);
  }

  void markup() {
    if (html_.substr(at_).starts_with("<!--")) return copyTo(std::min(html_.find("-->", at_), html_.size()));
    copyTo(at_ + 1);
    if (at_ >= html_.size() || !std::isalpha(static_cast<unsigned char>(html_[at_]))) return;
    std::string name = toLower(take([](char c) { return !isSpace(c) && c != '>' && c != '/'; }));
    while (at_ < html_.size() && html_[at_] != '>') attribute();
    bool raw = std::ranges::find(kRawElements, name) != std::end(kRawElements);
    if (raw) copyTo(findIgnoringCase(html_, concat("</", name), at_));
  }

  void attribute() {
    take([](char c) { return isSpace(c) || c == '/'; });
    std::string name = toLower(take([](char c) { return !isSpace(c) && c != '=' && c != '>' && c != '/'; }));
    take(isSpace);
    if (at_ >= html_.size() || html_[at_] != '=') return;
    copyTo(at_ + 1);
    take(isSpace);
    if (at_ >= html_.size()) return;
    char quote = html_[at_];
    bool quoted = quote == '"' || quote == '\'';
    if (quoted) copyTo(at_ + 1);
    size_t end = at_;
    while (end < html_.size() && (quoted ? html_[end] != quote : !isSpace(html_[end]) && html_[end] != '>')) ++end;
    bool link = std::ranges::find(kUrlAttributes, name) != std::end(kUrlAttributes);
    if (link) {
      out_ += links_.url(html_.substr(at_, end - at_));
      at_ = end;
    }
    copyTo(std::min(quoted ? end + 1 : end, html_.size()));
  }

  const LinkRewriter& links_;
  std::string_view html_;
  size_t at_ = 0;
  std::string out_;
};

std::string LinkRewriter::page(std::string_view html) const { return Page(*this, html).run(); }

}  // namespace skiff::apiserver
