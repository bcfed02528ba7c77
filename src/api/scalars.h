// C++ forms of the API's scalar types, as the generated structs hold them.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/quantity.h"
#include "base/clock.h"

namespace skiff::api {

// metav1.Time and MicroTime; zero is "not set" (null in JSON).
struct Time {
  WallTime value{};
  bool isZero() const { return value == WallTime{}; }
  auto operator<=>(const Time&) const = default;
};
struct MicroTime {
  WallTime value{};
  bool isZero() const { return value == WallTime{}; }
  auto operator<=>(const MicroTime&) const = default;
};
// metav1.Duration: Go's form in JSON ("1m30s").
struct Duration {
  std::chrono::nanoseconds value{};
  auto operator<=>(const Duration&) const = default;
};
std::string formatDuration(std::chrono::nanoseconds value);
std::optional<std::chrono::nanoseconds> parseDuration(std::string_view text);

struct IntOrString {
  bool isString = false;
  int32_t number = 0;
  std::string text;
  static IntOrString of(int32_t n) { return {false, n, {}}; }
  static IntOrString of(std::string s) { return {true, 0, std::move(s)}; }
  std::string str() const { return isString ? text : std::to_string(number); }
  bool operator==(const IntOrString&) const = default;
};
// "25%" or 3 of a total; nullopt when the text is no percentage.
std::optional<int32_t> scaledValue(const IntOrString& value, int32_t total, bool roundUp);

// Any JSON, as text (RawExtension, FieldsV1, JSON).
struct RawJson {
  std::string json;
  bool empty() const { return json.empty(); }
  bool operator==(const RawJson&) const = default;
};

// An owned optional value that copies deeply: a Go pointer field. Works with incomplete types in
// headers.
class BoxBase {
 public:
  const void* raw() const { return pointer_; }
  void* raw() { return pointer_; }
  void adopt(void* pointer) { pointer_ = pointer; }  // the codec, with a T made by new

 protected:
  void* pointer_ = nullptr;
};
template <class T>
class Box : public BoxBase {
 public:
  Box() = default;
  Box(std::nullopt_t) {}
  Box(const T& value) { pointer_ = new T(value); }
  Box(T&& value) { pointer_ = new T(std::move(value)); }
  Box(const Box& other) { pointer_ = other ? new T(*other) : nullptr; }
  Box(Box&& other) noexcept { pointer_ = std::exchange(other.pointer_, nullptr); }
  Box& operator=(const Box& other) {
    if (this != &other) *this = Box(other);
    return *this;
  }
  Box& operator=(Box&& other) noexcept {
    std::swap(pointer_, other.pointer_);
    return *this;
  }
  ~Box() { delete get(); }

  T* get() { return static_cast<T*>(pointer_); }
  const T* get() const { return static_cast<const T*>(pointer_); }
  T& operator*() { return *get(); }
  const T& operator*() const { return *get(); }
  T* operator->() { return get(); }
  const T* operator->() const { return get(); }
  explicit operator bool() const { return pointer_ != nullptr; }
  bool has_value() const { return pointer_ != nullptr; }
  T& emplace() {
    *this = Box(T{});
    return *get();
  }
  T& ensure() { return pointer_ ? *get() : emplace(); }
  void reset() { *this = Box(); }
};

}  // namespace skiff::api
