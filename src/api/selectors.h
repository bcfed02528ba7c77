// Label and field selectors.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace skiff::api::meta::v1 {
struct LabelSelector;
}

namespace skiff::api {

using Labels = std::map<std::string, std::string>;

class LabelSelector {
 public:
  enum class Operator { In, NotIn, Exists, DoesNotExist, Equals, NotEquals, GreaterThan, LessThan };
  struct Requirement {
    std::string key;
    Operator op;
    std::vector<std::string> values;  // sorted
  };
  // "app=web,tier in (a,b),!canary". The error's text is upstream's.
  static Result<LabelSelector> parse(std::string_view text);
  // metav1.LabelSelector; a null one matches nothing, an empty one everything.
  static Result<LabelSelector> fromTyped(const meta::v1::LabelSelector& selector);
  static Result<LabelSelector> fromValue(const codec::Value& selector);
  static LabelSelector fromMap(const Labels& labels);
  static LabelSelector nothing();

  bool matches(const Labels& labels) const;
  bool matches(const codec::Value& labels) const;  // a map of strings, or Null
  bool empty() const { return requirements_.empty() && !nothing_; }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  std::string str() const;  // canonical text

 private:
  template <class Get>
  bool matchesWith(Get get) const;
  std::vector<Requirement> requirements_;
  bool nothing_ = false;
};

// "status.phase=Running,spec.nodeName!=a"
class FieldSelector {
 public:
  struct Requirement {
    std::string field;
    bool equal;
    std::string value;
  };
  static Result<FieldSelector> parse(std::string_view text);
  bool empty() const { return requirements_.empty(); }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  // Dotted paths into the object; absent is "".
  bool matches(const codec::Value& object) const;
  std::string str() const;

 private:
  std::vector<Requirement> requirements_;
};

// Value at a dotted path as the text a field selector compares: "spec.nodeName", booleans
// "true"/"false".
std::string fieldText(const codec::Value& object, std::string_view path);

}  // namespace skiff::api
