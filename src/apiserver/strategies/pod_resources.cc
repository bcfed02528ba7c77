// Requests and limits of containers.
#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_spec.h"

namespace skiff::apiserver {

namespace {

bool isHugePages(std::string_view name) { return name.starts_with("hugepages-"); }

bool isExtended(std::string_view name) {
  return name.find('/') != name.npos && !name.starts_with("kubernetes.io/") &&
         !name.starts_with("requests.");
}

void validateQuantity(const Field& amount, std::string_view name, FieldErrors& errors) {
  api::Quantity quantity = quantityOf(*amount.value);
  if (quantity.sign() < 0) {
    errors.invalid(amount.path, quoted(quantity.str()), "must be greater than or equal to 0");
  }
  if (isExtended(name) && quantity.milliValue() % 1000 != 0) {
    errors.invalid(amount.path, shown(*amount.value), "must be an integer");
  }
}

}  // namespace

void validateResourceName(const Field& at, std::string_view name, FieldErrors& errors) {
  auto faults = formats::qualifiedName(name);
  addFaults(errors, at.path, name, faults);
  if (!faults.empty() || name.find('/') != name.npos) return;
  if (oneOf(name, {"cpu", "memory", "ephemeral-storage", "storage"}) || isHugePages(name)) return;
  errors.invalid(at.path, quoted(name), "must be a standard resource type or fully qualified");
  errors.invalid(at.path, quoted(name), "must be a standard resource for containers");
}

void validateContainerResources(const Field& resources, FieldErrors& errors) {
  Field limits = resources["limits"], requests = resources["requests"];
  eachEntry(limits, [&](std::string_view name, const Field& amount) {
    validateResourceName(amount, name, errors);
    validateQuantity(amount, name, errors);
  });
  eachEntry(requests, [&](std::string_view name, const Field& amount) {
    validateResourceName(amount, name, errors);
    validateQuantity(amount, name, errors);
    bool overcommit = !isHugePages(name) && !isExtended(name);
    const codec::Value* limitValue = limits.value->find(name);
    if (limitValue == nullptr) {
      if (!overcommit) {
        errors.required(concat(limits.path, "[", name, "]"),
                        "Limit must be set for non overcommitable resources");
      }
      return;
    }
    api::Quantity request = quantityOf(*amount.value), limit = quantityOf(*limitValue);
    if (!overcommit && request != limit) {
      errors.invalid(requests.path, quoted(request.str()),
                     concat("must be equal to ", name, " limit of ", limit.str()));
    } else if (overcommit && request > limit) {
      errors.invalid(requests.path, quoted(request.str()),
                     concat("must be less than or equal to ", name, " limit of ", limit.str()));
    }
  });
}

}  // namespace skiff::apiserver
