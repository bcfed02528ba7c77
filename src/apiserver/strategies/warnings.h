// What is accepted but unwise: told in Warning headers. Appends; a null list means that nobody listens.
#pragma once
#include <string>
#include <vector>

#include "apiserver/strategies/field.h"

namespace skiff::apiserver {

using Warnings = std::vector<std::string>;

void warnPodSpec(const Field& spec, Warnings* out);
// Volume types that are on their way out; `source` is a pod's volume or the spec of a persistent volume.
void warnVolumeSource(const Field& source, Warnings* out);
void warn(Warnings* out, std::string text);

}  // namespace skiff::apiserver
