// Values seen through the schema as server-side apply sees them: which maps and lists are granular, which are atomic,
// and by what their items are known. The operations that apply is made of; no managers here.
#pragma once
#include <string>

#include "api/field_set.h"
#include "api/schema.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// How apply treats the value at one place of the schema.
struct ApplyShape {
  enum class Form : uint8_t {
    Leaf,     // scalars, and atomic maps, lists and structs: owned as a whole
    Struct,   // the fields of `type`
    Map,      // a map whose values are each `field`'s element
    Set,      // a list of scalars, each an item of its own
    Keyed,    // a list of `type`, items known by `field`'s listMapKeys
    Deduced,  // no schema: maps are granular, lists atomic
  };
  Form form = Form::Deduced;
  const TypeInfo* type = nullptr;
  const FieldInfo* field = nullptr;

  static ApplyShape ofObject(const TypeInfo* type);  // null: no schema
  static ApplyShape ofField(const FieldInfo& field);
  ApplyShape element() const;  // of a Map, Set or Keyed
  // Of a Struct's field, a Map's or deduced map's value. False when the Struct has no such field.
  bool child(std::string_view key, ApplyShape* shape) const;
  // What an absent field still is in the typed form: structs held by value are never absent ({}), fields that are
  // always written have their zero value. Otherwise a null pointer.
  const codec::Value* implied(std::string_view key) const;
};

// All paths that the value sets. Refuses fields that are not declared, duplicate items and items without keys, in
// upstream's words (".spec.ports: duplicate entries for key [port=80]").
Result<FieldSet> fieldSetOf(const codec::Value& value, const ApplyShape& shape);
// The same of an object that is stored already: what does not fit the schema has no path.
FieldSet knownFieldsOf(const codec::Value& value, const ApplyShape& shape);

// The live object with what `config` says; null leaves of config stay null.
codec::Value mergeByShape(const codec::Value& live, const codec::Value& config, const ApplyShape& shape,
                          codec::Arena& arena);

struct Comparison {
  FieldSet added, modified, removed;
  bool same() const { return added.empty() && modified.empty() && removed.empty(); }
};
Comparison compareByShape(const codec::Value& before, const codec::Value& after, const ApplyShape& shape);

// The value without the members of the set (and what is below them).
codec::Value removeByShape(const codec::Value& value, const FieldSet& set, const ApplyShape& shape,
                           codec::Arena& arena);

// The set and the declared fields that lead to its paths: of a.b.c also a, but not a.b when a is a plain map.
FieldSet withNamedFields(const FieldSet& set, const ApplyShape& shape);

}  // namespace skiff::api
