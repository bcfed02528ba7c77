#include "codec/value.h"

#include <algorithm>

#include "base/result.h"
#include "codec/json.h"

namespace skiff::codec {
namespace {

// Blocks double up to this size; what does not fit well gets a block of its own.
constexpr size_t kMaxBlock = 256 * 1024;
constexpr size_t kFirstCapacity = 4;
// Above this many members, comparing two maps sorts them instead of searching.
constexpr size_t kSearchLimit = 32;

// Lies before the first item or member:  | capacity | item 0 | item 1 | ...
struct Header {
  uint32_t capacity;
  uint32_t unused;
};
static_assert(sizeof(Header) == 8);

template <class T>
uint32_t capacityOf(const T* items) {
  return items ? (reinterpret_cast<const Header*>(items) - 1)->capacity : 0;
}

template <class T>
T* newItems(Arena& arena, size_t capacity) {
  MUST(capacity <= UINT32_MAX);
  auto* header =
      static_cast<Header*>(arena.allocate(sizeof(Header) + sizeof(T) * capacity, alignof(T)));
  header->capacity = uint32_t(capacity);
  return reinterpret_cast<T*>(header + 1);
}

template <class T>
T* enlarged(Arena& arena, const T* items, size_t size, size_t capacity) {
  T* larger = newItems<T>(arena, capacity);
  std::uninitialized_copy_n(items, size, larger);
  return larger;
}

size_t doubled(size_t size) { return std::max(kFirstCapacity, size * 2); }

constexpr Value kNull{};

using Pair = std::pair<const Value*, const Value*>;

std::vector<const Member*> sortedMembers(std::span<const Member> members) {
  std::vector<const Member*> sorted;
  sorted.reserve(members.size());
  for (const Member& member : members) sorted.push_back(&member);
  std::ranges::sort(sorted, {}, &Member::key);
  return sorted;
}

// Queues the pairs of values with the same key; false when the key sets differ.
bool pairMembers(const Value& a, const Value& b, std::vector<Pair>& todo) {
  auto left = a.members(), right = b.members();
  size_t same = 0;  // both usually come from one encoder, so in one order
  while (same < left.size() && left[same].key == right[same].key) {
    todo.emplace_back(&left[same].value, &right[same].value);
    ++same;
  }
  left = left.subspan(same), right = right.subspan(same);
  if (left.size() <= kSearchLimit) {
    for (const Member& member : left) {
      const Value* other = b.find(member.key);
      if (!other) return false;
      todo.emplace_back(&member.value, other);
    }
    return true;
  }
  auto sortedLeft = sortedMembers(left), sortedRight = sortedMembers(right);
  for (size_t i = 0; i < sortedLeft.size(); ++i) {
    if (sortedLeft[i]->key != sortedRight[i]->key) return false;
    todo.emplace_back(&sortedLeft[i]->value, &sortedRight[i]->value);
  }
  return true;
}

bool sameNumber(const Value& a, const Value& b) {
  if (a.isInt() && b.isInt()) return a.asInt() == b.asInt();
  return a.asDouble() == b.asDouble();
}

bool equalsRaw(const Value& tree, std::string_view json) {
  Arena arena;
  auto parsed = parseJson(json, arena);
  return parsed.ok() && tree == *parsed;
}

// Compares without descending: children of containers are queued.
bool shallowEqual(const Value& a, const Value& b, std::vector<Pair>& todo) {
  if (a.isNumber() && b.isNumber()) return sameNumber(a, b);
  if (a.isRaw() != b.isRaw()) return a.isRaw() ? equalsRaw(b, a.asRaw()) : equalsRaw(a, b.asRaw());
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Value::Kind::Bool:
      return a.asBool() == b.asBool();
    case Value::Kind::String:
      return a.asString() == b.asString();
    case Value::Kind::List:
      if (a.size() != b.size()) return false;
      for (size_t i = 0; i < a.size(); ++i) todo.emplace_back(&a.items()[i], &b.items()[i]);
      return true;
    case Value::Kind::Map:
      return a.size() == b.size() && pairMembers(a, b, todo);
    case Value::Kind::Raw:
      return a.asRaw() == b.asRaw();
    default:
      return true;
  }
}

}  // namespace

void* Arena::grow(size_t bytes) {
  // A large piece must not waste the room left in the current block.
  bool ownBlock = bytes > nextBlock_ / 2;
  size_t size = ownBlock ? bytes : nextBlock_;
  blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
  total_ += size;
  char* block = blocks_.back().get();
  if (ownBlock) return block;
  nextBlock_ = std::min(nextBlock_ * 2, std::max(nextBlock_, kMaxBlock));
  block_ = block;
  capacity_ = size;
  used_ = bytes;
  return block;
}

void Arena::swap(Arena& other) noexcept {
  blocks_.swap(other.blocks_);
  kept_.swap(other.kept_);
  std::swap(block_, other.block_);
  std::swap(used_, other.used_);
  std::swap(capacity_, other.capacity_);
  std::swap(nextBlock_, other.nextBlock_);
  std::swap(total_, other.total_);
}

