// Sets of field paths, as server-side apply keeps them for each manager (metav1.FieldsV1).
// https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// One step of a path in its FieldsV1 form: f:<field>, k:<keys of a list item, JSON>, v:<item of a set, JSON>, i:<index>.
struct PathElementLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

// A trie of paths. A node stands for the path that leads to it: `member` tells whether that path itself is in the set,
// `children` hold the longer ones. No child is empty.
class FieldSet {
 public:
  bool member = false;
  std::map<std::string, FieldSet, PathElementLess> children;

  bool empty() const { return !member && children.empty(); }
  bool operator==(const FieldSet&) const = default;
  const FieldSet* child(std::string_view element) const;  // null when there is none
  // The child, made when missing: the caller must put something into it.
  FieldSet& at(std::string_view element) { return children[std::string(element)]; }

  FieldSet unionWith(const FieldSet& other) const;
  FieldSet intersectionWith(const FieldSet& other) const;
  FieldSet minus(const FieldSet& other) const;
  // Also without everything below the members of `other`.
  FieldSet minusRecursively(const FieldSet& other) const;

  // ".spec.ports[port=80,protocol=\"TCP\"].name", in the order of upstream's conflicts.
  std::vector<std::string> paths() const;

  // An error for malformed or too deep (hostile) input.
  static Result<FieldSet> fromFieldsV1(const codec::Value& fields);
  codec::Value toFieldsV1(codec::Arena& arena) const;
};

std::string fieldElement(std::string_view name);                      // "f:name"
std::string valueElement(const codec::Value& value);                  // "v:..."
std::string keyElement(std::vector<codec::Member> keys);              // "k:{...}", keys sorted
std::string pathElementText(std::string_view element);                // ".name", "[port=80]", "[=\"x\"]", "[0]"

}  // namespace skiff::api
