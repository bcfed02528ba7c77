// The whole validation of an object: metadata, then the kind's strategy, then the rules that its tables state. All causes are
// collected before the answer, in upstream's order.
#pragma once
#include "apiserver/strategy.h"

namespace skiff::apiserver {

// After mutating admission: the object has its name, namespace and uid. Status 422 with all causes.
Status validateForCreate(StrategyContext& context, Strategy& strategy);
Status validateForUpdate(StrategyContext& context, Strategy& strategy);

}  // namespace skiff::apiserver
