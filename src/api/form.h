// Which fields stand in an object's canonical tree, by the rules of Go's JSON encoder (omitempty,
// omitzero, pointers): the one place that decides it, for JSON and protobuf input and for typed
// structs alike.
#pragma once
#include "api/schema.h"
#include "codec/value.h"

namespace skiff::api {

// Whether Go would write the field; `value` may be null (absent).
bool isWritten(const FieldInfo& field, const codec::Value* value);
// Appends the field to `map` in the form that Go would write; `value` may be null (absent).
void emitField(codec::Value& map, const FieldInfo& field, const codec::Value* value,
               codec::Arena& arena);
// A message held by value with nothing in it, such as {"loadBalancer":{}}.
codec::Value zeroMessage(const TypeInfo& type, codec::Arena& arena);
// The apiVersion that objects of a kind carry: that of its group, but "v1" for what meta.k8s.io
// lends to all groups (Status, DeleteOptions, APIGroupList ...).
std::string apiVersionOf(const TypeInfo& kind);

}  // namespace skiff::api
