// What the state of a node's conditions means for its taints.
#pragma once
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "gen/core_v1.h"

namespace skiff::controllers {

using api::core::v1::Node;
using api::core::v1::Taint;

// Makes conditions Unknown that a silent kubelet should have renewed. True when something changed.
bool markUnknown(Node& node, WallTime now);

// The taints a node should have by its conditions and spec.unschedulable: NoSchedule for each trouble, NoExecute for a
// node that is not ready or unreachable. Taints of other origin stay. True when something changed.
bool reconcileTaints(Node& node, WallTime now);

}  // namespace skiff::controllers
