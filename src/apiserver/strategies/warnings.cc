#include "apiserver/strategies/warnings.h"

#include <set>

#include "api/quantity.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver {

namespace {

struct Deprecated {
  std::string_view source, shown, text;
};
constexpr Deprecated kDeprecated[] = {
    {"photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
    {"gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"},
    {"scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
    {"flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"},
    {"storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"},
    {"quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"},
    {"glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
    {"cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"},
    {"rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"},
};

// A null selector looks like "all" and means "none".
void warnNullSelector(const Field& term, Warnings* out) {
  if (!term["labelSelector"].has()) {
    warn(out, concat(term["labelSelector"].path, ": a null labelSelector results in matching no pod"));
  }
}

void warnContainer(const Field& container, Warnings* out) {
  std::set<std::string_view> names;
  each(container["env"], [&](const Field& item) {
    if (!names.insert(item["name"].text()).second) {
      warn(out, concat(item.path, ": hides previous definition of ", quoted(item["name"].text()),
                       ", which may be dropped when using apply"));
    }
  });
  for (std::string_view part : {"limits", "requests"}) {
    eachEntry(container["resources"][part], [&](std::string_view name, const Field& amount) {
      if (!oneOf(name, {"memory", "ephemeral-storage"})) return;
      api::Quantity quantity = quantityOf(*amount.value);
      if (quantity == api::Quantity::of(quantity.value())) return;
      warn(out, concat(amount.path, ": fractional byte value ", quoted(quantity.str()), " is invalid, must be an integer"));
    });
  }
}

}  // namespace

void warn(Warnings* out, std::string text) {
  if (out != nullptr) out->push_back(std::move(text));
}

void warnVolumeSource(const Field& source, Warnings* out) {
  for (const Deprecated& entry : kDeprecated) {
    if (source[entry.source].has()) warn(out, concat(source.path, ".", entry.shown, ": ", entry.text));
  }
}

void warnPodSpec(const Field& spec, Warnings* out) {
  if (out == nullptr) return;
  each(spec["topologySpreadConstraints"], [&](const Field& item) { warnNullSelector(item, out); });
  each(spec["volumes"], [&](const Field& volume) { warnVolumeSource(volume, out); });
  for (std::string_view list : {"initContainers", "containers"}) {
    each(spec[list], [&](const Field& container) { warnContainer(container, out); });
  }
  for (std::string_view kind : {"podAffinity", "podAntiAffinity"}) {
    Field affinity = spec["affinity"][kind];
    each(affinity["requiredDuringSchedulingIgnoredDuringExecution"], [&](const Field& term) { warnNullSelector(term, out); });
    each(affinity["preferredDuringSchedulingIgnoredDuringExecution"], [&](const Field& term) {
      warnNullSelector(term["podAffinityTerm"], out);
    });
  }
}

}  // namespace skiff::apiserver
