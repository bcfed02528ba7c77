// Immutable, reference-counted bytes: shared by the store, caches and every response that
// carries them, never copied on the way.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace skiff {

class SharedBytes {
 public:
  SharedBytes() = default;
  SharedBytes(std::string bytes) {
    // Text that was built by appending has room for as much again: these bytes may live long.
    if (bytes.capacity() - bytes.size() > bytes.size() / 8 + 64) bytes.shrink_to_fit();
    auto owned = std::make_shared<const std::string>(std::move(bytes));
    view_ = *owned;
    owner_ = std::move(owned);
  }
  // A view into memory that `owner` keeps alive.
  SharedBytes(std::string_view view, std::shared_ptr<const void> owner)
      : view_(view), owner_(std::move(owner)) {}
  // For literals and other memory that outlives the process's use of it.
  static SharedBytes ofStatic(std::string_view view) { return {view, nullptr}; }

  std::string_view view() const { return view_; }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  SharedBytes slice(size_t from, size_t count = std::string_view::npos) const {
    return {view_.substr(from, count), owner_};
  }

 private:
  std::string_view view_;
  std::shared_ptr<const void> owner_;
};

}  // namespace skiff
