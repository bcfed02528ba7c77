// Operating errors as values. The Reason is the status reason of the Kubernetes API
// (metav1.Status.reason); HTTP, gRPC and exit codes derive from it in result.cc.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace skiff {

enum class Reason : uint8_t {
  Unknown,  // reason ""
  Unauthorized,
  Forbidden,
  NotFound,
  AlreadyExists,
  Conflict,
  Gone,
  Invalid,
  ServerTimeout,
  StoreReadError,
  Timeout,
  TooManyRequests,
  BadRequest,
  MethodNotAllowed,
  NotAcceptable,
  RequestEntityTooLarge,
  UnsupportedMediaType,
  InternalError,
  Expired,
  ServiceUnavailable,
};

std::string_view reasonText(Reason reason);        // "NotFound"; "" for Unknown
Reason reasonFromText(std::string_view text);      // Unknown when not known
int httpCode(Reason reason);                       // 404; 500 for Unknown

// One cause of a refusal, as metav1.StatusCause: reason is such as "FieldValueInvalid".
struct Cause {
  std::string reason;
  std::string message;
  std::string field;
};

// metav1.StatusDetails: what the refused request was about.
struct ErrorDetails {
  std::string name;
  std::string group;
  std::string kind;  // of the resource for NotFound ("pods"), of the kind for Invalid ("Pod")
  std::string uid;
  std::vector<Cause> causes;
  int retryAfterSeconds = 0;
};

class [[nodiscard]] Error {
 public:
  Error(Reason reason, std::string message) : reason_(reason), message_(std::move(message)) {}
  Error(Reason reason, std::string message, ErrorDetails details)
      : reason_(reason),
        message_(std::move(message)),
        details_(std::make_shared<ErrorDetails>(std::move(details))) {}

  Reason reason() const { return reason_; }
  const std::string& message() const { return message_; }
  const ErrorDetails* details() const { return details_.get(); }  // null when there are none
  int code() const { return code_ != 0 ? code_ : httpCode(reason_); }
  Error&& withCode(int code) && {
    code_ = code;
    return std::move(*this);
  }
  // "cordon node a: " + message
  Error&& wrap(std::string_view context) && {
    message_ = std::string(context) + ": " + message_;
    return std::move(*this);
  }
  bool is(Reason reason) const { return reason_ == reason; }

 private:
  Reason reason_;
  int code_ = 0;  // an HTTP code other than the reason's own
  std::string message_;
  std::shared_ptr<const ErrorDetails> details_;
};

inline Error internalError(std::string message) {
  return {Reason::InternalError, std::move(message)};
}
inline Error badRequest(std::string message) { return {Reason::BadRequest, std::move(message)}; }

[[noreturn]] void checkFailed(const char* expr, const char* file, int line);

// Programmer errors abort, in release builds too. Never on data from outside the process.
// (Not CHECK: that is the test framework's word.)
#define MUST(cond) ((cond) ? void(0) : ::skiff::checkFailed(#cond, __FILE__, __LINE__))
#ifdef NDEBUG
#define DMUST(cond) void(0)
#else
#define DMUST(cond) MUST(cond)
#endif

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & {
    MUST(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    MUST(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    MUST(ok());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T valueOr(T other) && { return ok() ? std::get<0>(std::move(state_)) : std::move(other); }
  const Error& error() const& {
    MUST(!ok());
    return std::get<1>(state_);
  }
  Error&& error() && {
    MUST(!ok());
    return std::get<1>(std::move(state_));
  }
  // True when this is an error of that reason.
  bool failedWith(Reason reason) const { return !ok() && error().is(reason); }

 private:
  std::variant<T, Error> state_;
};

using Done = std::monostate;
using Status = Result<Done>;
inline Status okStatus() { return Done{}; }

}  // namespace skiff

// Value of a Result, or return its error from this function. Do not nest.
#define TRY(expr)                                         \
  __extension__({                                         \
    auto result_ = (expr);                                \
    if (!result_.ok()) return std::move(result_).error(); \
    std::move(result_).value();                           \
  })
