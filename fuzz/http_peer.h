// A server of src/net on a unix socket for the life of the fuzzer, and a peer that says everything and hears the answer out.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace skiff::fuzz {

// What the server answers to these bytes, sent in steps of that size. Aborts when it does not end within seconds.
std::string exchange(std::string_view bytes, size_t step);

}  // namespace skiff::fuzz
