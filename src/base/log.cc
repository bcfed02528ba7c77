#include "base/log.h"

#include <unistd.h>

#include <atomic>

#include "base/clock.h"
#include "base/strings.h"

namespace skiff::log {
namespace {
// The log is the one place that every room writes to; its level is set once at start.
std::atomic<Level> gLevel{Level::Info};
constexpr size_t kMaxValue = 2048;  // no line may flood the log
}  // namespace

void setLevel(Level level) { gLevel.store(level, std::memory_order_relaxed); }
bool enabled(Level level) { return level >= gLevel.load(std::memory_order_relaxed); }

void write(Level level, std::string_view message, std::initializer_list<Pair> pairs) {
  if (!enabled(level)) return;
  std::string line(1, "DIWE"[int(level)]);
  line += ' ';
  line += formatRfc3339Micro(Clock::real().now());
  line += ' ';
  line += quoted(message);
  for (const auto& pair : pairs) {
    line += ' ';
    line += pair.key;
    line += '=';
    line += quoted(std::string_view(pair.value).substr(0, kMaxValue));
  }
  line += '\n';
  // One write call a line: lines of several threads do not mix.
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace skiff::log
