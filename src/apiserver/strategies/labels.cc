#include "apiserver/strategies/labels.h"

#include "base/strings.h"

namespace skiff::apiserver {

namespace {

constexpr size_t kAnnotationsMaxBytes = 256 << 10;

}  // namespace

void addFaults(FieldErrors& errors, const FieldPath& path, std::string_view value,
               const formats::Faults& faults) {
  for (const std::string& fault : faults) errors.invalid(path, quoted(value), fault);
}

void validateLabels(const Field& labels, FieldErrors& errors) {
  for (const codec::Member& member : labels.value->members()) {
    addFaults(errors, labels.path, member.key, formats::qualifiedName(member.key));
    std::string_view value = member.value.asString();
    addFaults(errors, labels.path, value, formats::labelValue(value));
  }
}

void validateAnnotations(const Field& annotations, FieldErrors& errors) {
  size_t bytes = 0;
  for (const codec::Member& member : annotations.value->members()) {
    // Upper case is accepted in prefixes, too.
    auto faults = formats::qualifiedName(toLower(member.key));
    addFaults(errors, annotations.path, member.key, faults);
    bytes += member.key.size() + member.value.asString().size();
  }
  if (bytes > kAnnotationsMaxBytes) {
    errors.tooLong(annotations.path, int64_t(kAnnotationsMaxBytes));
  }
}

void validateLabelSelector(const Field& selector, FieldErrors& errors) {
  validateLabels(selector["matchLabels"], errors);
  each(selector["matchExpressions"], [&](const Field& term) {
    std::string_view op = term["operator"].text();
    Field values = term["values"];
    if (op == "In" || op == "NotIn") {
      if (values.size() == 0) {
        errors.required(values.path, "must be specified when `operator` is 'In' or 'NotIn'");
      }
    } else if (op == "Exists" || op == "DoesNotExist") {
      if (values.size() > 0) {
        errors.forbidden(values.path,
                         "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      }
    } else {
      errors.invalid(term["operator"].path, quoted(op), "not a valid selector operator");
    }
    addFaults(errors, term["key"], formats::qualifiedName(term["key"].text()));
    each(values, [&](const Field& value) {
      addFaults(errors, value, formats::labelValue(value.text()));
    });
  });
}

}  // namespace skiff::apiserver
