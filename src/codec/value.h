// The value tree: what JSON, YAML and the schema-driven codecs read and write, and what patches edit.
// Nodes live in an Arena and are plain data; a tree is edited by one owner, then published as a const Document.
// Strings point into the arena (or into input that outlives it). 16 bytes a value, 32 a member.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace skiff::codec {

// Bump allocator; frees all at once. Not thread safe.
class Arena {
 public:
  explicit Arena(size_t firstBlock = 1024) : nextBlock_(firstBlock) {}
  Arena(Arena&& other) noexcept : Arena(other.nextBlock_) { swap(other); }
  Arena& operator=(Arena&& other) noexcept {
    swap(other);
    return *this;
  }

  void* allocate(size_t bytes, size_t align = 8) {
    size_t at = (used_ + align - 1) & ~(align - 1);
    if (at + bytes > capacity_) return grow(bytes);
    used_ = at + bytes;
    return block_ + at;
  }
  template <class T>
  T* array(size_t count) {
    return static_cast<T*>(allocate(sizeof(T) * count, alignof(T)));
  }
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* to = static_cast<char*>(allocate(text.size(), 1));
    std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
  }
  size_t bytes() const { return total_; }
  // Keeps foreign bytes (such as the request body that strings point into) alive with the arena.
  void keep(std::shared_ptr<const void> owner) { kept_.push_back(std::move(owner)); }

 private:
  void* grow(size_t bytes);
  void swap(Arena& other) noexcept;
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::vector<std::shared_ptr<const void>> kept_;
  char* block_ = nullptr;
  size_t used_ = 0, capacity_ = 0, nextBlock_, total_ = 0;
};

struct Member;

class Value {
 public:
  // Raw is JSON text that is only ever passed on, such as fieldsV1: no tree is made of it until somebody asks.
  enum class Kind : uint8_t { Null, Bool, Int, Double, String, List, Map, Raw };

  constexpr Value() = default;
  static Value null() { return {}; }
  static Value boolean(bool b) {
    Value v(Kind::Bool);
    v.int_ = b;
    return v;
  }
  static Value integer(int64_t n) {
    Value v(Kind::Int);
    v.int_ = n;
    return v;
  }
  static Value number(double d) {
    Value v(Kind::Double);
    v.double_ = d;
    return v;
  }
  // The text is not copied: it must live as long as the value (see Arena::copy, `text`).
  static Value string(std::string_view s) {
    Value v(Kind::String);
    v.size_ = uint32_t(s.size());
    v.string_ = s.data();
    return v;
  }
  static Value text(Arena& arena, std::string_view s) { return string(arena.copy(s)); }
  // Valid JSON on one line; not copied either.
  static Value raw(std::string_view json) {
    Value v = string(json);
    v.kind_ = Kind::Raw;
    return v;
  }
  static Value list() { return Value(Kind::List); }
  static Value map() { return Value(Kind::Map); }
  // Containers of exactly these items; the span may not be in the arena.
  static Value listOf(Arena& arena, std::span<const Value> items);
  static Value mapOf(Arena& arena, std::span<const Member> members);

  Kind kind() const { return kind_; }
  bool isNull() const { return kind_ == Kind::Null; }
  bool isBool() const { return kind_ == Kind::Bool; }
  bool isInt() const { return kind_ == Kind::Int; }
  bool isDouble() const { return kind_ == Kind::Double; }
  bool isNumber() const { return isInt() || isDouble(); }
  bool isString() const { return kind_ == Kind::String; }
  bool isList() const { return kind_ == Kind::List; }
  bool isMap() const { return kind_ == Kind::Map; }
  bool isRaw() const { return kind_ == Kind::Raw; }

  // Lenient reads: the neutral value when the kind is another.
  bool asBool() const { return isBool() && int_ != 0; }
  int64_t asInt(int64_t other = 0) const { return isInt() ? int_ : other; }
  double asDouble() const { return isDouble() ? double_ : isInt() ? double(int_) : 0; }
  std::string_view asString() const {
    return isString() ? std::string_view(string_, size_) : std::string_view();
  }
  std::string_view asRaw() const {
    return isRaw() ? std::string_view(string_, size_) : std::string_view();
  }
  std::string str() const { return std::string(asString()); }

  size_t size() const { return isList() || isMap() ? size_ : 0; }
  bool empty() const { return size() == 0; }
  std::span<const Value> items() const;    // of a list; empty otherwise
  std::span<Value> items();
  std::span<const Member> members() const;  // of a map, in order; empty otherwise
  std::span<Member> members();

  const Value* find(std::string_view key) const;  // null when absent or not a map
  Value* find(std::string_view key);
  bool has(std::string_view key) const { return find(key) != nullptr; }
  // Null when absent: v["spec"]["replicas"].asInt().
  const Value& operator[](std::string_view key) const;
  const Value& at(size_t index) const;  // Null when out of range

  // Edits. The arena must be the tree's own. set() copies the key, not the value's insides. A Null becomes a map
  // (or a list) by its first edit. References to members are invalidated by insertion.
  Value& set(Arena& arena, std::string_view key, Value value);
  Value& child(Arena& arena, std::string_view key);  // existing member or a new Null
  bool erase(std::string_view key);
  Value& push(Arena& arena, Value value);
  void insertAt(Arena& arena, size_t index, Value value);
  void eraseAt(size_t index);
  void truncate(size_t count) {  // of a list or map: keeps the first ones
    if (count < size()) size_ = uint32_t(count);
  }
  void reserve(Arena& arena, size_t count);
  // Appends without looking for an existing key (decoders that know better).
  Value& append(Arena& arena, std::string_view ownedKey, Value value);

  // A deep copy whose every byte is in `arena`, and how many bytes that takes at most.
  Value clone(Arena& arena) const;
  size_t cloneBytes() const;
  bool operator==(const Value& other) const;  // deep; map order does not matter; 1 == 1.0

 private:
  explicit constexpr Value(Kind kind) : kind_(kind) {}
  void growItems(Arena& arena, size_t capacity);
  void growMembers(Arena& arena, size_t capacity);
  // items_ / members_ point behind a header that holds the capacity (see value.cc).
  Kind kind_ = Kind::Null;
  uint32_t size_ = 0;
  union {
    int64_t int_ = 0;
    double double_;
    const char* string_;
    Value* items_;
    Member* members_;
  };
};
static_assert(sizeof(Value) == 16);

struct Member {
  std::string_view key;
  Value value;
};

inline std::span<const Value> Value::items() const {
  return isList() ? std::span<const Value>(items_, size_) : std::span<const Value>();
}
inline std::span<Value> Value::items() {
  return isList() ? std::span<Value>(items_, size_) : std::span<Value>();
}
inline std::span<const Member> Value::members() const {
  return isMap() ? std::span<const Member>(members_, size_) : std::span<const Member>();
}
inline std::span<Member> Value::members() {
  return isMap() ? std::span<Member>(members_, size_) : std::span<Member>();
}

// A tree and the arena that holds it.
struct Document {
  Document() = default;
  explicit Document(size_t firstBlock) : arena(firstBlock) {}
  Arena arena;
  Value root;
};
using DocumentPtr = std::shared_ptr<const Document>;

// In one block without waste, but for `spare` bytes that the next edits may take.
std::shared_ptr<Document> cloneDocument(const Value& root, size_t spare = 0);

}  // namespace skiff::codec
