#include "base/clock.h"

#include <sys/random.h>

#include <array>
#include <cstdio>
#include <utility>

#include "base/result.h"
#include "base/strings.h"

namespace skiff {
namespace {
class RealClock final : public Clock {
 public:
  WallTime now() const override {
    return std::chrono::floor<microseconds>(std::chrono::system_clock::now());
  }
  SteadyTime steadyNow() const override { return std::chrono::steady_clock::now(); }
};

// The kernel's numbers, drawn several at a time: a new pod takes seven.
class KernelRng final : public Rng {
 public:
  uint64_t next() override {
    thread_local std::array<uint64_t, 32> numbers;  // 256 bytes: what getrandom gives at once, or not at all
    thread_local size_t left = 0;
    if (left == 0) {
      MUST(getrandom(numbers.data(), sizeof numbers, 0) == ssize_t(sizeof numbers));
      left = numbers.size();
    }
    return std::exchange(numbers[--left], 0);
  }
};
}  // namespace

const Clock& Clock::real() {
  static const RealClock clock;
  return clock;
}

Rng& Rng::real() {
  static KernelRng rng;
  return rng;
}

std::string newUid(Rng& rng) {
  uint64_t high = (rng.next() & ~0xf000ull) | 0x4000ull;                     // version 4
  uint64_t low = (rng.next() & ~(0xc0ull << 56)) | (0x80ull << 56);         // RFC 4122 variant
  std::array<char, 40> text;
  std::snprintf(text.data(), text.size(), "%08x-%04x-%04x-%04x-%012llx", unsigned(high >> 32),
                unsigned(high >> 16 & 0xffff), unsigned(high & 0xffff), unsigned(low >> 48),
                static_cast<unsigned long long>(low & 0xffffffffffffull));
  return text.data();
}

std::string randomSuffix(Rng& rng, int n) {
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";  // no vowels: no words
  std::string out;
  for (int i = 0; i < n; ++i) out += kAlphabet[rng.below(kAlphabet.size())];
  return out;
}

namespace {
std::string format(WallTime time, bool micros) {
  using namespace std::chrono;
  auto day = floor<days>(time);
  year_month_day date{day};
  auto rest = time - day;
  auto h = duration_cast<hours>(rest);
  auto m = duration_cast<minutes>(rest - h);
  auto s = duration_cast<seconds>(rest - h - m);
  auto us = rest - h - m - s;
  std::array<char, 64> text;
  int n = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", int(date.year()),
                        unsigned(date.month()), unsigned(date.day()), int(h.count()),
                        int(m.count()), int(s.count()));
  if (micros)
    n += std::snprintf(text.data() + n, text.size() - size_t(n), ".%06d", int(us.count()));
  return std::string(text.data(), size_t(n)) + "Z";
}
}  // namespace

std::string formatRfc3339(WallTime time) { return format(time, false); }
std::string formatRfc3339Micro(WallTime time) { return format(time, true); }

std::optional<WallTime> parseRfc3339(std::string_view text) {
  using namespace std::chrono;
  auto number = [&](size_t at, size_t count) -> int {
    if (at + count > text.size()) return -1;
    int value = 0;
    for (char c : text.substr(at, count)) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  };
  int y = number(0, 4), mo = number(5, 2), d = number(8, 2);
  int h = number(11, 2), mi = number(14, 2), s = number(17, 2);
  if (y < 0 || mo < 0 || d < 0 || h < 0 || mi < 0 || s < 0) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  year_month_day date{year(y), month(unsigned(mo)), day(unsigned(d))};
  if (!date.ok() || h > 23 || mi > 59 || s > 59) return std::nullopt;
  auto rest = text.substr(19);
  int64_t us = 0;
  if (rest.starts_with('.')) {
    size_t i = 1;
    for (int64_t unit = 100000; i < rest.size() && rest[i] >= '0' && rest[i] <= '9'; ++i, unit /= 10)
      us += (rest[i] - '0') * unit;
    if (i == 1) return std::nullopt;
    rest.remove_prefix(i);
  }
  WallTime time = sys_days(date) + hours(h) + minutes(mi) + seconds(s) + microseconds(us);
  if (rest == "Z") return time;
  if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') return std::nullopt;
  size_t base = text.size() - 6;
  int oh = number(base + 1, 2), om = number(base + 4, 2);
  if (oh < 0 || oh > 23 || om < 0 || om > 59) return std::nullopt;
  auto offset = hours(oh) + minutes(om);
  return rest[0] == '+' ? time - offset : time + offset;
}

}  // namespace skiff
