// How long a pod may stay on a node with NoExecute taints.
#pragma once
#include <chrono>
#include <optional>
#include <vector>

#include "gen/core_v1.h"

namespace skiff::controllers {

using api::core::v1::Taint;
using api::core::v1::Toleration;

bool tolerates(const Toleration& toleration, const Taint& taint);

struct Stay {
  enum class Kind { Forever, Limited, Leave } kind = Kind::Forever;
  std::chrono::seconds time{0};  // of Limited: the least of the tolerations' seconds
};
Stay stayOf(const std::vector<Toleration>& tolerations, const std::vector<Taint>& noExecuteTaints);
std::vector<Taint> noExecuteTaints(const std::vector<Taint>& taints);

}  // namespace skiff::controllers
