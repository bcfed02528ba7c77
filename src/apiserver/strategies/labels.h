// Labels and annotations of templates, and values checked against a format.
#pragma once
#include "apiserver/strategies/field.h"
#include "apiserver/strategies/formats.h"
#include "apiserver/strategy.h"

namespace skiff::apiserver {

// Each fault as an invalid value of the field.
void addFaults(FieldErrors& errors, const FieldPath& path, std::string_view value, const formats::Faults& faults);
inline void addFaults(FieldErrors& errors, const Field& field, const formats::Faults& faults) {
  addFaults(errors, field.path, field.text(), faults);
}

// Faults stand at the map's own path, as upstream reports them.
void validateLabels(const Field& labels, FieldErrors& errors);
void validateAnnotations(const Field& annotations, FieldErrors& errors);

// metav1.LabelSelector.
void validateLabelSelector(const Field& selector, FieldErrors& errors);

}  // namespace skiff::apiserver
