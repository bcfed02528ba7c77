// metadata.managedFields on every write: which manager set which field.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
#pragma once
#include <string>
#include <string_view>

#include "apiserver/registry.h"
#include "base/clock.h"

namespace skiff::apiserver {

// After a create (live null) or an update by `call.fieldManager`. Trees are in the stored version.
void trackManagedFields(codec::Value& object, const codec::Value* live, const WriteCall& call, WallTime now,
                        codec::Arena& arena);

struct ApplyCall {
  std::string manager;
  bool force = false;
  std::string subresource;
};
// Server-side apply of `config` onto the live object (null: none yet), in the served version.
Result<codec::Value> applyManaged(const codec::Value* live, const codec::Value& config, const ServedResource& resource,
                                  const ApplyCall& how, WallTime now, codec::Arena& arena);

// The manager of a client that names none: the first word of its user agent, as upstream.
std::string defaultFieldManager(std::string_view userAgent);

}  // namespace skiff::apiserver
