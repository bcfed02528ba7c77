#include "apiserver/metrics_text.h"

#include <cmath>

#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {
std::string numberText(double value) {
  if (std::abs(value) < 1e15 && value == std::trunc(value)) return std::to_string(int64_t(value));
  return codec::formatJsonDouble(value);
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
