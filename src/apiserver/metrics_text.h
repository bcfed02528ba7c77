// The text form that Prometheus scrapes. https://prometheus.io/docs/instrumenting/exposition_formats/
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace skiff::apiserver {

class MetricsText {
 public:
  explicit MetricsText(std::string& out) : out_(out) {}
  // Begins a family; its samples follow.
  void family(std::string_view name, std::string_view type, std::string_view help);
  // `labels`: a="b",c="d"; may be empty.
  void sample(std::string_view labels, double value);
  // `counts`: each bucket by itself, the last beyond all bounds.
  void histogram(std::string_view labels, std::span<const double> bounds, std::span<const uint64_t> counts, double sum);
  void gauge(std::string_view name, std::string_view help, double value) {
    family(name, "gauge", help);
    sample("", value);
  }
  void counter(std::string_view name, std::string_view help, double value) {
    family(name, "counter", help);
    sample("", value);
  }

 private:
  std::string& out_;
  std::string name_;
};

// A label with its value escaped: name="value".
std::string metricLabel(std::string_view name, std::string_view value);

}  // namespace skiff::apiserver
