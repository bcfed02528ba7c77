// Protobuf encoding of the plain structs in cri_messages.h. A message lists its fields once, in a static `each`;
// both directions walk that list. Only cri.cc and tests include this.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "codec/wire.h"

namespace skiff::kubelet::cri {

template <class T>
constexpr bool isScalar = std::is_integral_v<T> || std::is_enum_v<T>;
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

template <class M>
std::string encode(const M& message);
template <class M>
bool decodeInto(std::string_view bytes, M& message);

// ---- writing: proto3, zero scalars left out, present messages always written ----
inline void put(std::string& out, uint32_t number, const std::string& value) {
  if (!value.empty()) codec::writeBytesField(out, number, value);
}
template <class T>
  requires isScalar<T>
void put(std::string& out, uint32_t number, T value) {
  // Negative numbers are sign-extended to 64 bits, 32-bit ones too.
  if (value != T{}) codec::writeVarintField(out, number, uint64_t(int64_t(value)));
}
template <class M>
  requires std::is_class_v<M>
void put(std::string& out, uint32_t number, const M& message) {
  codec::writeBytesField(out, number, encode(message));
}
// Int64Value, UInt64Value and the state filters: a message around one number, so that zero can be told from absent.
template <class T>
void put(std::string& out, uint32_t number, const std::optional<T>& value) {
  if (!value) return;
  if constexpr (isScalar<T>) {
    std::string inner;
    put(inner, 1, *value);
    codec::writeBytesField(out, number, inner);
  } else {
    put(out, number, *value);
  }
}
template <class T>
void put(std::string& out, uint32_t number, const std::vector<T>& values) {
  if constexpr (isScalar<T>) {
    if (values.empty()) return;
    std::string packed;
    for (T value : values) codec::writeVarint(packed, uint64_t(int64_t(value)));
    codec::writeBytesField(out, number, packed);
  } else {
    for (const T& value : values) {
      if constexpr (std::is_same_v<T, std::string>) {
        codec::writeBytesField(out, number, value);  // empty ones count
      } else {
        put(out, number, value);
      }
    }
  }
}
inline void put(std::string& out, uint32_t number, const std::map<std::string, std::string>& values) {
  for (const auto& [key, value] : values) {
    std::string entry;
    put(entry, 1, key);
    put(entry, 2, value);
    codec::writeBytesField(out, number, entry);
  }
}
template <class M>
std::string encode(const M& message) {
  std::string out;
  M::each(message, [&](uint32_t number, const auto& value) { put(out, number, value); });
  return out;
}

// ---- reading: false for a value of another wire type or a malformed message ----
inline bool take(const codec::WireReader& reader, std::string& into) {
  if (reader.type() != codec::WireType::Bytes) return false;
  into = reader.bytes();
  return true;
}
template <class T>
  requires isScalar<T>
bool take(const codec::WireReader& reader, T& into) {
  if (reader.type() != codec::WireType::Varint) return false;
  into = static_cast<T>(reader.varint());
  return true;
}
template <class M>
  requires std::is_class_v<M>
bool take(const codec::WireReader& reader, M& into) {
  return reader.type() == codec::WireType::Bytes && decodeInto(reader.bytes(), into);
}
template <class T>
bool take(const codec::WireReader& reader, std::optional<T>& into) {
  if constexpr (isScalar<T>) {
    if (reader.type() != codec::WireType::Bytes) return false;
    into = T{};
    codec::WireReader inner(reader.bytes());
    while (inner.next())
      if (inner.field() == 1 && !take(inner, *into)) return false;
    return !inner.failed();
  } else {
    return take(reader, into.emplace());
  }
}
template <class T>
bool take(const codec::WireReader& reader, std::vector<T>& into) {
  if constexpr (isScalar<T>) {
    if (reader.type() == codec::WireType::Varint) return take(reader, into.emplace_back());
    // Packed: read it as the values of a made-up message is not possible, so decode the varints here.
    uint64_t value = 0;
    int shift = 0;
    for (char c : reader.bytes()) {
      value |= uint64_t(uint8_t(c) & 0x7f) << shift;
      if (c & 0x80) {
        if ((shift += 7) > 63) return false;
        continue;
      }
      into.push_back(static_cast<T>(value));
      value = 0;
      shift = 0;
    }
    return shift == 0;
  } else {
    return take(reader, into.emplace_back());
  }
}
inline bool take(const codec::WireReader& reader, std::map<std::string, std::string>& into) {
  if (reader.type() != codec::WireType::Bytes) return false;
  std::string key, value;
  codec::WireReader entry(reader.bytes());
  while (entry.next()) {
    if (entry.field() == 1 && !take(entry, key)) return false;
    if (entry.field() == 2 && !take(entry, value)) return false;
  }
  into[std::move(key)] = std::move(value);
  return !entry.failed();
}
template <class M>
bool decodeInto(std::string_view bytes, M& message) {
  codec::WireReader reader(bytes);
  bool good = true;
  while (good && reader.next()) {
    M::each(message, [&](uint32_t number, auto& value) {
      if (number == reader.field()) good = good && take(reader, value);
    });
  }
  return good && !reader.failed();
}
template <class M>
Result<M> decode(std::string_view bytes) {
  M message;
  if (!decodeInto(bytes, message)) return internalError("malformed message from the container runtime");
  return message;
}

}  // namespace skiff::kubelet::cri
