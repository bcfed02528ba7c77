// The members of a map under the indices of their fields, for who needs most fields of a type: one walk over both, as they
// usually have one order, instead of a search for each field.
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "api/schema.h"
#include "codec/value.h"

namespace skiff::api {

// Points into the map: do not edit it meanwhile.
class FieldSlots {
 public:
  FieldSlots(const codec::Value& map, const TypeInfo& type) {
    size_t count = type.fields.size(), hint = 0;
    if (count > few_.size()) many_.resize(count);
    slots_ = many_.empty() ? few_.data() : many_.data();
    std::fill_n(slots_, count, nullptr);
    for (const codec::Member& member : map.members()) {
      const FieldInfo* field = type.field(member.key, &hint);
      const codec::Value** slot = field ? &slots_[field - type.fields.data()] : nullptr;
      if (slot && !*slot) *slot = &member.value;
    }
  }
  FieldSlots(const FieldSlots&) = delete;
  FieldSlots& operator=(const FieldSlots&) = delete;

  // Null when absent.
  const codec::Value& operator[](size_t field) const { return slots_[field] ? *slots_[field] : absent_; }

 private:
  std::array<const codec::Value*, 48> few_;  // PodSpec, the largest type of most objects, has some 40 fields
  std::vector<const codec::Value*> many_;
  const codec::Value** slots_;
  codec::Value absent_;
};

}  // namespace skiff::api
