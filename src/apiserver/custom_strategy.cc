#include "apiserver/custom_strategy.h"

#include "apiserver/crd.h"
#include "apiserver/structural_schema.h"

namespace skiff::apiserver {
namespace {

// The tables of a custom version are its first member's neighbour: the registry hands out only such ResourceInfos.
const CustomVersion& versionOf(const api::ResourceInfo& info) {
  return *reinterpret_cast<const CustomVersion*>(reinterpret_cast<const char*>(&info) -
                                                 offsetof(CustomVersion, resource));
}

class CustomStrategy final : public Strategy {
 public:
  void prepareCreate(StrategyContext& context) override {
    if (versionOf(*context.request.resource).hasStatus) context.object().erase("status");
  }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    validateCustom(context.object(), nullptr, versionOf(*context.request.resource), errors);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    validateCustom(context.object(), &context.old(), versionOf(*context.request.resource), errors);
  }
  bool allowUnconditionalUpdate() const override { return false; }
};

}  // namespace

std::unique_ptr<Strategy> makeCustomStrategy() { return std::make_unique<CustomStrategy>(); }

}  // namespace skiff::apiserver
