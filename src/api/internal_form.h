// Objects as upstream's validation shows them in messages: not the form of a version, but that of its own unversioned
// structs, written as Go writes structs that say nothing about JSON. Every field stands, by its Go name, though it is
// empty; only what all versions share (metadata, label selectors) keeps its usual form.
#pragma once
#include <string>

#include "api/schema.h"
#include "codec/value.h"

namespace skiff::api {

// {"Volumes":null,...,"DNSPolicy":"ClusterFirst",...}
std::string internalText(const codec::Value& value, const TypeInfo& type);
// What changed between two values of a type, a unified diff of their indented forms: "@@ -3,7 +3,7 @@\n ...".
std::string internalDiff(const codec::Value& before, const codec::Value& after, const TypeInfo& type);

}  // namespace skiff::api
