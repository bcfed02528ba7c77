// What cmd/ knows of a role: start it, stop it. Each role's header offers create(...) returning one of these.
#pragma once
#include <memory>
#include <string>

#include "base/result.h"

namespace skiff::client {

class Role {
 public:
  virtual ~Role() = default;  // stopped before
  virtual Status start() = 0;  // returns when it works; may block for seconds
  virtual void stop() = 0;     // blocks until all its threads ended
};

}  // namespace skiff::client
