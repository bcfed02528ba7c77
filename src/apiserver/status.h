// metav1.Status: how every refusal is told to a client, and the refusals that many places share.
// Message forms are upstream's, since clients match on them.
#pragma once
#include <string>
#include <string_view>

#include "api/schema.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::apiserver {

codec::Value statusValue(const Error& error, codec::Arena& arena);
// Status "Success" with details of what was done; empty parts are left out.
codec::Value successStatus(codec::Arena& arena, int code, std::string_view group, std::string_view resource,
                           std::string_view name, std::string_view uid);

std::string groupResource(std::string_view group, std::string_view resource);  // "deployments.apps"

Error notFound(std::string_view group, std::string_view resource, std::string_view name);
Error alreadyExists(std::string_view group, std::string_view resource, std::string_view name);
Error conflict(std::string_view group, std::string_view resource, std::string_view name, std::string_view why);
Error forbidden(std::string_view group, std::string_view resource, std::string_view name, std::string_view why);
Error modified(std::string_view group, std::string_view resource, std::string_view name);  // stale resourceVersion
Error methodNotAllowed();
Error pathNotFound();  // "the server could not find the requested resource"
// 422 of an options object such as CreateOptions.meta.k8s.io.
Error invalidOptions(std::string_view kind, Cause cause);
Error expired(std::string_view message);
Error tooManyRequests(std::string_view message, int retryAfterSeconds);

}  // namespace skiff::apiserver
