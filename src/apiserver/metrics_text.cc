#include "apiserver/metrics_text.h"

#include <charconv>
#include <cmath>

#include "base/strings.h"

namespace skiff::apiserver {
namespace {
// As Go's %g with the fewest digits, which every scraper has seen: 1e+06, 0.025, 258048.
std::string numberText(double value) {
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char text[64];
  auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::general).ptr;
  return {text, end};
}
}  // namespace

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  out_ += concat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
}

void MetricsText::sample(std::string_view labels, double value) {
  out_ += labels.empty() ? concat(name_, " ", numberText(value), "\n") : concat(name_, "{", labels, "} ", numberText(value), "\n");
}

void MetricsText::histogram(std::string_view labels, std::span<const double> bounds, std::span<const uint64_t> counts, double sum) {
  std::string_view comma = labels.empty() ? "" : ",";
  uint64_t total = 0;
  for (size_t i = 0; i < bounds.size(); ++i) {
    total += counts[i];
    out_ += concat(name_, "_bucket{", labels, comma, "le=\"", numberText(bounds[i]), "\"} ", total, "\n");
  }
  total += counts[bounds.size()];
  out_ += concat(name_, "_bucket{", labels, comma, "le=\"+Inf\"} ", total, "\n");
  std::string braces = labels.empty() ? "" : concat("{", labels, "}");
  out_ += concat(name_, "_sum", braces, " ", numberText(sum), "\n", name_, "_count", braces, " ", total, "\n");
}

std::string metricLabel(std::string_view name, std::string_view value) {
  std::string out = concat(name, "=\"");
  for (char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') out += "\\n";
    else out += c;
  }
  return out + '"';
}

}  // namespace skiff::apiserver
