#include "base/result.h"

namespace skiff {
namespace {
struct ReasonRow {
  Reason reason;
  std::string_view text;
  int code;
};
constexpr ReasonRow kReasons[] = {
    {Reason::Unknown, "", 500},
    {Reason::Unauthorized, "Unauthorized", 401},
    {Reason::Forbidden, "Forbidden", 403},
    {Reason::NotFound, "NotFound", 404},
    {Reason::AlreadyExists, "AlreadyExists", 409},
    {Reason::Conflict, "Conflict", 409},
    {Reason::Gone, "Gone", 410},
    {Reason::Invalid, "Invalid", 422},
    {Reason::ServerTimeout, "ServerTimeout", 500},
    {Reason::StoreReadError, "StorageReadError", 500},
    {Reason::Timeout, "Timeout", 504},
    {Reason::TooManyRequests, "TooManyRequests", 429},
    {Reason::BadRequest, "BadRequest", 400},
    {Reason::MethodNotAllowed, "MethodNotAllowed", 405},
    {Reason::NotAcceptable, "NotAcceptable", 406},
    {Reason::RequestEntityTooLarge, "RequestEntityTooLarge", 413},
    {Reason::UnsupportedMediaType, "UnsupportedMediaType", 415},
    {Reason::InternalError, "InternalError", 500},
    {Reason::Expired, "Expired", 410},
    {Reason::ServiceUnavailable, "ServiceUnavailable", 503},
};
}  // namespace

std::string_view reasonText(Reason reason) { return kReasons[size_t(reason)].text; }
int httpCode(Reason reason) { return kReasons[size_t(reason)].code; }

Reason reasonFromText(std::string_view text) {
  for (const auto& row : kReasons)
    if (row.text == text) return row.reason;
  return Reason::Unknown;
}

void checkFailed(const char* expr, const char* file, int line) {
  std::fprintf(stderr, "MUST failed: %s at %s:%d\n", expr, file, line);
  std::abort();
}
}  // namespace skiff
