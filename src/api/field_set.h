// Sets of field paths, as server-side apply keeps them for each manager (metav1.FieldsV1).
// https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// The order of path elements in their FieldsV1 form: f:<field>, k:<keys of a list item, JSON>, v:<item of a set, JSON>,
// i:<index>.
bool pathElementLess(std::string_view a, std::string_view b);

// A trie of paths. A node stands for the path that leads to it: `member` tells whether that path itself is in the set,
// `children` hold the longer ones, sorted by element. No child is empty.
class FieldSet {
 public:
  struct Child;
  bool member = false;
  std::vector<Child> children;

  bool empty() const { return !member && children.empty(); }
  bool operator==(const FieldSet&) const = default;
  const FieldSet* child(std::string_view element) const;  // null when there is none
  // The child, made when missing: the caller must put something into it. Costs a move of the later ones.
  FieldSet& at(std::string_view element);
  // For many children in any order: a node that has been appended to is whole again after settle(), which joins those
  // of one element.
  FieldSet& append(std::string element);
  void settle();

  void add(FieldSet other);                        // union
  void subtract(const FieldSet& other);
  void subtractRecursively(const FieldSet& other);  // also what is below the members of `other`
  FieldSet intersectionWith(const FieldSet& other) const;
  bool covers(const FieldSet& other) const;  // every path of `other` is in this one

  // ".spec.ports[port=80,protocol=\"TCP\"].name", in the order of upstream's conflicts.
  std::vector<std::string> paths() const;

  // An error for malformed or too deep (hostile) input.
  static Result<FieldSet> fromFieldsV1(const codec::Value& fields);
  codec::Value toFieldsV1(codec::Arena& arena) const;  // Raw
};

struct FieldSet::Child {
  std::string element;
  FieldSet set;
  bool operator==(const Child&) const = default;
};

std::string fieldElement(std::string_view name);                      // "f:name"
std::string valueElement(const codec::Value& value);                  // "v:..."
std::string keyElement(std::vector<codec::Member> keys);              // "k:{...}", keys sorted
std::string pathElementText(std::string_view element);                // ".name", "[port=80]", "[=\"x\"]", "[0]"

}  // namespace skiff::api
