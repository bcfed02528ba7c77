// Structured logging: a constant message and typed pairs. Error level means an operator must act.
//   log::info("Bound pod", {{"pod", key}, {"node", node}});
// Lines are klog-like text on stderr: `I 2026-11-22T10:00:00.000000Z component "Bound pod" pod="a/b"`.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

namespace skiff::log {

enum class Level { Debug, Info, Warn, Error };

struct Pair {
  Pair(std::string_view k, std::string_view v) : key(k), value(v) {}
  Pair(std::string_view k, const std::string& v) : key(k), value(v) {}
  Pair(std::string_view k, const char* v) : key(k), value(v) {}
  Pair(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  template <class N>
    requires std::is_arithmetic_v<N>
  Pair(std::string_view k, N v) : key(k), value(std::to_string(v)) {}
  std::string_view key;
  std::string value;
};

void setLevel(Level level);
bool enabled(Level level);
void write(Level level, std::string_view message, std::initializer_list<Pair> pairs);

inline void debug(std::string_view message, std::initializer_list<Pair> pairs = {}) {
  if (enabled(Level::Debug)) write(Level::Debug, message, pairs);
}
inline void info(std::string_view message, std::initializer_list<Pair> pairs = {}) {
  write(Level::Info, message, pairs);
}
inline void warn(std::string_view message, std::initializer_list<Pair> pairs = {}) {
  write(Level::Warn, message, pairs);
}
inline void error(std::string_view message, std::initializer_list<Pair> pairs = {}) {
  write(Level::Error, message, pairs);
}

}  // namespace skiff::log
