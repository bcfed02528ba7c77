// A value and the place where it stands, for validators.
#pragma once
#include <string>
#include <string_view>

#include "apiserver/strategies/field_path.h"
#include "codec/value.h"

namespace skiff::apiserver {

// A cursor into a tree. Reads are lenient: an absent field has the neutral value. The tree must outlive it.
struct Field {
  const codec::Value* value = nullptr;
  FieldPath path;

  Field operator[](std::string_view name) const { return {&(*value)[name], path.name(name)}; }
  Field at(size_t index) const { return {&value->at(index), path.index(index)}; }
  Field key(std::string_view name) const { return {&(*value)[name], path.key(name)}; }
  // A path would outlive such a name.
  template <std::same_as<std::string> Temporary>
  Field operator[](Temporary&& name) const = delete;
  template <std::same_as<std::string> Temporary>
  Field key(Temporary&& name) const = delete;

  bool has() const { return !value->isNull(); }
  std::string_view text() const { return value->asString(); }
  int64_t number(int64_t other = 0) const { return value->asInt(other); }
  bool isTrue() const { return value->asBool(); }
  size_t size() const { return value->size(); }
};

inline Field rootField(const codec::Value& object) { return {&object, {}}; }

// visit(Field item) for each item of a list.
template <class Visit>
void each(const Field& list, Visit visit) {
  for (size_t i = 0; i < list.size(); ++i) visit(list.at(i));
}
// visit(key, Field value) for each member of a map; the path is map[key].
template <class Visit>
void eachEntry(const Field& map, Visit visit) {
  for (const codec::Member& member : map.value->members()) {
    visit(member.key, Field{&member.value, map.path.key(member.key)});
  }
}

// A value as messages show it: "text" quoted, 5, null, JSON for lists and maps.
std::string shown(const codec::Value& value);

}  // namespace skiff::apiserver
