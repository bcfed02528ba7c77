// Time and randomness come in by constructor, so that tests and the simulator own them.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skiff {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using WallTime = std::chrono::sys_time<microseconds>;  // UTC
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;
  virtual SteadyTime steadyNow() const = 0;
  static const Clock& real();
};

class Rng {
 public:
  virtual ~Rng() = default;
  virtual uint64_t next() = 0;
  uint64_t below(uint64_t bound) { return next() % bound; }
  static Rng& real();  // thread safe, seeded by the kernel
};

std::string newUid(Rng& rng = Rng::real());                    // RFC 4122 version 4
std::string randomSuffix(Rng& rng = Rng::real(), int n = 5);   // alphabet of generateName

std::string formatRfc3339(WallTime time);        // 2026-11-22T10:00:00Z
std::string formatRfc3339Micro(WallTime time);   // 2026-11-22T10:00:00.000000Z
std::optional<WallTime> parseRfc3339(std::string_view text);  // any fraction and offset

}  // namespace skiff
