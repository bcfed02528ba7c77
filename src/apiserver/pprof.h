// The form of profiles that `go tool pprof` reads: https://github.com/google/pprof/blob/main/proto/README.md
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "rt/stack_sampler.h"
#include "rt/symbols.h"

namespace skiff::apiserver {

struct ProfileForm {
  struct Value {
    std::string_view type, unit;
    int64_t each;  // what one sample counts
  };
  std::vector<Value> values;  // the last is the period's
  int64_t timeNanos = 0, durationNanos = 0;
};

// Compressed, as the format wants it.
std::vector<SharedBytes> encodeProfile(const std::map<rt::Stack, uint64_t>& samples, const ProfileForm& form, rt::Symbols& symbols);
// "N @ 0x.. 0x.." and a line a frame: what Go shows for debug=1.
std::string profileText(std::string_view title, const std::map<rt::Stack, uint64_t>& samples, rt::Symbols& symbols);

}  // namespace skiff::apiserver
