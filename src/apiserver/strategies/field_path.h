// Where a value stands in its object, written out only when an error tells it: spec.containers[0].ports[1].name.
#pragma once
#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>

#include "base/strings.h"

namespace skiff::apiserver {

// Steps from the root, written as upstream's field.Path. Names are not copied: they are literals, or keys of the tree.
class FieldPath {
 public:
  FieldPath() = default;
  FieldPath(const FieldPath& other) : head_(other.head_), count_(other.count_) {
    std::copy_n(other.steps_, count_, steps_);
  }
  FieldPath& operator=(const FieldPath& other) {
    head_ = other.head_;
    count_ = other.count_;
    std::copy_n(other.steps_, count_, steps_);
    return *this;
  }

  FieldPath name(std::string_view text) const { return with({text.data(), uint32_t(text.size()), Form::Name}); }
  FieldPath key(std::string_view text) const { return with({text.data(), uint32_t(text.size()), Form::Key}); }
  FieldPath index(size_t number) const { return with({nullptr, uint32_t(number), Form::Index}); }

  std::string text() const {
    std::string out = head_;
    for (size_t i = 0; i < count_; ++i) append(out, steps_[i]);
    return out;
  }
  operator std::string() const { return text(); }

 private:
  enum class Form : uint32_t { Name, Key, Index };
  struct Step {
    const char* text;
    uint32_t number;  // the text's length, or the index
    Form form;
  };
  // A field of a pod in a CronJob is some 12 steps away from its root.
  static constexpr size_t kSteps = 14;

  FieldPath with(Step step) const {
    FieldPath out;
    if (count_ < kSteps) {
      out = *this;
    } else {
      out.head_ = text();
    }
    out.steps_[out.count_++] = step;
    return out;
  }

  static void append(std::string& out, const Step& step) {
    if (step.form == Form::Index) {
      out += concat("[", step.number, "]");
      return;
    }
    std::string_view name(step.text, step.number);
    out += step.form == Form::Key ? concat("[", name, "]") : concat(out.empty() ? "" : ".", name);
  }

  std::string head_;  // what had no room in the steps
  uint32_t count_ = 0;
  Step steps_[kSteps];
};

inline void appendPart(std::string& out, const FieldPath& path) { out += path.text(); }

}  // namespace skiff::apiserver
