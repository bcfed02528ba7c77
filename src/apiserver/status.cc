#include "apiserver/status.h"

#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

void setText(Value& to, Arena& arena, std::string_view key, std::string_view text) {
  if (!text.empty()) to.set(arena, key, Value::text(arena, text));
}

Value head(Arena& arena, std::string_view status) {
  Value out = Value::map();
  out.set(arena, "kind", Value::string("Status"));
  out.set(arena, "apiVersion", Value::string("v1"));
  out.set(arena, "metadata", Value::map());
  out.set(arena, "status", Value::string(status));
  return out;
}

Value detailsValue(const ErrorDetails& details, Arena& arena) {
  Value out = Value::map();
  setText(out, arena, "name", details.name);
  setText(out, arena, "group", details.group);
  setText(out, arena, "kind", details.kind);
  setText(out, arena, "uid", details.uid);
  if (!details.causes.empty()) {
    Value causes = Value::list();
    for (const Cause& cause : details.causes) {
      Value item = Value::map();
      setText(item, arena, "reason", cause.reason);
      setText(item, arena, "message", cause.message);
      setText(item, arena, "field", cause.field);
      causes.push(arena, item);
    }
    out.set(arena, "causes", causes);
  }
  if (details.retryAfterSeconds > 0)
    out.set(arena, "retryAfterSeconds", Value::integer(details.retryAfterSeconds));
  return out;
}

ErrorDetails detailsOf(std::string_view group, std::string_view kind, std::string_view name) {
  ErrorDetails details;
  details.group = std::string(group);
  details.kind = std::string(kind);
  details.name = std::string(name);
  return details;
}

}  // namespace

Value statusValue(const Error& error, Arena& arena) {
  Value out = head(arena, "Failure");
  setText(out, arena, "message", error.message());
  setText(out, arena, "reason", reasonText(error.reason()));
  if (error.details()) out.set(arena, "details", detailsValue(*error.details(), arena));
  out.set(arena, "code", Value::integer(error.code()));
  return out;
}

Value successStatus(Arena& arena, int code, std::string_view group, std::string_view resource,
                    std::string_view name, std::string_view uid) {
  Value out = head(arena, "Success");
  ErrorDetails details = detailsOf(group, resource, name);
  details.uid = std::string(uid);
  if (!resource.empty()) out.set(arena, "details", detailsValue(details, arena));
  if (code != 0) out.set(arena, "code", Value::integer(code));
  return out;
}

std::string groupResource(std::string_view group, std::string_view resource) {
  return group.empty() ? std::string(resource) : concat(resource, '.', group);
}

Error notFound(std::string_view group, std::string_view resource, std::string_view name) {
  return {Reason::NotFound, concat(groupResource(group, resource), ' ', quoted(name), " not found"),
          detailsOf(group, resource, name)};
}

Error alreadyExists(std::string_view group, std::string_view resource, std::string_view name) {
  return {Reason::AlreadyExists, concat(groupResource(group, resource), ' ', quoted(name), " already exists"),
          detailsOf(group, resource, name)};
}

Error conflict(std::string_view group, std::string_view resource, std::string_view name, std::string_view why) {
  return {Reason::Conflict,
          concat("Operation cannot be fulfilled on ", groupResource(group, resource), ' ', quoted(name), ": ", why),
          detailsOf(group, resource, name)};
}

Error forbidden(std::string_view group, std::string_view resource, std::string_view name, std::string_view why) {
  std::string what = groupResource(group, resource);
  if (!name.empty()) what += " " + quoted(name);
  return {Reason::Forbidden, concat(what, " is forbidden: ", why), detailsOf(group, resource, name)};
}

Error modified(std::string_view group, std::string_view resource, std::string_view name) {
  return conflict(group, resource, name,
                  "the object has been modified; please apply your changes to the latest version and try again");
}

Error methodNotAllowed() {
  return {Reason::MethodNotAllowed, "the server does not allow this method on the requested resource",
          ErrorDetails{}};
}

Error pathNotFound() {
  return {Reason::NotFound, "the server could not find the requested resource", ErrorDetails{}};
}

Error invalidOptions(std::string_view kind, Cause cause) {
  ErrorDetails details = detailsOf("meta.k8s.io", kind, "");
  std::string message =
      concat(kind, ".meta.k8s.io \"\" is invalid: ", cause.field, cause.field.empty() ? "" : ": ", cause.message);
  details.causes.push_back(std::move(cause));
  return {Reason::Invalid, std::move(message), std::move(details)};
}

Error expired(std::string_view message) { return {Reason::Expired, std::string(message)}; }

Error tooManyRequests(std::string_view message, int retryAfterSeconds) {
  ErrorDetails details;
  details.retryAfterSeconds = retryAfterSeconds;
  return {Reason::TooManyRequests, std::string(message), std::move(details)};
}


}  // namespace skiff::apiserver
