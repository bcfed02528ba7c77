#include "controllers/controller.h"

namespace skiff::controllers {

Key splitKey(std::string_view key) {
  size_t slash = key.find('/');
  if (slash == std::string_view::npos) return {{}, std::string(key)};
  return {std::string(key.substr(0, slash)), std::string(key.substr(slash + 1))};
}

Status ignoreNotFound(Status status) {
  if (status.failedWith(Reason::NotFound)) return okStatus();
  return status;
}

bool isNamespaceTerminating(const Error& error) {
  if (!error.is(Reason::Forbidden)) return false;
  if (const ErrorDetails* details = error.details())
    for (const Cause& cause : details->causes)
      if (cause.reason == "NamespaceTerminating") return true;
  return false;
}

}  // namespace skiff::controllers
