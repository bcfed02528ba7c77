// /statusz and /flagz: what runs here, since when, and with which flags. https://kubernetes.io/docs/reference/instrumentation/zpages/
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "apiserver/exchange.h"
#include "base/clock.h"

namespace skiff::apiserver {

class ComponentStatus {
 public:
  using Flags = std::vector<std::pair<std::string, std::string>>;
  ComponentStatus(Flags flags, const Clock& clock) : flags_(std::move(flags)), clock_(clock), started_(clock.now()) {}
  // False when it is another path.
  bool serve(Exchange& exchange) const;

 private:
  std::string statusText() const;
  std::string flagsText() const;
  codec::Value document(std::string_view kind, std::string_view version, codec::Arena& arena) const;

  const Flags flags_;  // sorted by name
  const Clock& clock_;
  const WallTime started_;
};

}  // namespace skiff::apiserver
