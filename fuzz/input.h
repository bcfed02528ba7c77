// A fuzzer's input, taken apart from its front: a few choices, then texts.
#pragma once
#include <cstdint>
#include <string_view>

namespace skiff::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  uint8_t byte() {  // 0 at the end
    if (rest_.empty()) return 0;
    auto first = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return first;
  }
  std::string_view take(size_t count) {
    std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // Up to the separator, which is dropped, or the end.
  std::string_view until(char separator) {
    size_t at = rest_.find(separator);
    std::string_view taken = rest_.substr(0, at);
    rest_.remove_prefix(at == rest_.npos ? rest_.size() : at + 1);
    return taken;
  }
  std::string_view rest() { return take(rest_.size()); }

 private:
  std::string_view rest_;
};

}  // namespace skiff::fuzz