Value Value::listOf(Arena& arena, std::span<const Value> items) {
  Value list(Kind::List);
  if (items.empty()) return list;
  list.items_ = enlarged(arena, items.data(), items.size(), items.size());
  list.size_ = uint32_t(items.size());
  return list;
}

Value Value::mapOf(Arena& arena, std::span<const Member> members) {
  Value map(Kind::Map);
  if (members.empty()) return map;
  map.members_ = enlarged(arena, members.data(), members.size(), members.size());
  map.size_ = uint32_t(members.size());
  return map;
}

const Value* Value::find(std::string_view key) const {
  for (const Member& member : members())
    if (member.key.size() == key.size() && member.key == key) return &member.value;
  return nullptr;
}

Value* Value::find(std::string_view key) {
  return const_cast<Value*>(std::as_const(*this).find(key));
}

const Value& Value::operator[](std::string_view key) const {
  const Value* found = find(key);
  return found ? *found : kNull;
}

const Value& Value::at(size_t index) const {
  return isList() && index < size_ ? items_[index] : kNull;
}

void Value::growItems(Arena& arena, size_t capacity) {
  if (isNull()) *this = list();
  MUST(isList());
  if (capacity > capacityOf(items_)) items_ = enlarged(arena, items_, size_, capacity);
}

void Value::growMembers(Arena& arena, size_t capacity) {
  if (isNull()) *this = map();
  MUST(isMap());
  if (capacity > capacityOf(members_)) members_ = enlarged(arena, members_, size_, capacity);
}

void Value::reserve(Arena& arena, size_t count) {
  if (isList()) growItems(arena, count);
  if (isMap()) growMembers(arena, count);
}

Value& Value::append(Arena& arena, std::string_view ownedKey, Value value) {
  if (!isMap() || size_ == capacityOf(members_)) growMembers(arena, doubled(size()));
  Member* member = std::construct_at(members_ + size_, Member{ownedKey, value});
  ++size_;
  return member->value;
}

Value& Value::child(Arena& arena, std::string_view key) {
  if (Value* found = find(key)) return *found;
  return append(arena, arena.copy(key), Value());
}

Value& Value::set(Arena& arena, std::string_view key, Value value) {
  Value& to = child(arena, key);
  to = value;
  return to;
}

bool Value::erase(std::string_view key) {
  Value* found = find(key);
  if (!found) return false;
  size_t index = 0;
  while (&members_[index].value != found) ++index;
  std::copy(members_ + index + 1, members_ + size_, members_ + index);
  --size_;
  return true;
}

Value& Value::push(Arena& arena, Value value) {
  if (!isList() || size_ == capacityOf(items_)) growItems(arena, doubled(size()));
  return *std::construct_at(items_ + size_++, value);
}

void Value::insertAt(Arena& arena, size_t index, Value value) {
  push(arena, value);
  MUST(index < size_);
  std::rotate(items_ + index, items_ + size_ - 1, items_ + size_);
}

void Value::eraseAt(size_t index) {
  MUST(isList() && index < size_);
  std::copy(items_ + index + 1, items_ + size_, items_ + index);
  --size_;
}

// Trees may be as deep as the parser's limit, so none of the walks below recurse: worker stacks are small.

Value Value::clone(Arena& arena) const {
  Value root = *this;
  std::vector<Value*> todo{&root};  // copied shallowly, insides still foreign
  while (!todo.empty()) {
    Value& value = *todo.back();
    todo.pop_back();
    switch (value.kind_) {
      case Kind::String:
        value = text(arena, value.asString());
        break;
      case Kind::Raw:
        value = raw(arena.copy(value.asRaw()));
        break;
      case Kind::List:
        value = listOf(arena, std::as_const(value).items());
        for (Value& item : value.items()) todo.push_back(&item);
        break;
      case Kind::Map:
        value = mapOf(arena, std::as_const(value).members());
        for (Member& member : value.members()) {
          member.key = arena.copy(member.key);
          todo.push_back(&member.value);
        }
        break;
      default:
        break;
    }
  }
  return root;
}

bool Value::operator==(const Value& other) const {
  std::vector<Pair> todo;
  if (!shallowEqual(*this, other, todo)) return false;
  while (!todo.empty()) {
    auto [a, b] = todo.back();
    todo.pop_back();
    if (!shallowEqual(*a, *b, todo)) return false;
  }
  return true;
}

size_t Value::cloneBytes() const {
  constexpr size_t kPadding = alignof(Member) - 1;
  size_t bytes = 0;
  std::vector<const Value*> todo{this};
  while (!todo.empty()) {
    const Value& value = *todo.back();
    todo.pop_back();
    if (value.isString() || value.isRaw()) bytes += value.size_;
    if (value.empty()) continue;
    bytes += kPadding + sizeof(Header) + value.size() * (value.isMap() ? sizeof(Member) : sizeof(Value));
    for (const Value& item : value.items()) todo.push_back(&item);
    for (const Member& member : value.members()) {
      bytes += member.key.size();
      todo.push_back(&member.value);
    }
  }
  return bytes;
}

std::shared_ptr<Document> cloneDocument(const Value& root, size_t spare) {
  auto document = std::make_shared<Document>(root.cloneBytes() + spare);
  document->root = root.clone(document->arena);
  return document;
}

}  // namespace skiff::codec
