// What servers that share a store must agree on before a service takes it: addresses and node ports.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::apiserver {

class ServiceClaims {
 public:
  virtual ~ServiceClaims() = default;
  // False: somebody has it. With `only look` nothing is taken.
  enum class How { Take, OnlyLook };
  virtual Result<bool> takeAddress(std::string_view address, std::string_view ns, std::string_view name, How how) = 0;
  virtual Result<bool> takePort(int port, How how) = 0;
  // Of this service only; what it does not hold is left alone.
  virtual void releaseAddress(std::string_view address, std::string_view ns, std::string_view name) = 0;
  virtual void releasePort(int port) = 0;
};

}  // namespace skiff::apiserver
