// Lists and objects as metav1.Table; columns and cells are api/table.h's.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "apiserver/resource_map.h"
#include "base/clock.h"
#include "codec/value.h"

namespace skiff::apiserver {

// apiVersion, kind, columnDefinitions and rows; metadata is the caller's. `includeObject`: "", "Metadata", "Object", "None".
codec::Value tableOf(const ServedResource& resource, std::span<const api::ObjectPtr> objects,
                     std::string_view includeObject, std::string_view metaVersion, WallTime now, codec::Arena& arena);
// The same as JSON, with its metadata and a newline, made of the objects' own bytes.
std::vector<SharedBytes> tableJson(const ServedResource& resource, std::span<const api::ObjectPtr> objects,
                                   std::string_view includeObject, std::string_view metaVersion,
                                   const codec::Value& listMeta, WallTime now);

}  // namespace skiff::apiserver
