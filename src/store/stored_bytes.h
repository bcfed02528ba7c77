// How what is stored is put together and taken apart: numbers as they lie in memory, little endian, and bytes.
#pragma once
#include <bit>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace skiff::store {

static_assert(std::endian::native == std::endian::little, "stored integers are little endian");

// Both return what follows in `out`, which has room.
template <class N>
  requires std::is_integral_v<N>
char* put(char* out, N number) {
  std::memcpy(out, &number, sizeof number);
  return out + sizeof number;
}
inline char* put(char* out, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

// Off the front of `in`, which is long enough.
template <class N>
N cutNumber(std::string_view& in) {
  N number;
  std::memcpy(&number, in.data(), sizeof number);
  in.remove_prefix(sizeof number);
  return number;
}
inline std::string_view cutBytes(std::string_view& in, size_t size) {
  std::string_view bytes = in.substr(0, size);
  in.remove_prefix(size);
  return bytes;
}

}  // namespace skiff::store
