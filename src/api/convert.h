// Schema-driven steps between bytes and value trees: the one code path that serves built-ins and
// custom resources.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "api/schema.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// Whose words tell of a value of the wrong kind: Go's JSON decoder's, or those of the converter that fills structs from
// maps, which decodes what a strategic merge patch made.
enum class DecodeWords { Json, Unstructured };

struct DecodeReport {
  std::vector<std::string> unknownFields;  // "unknown field \"spec.foo\"", in the order met
  bool keepUnknown = false;                // do not drop them
  DecodeWords words = DecodeWords::Json;
};

// Brings a parsed tree into the type's own form: fields in table order, unknown ones dropped and
// reported, null fields dropped as Go does, wrong kinds refused with Go's words ("json: cannot
// unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"), quantities and
// times canonical, zero omitempty values left out. Works in place; new bytes go to the arena.
Status conform(codec::Value& object, const TypeInfo& type, codec::Arena& arena,
               DecodeReport& report);

// Protobuf as Kubernetes writes it: fields in number order, maps sorted, `always` fields though
// zero. The tree must be conformed. Without the envelope.
Status encodeProtobuf(const codec::Value& value, const TypeInfo& type, std::string& out);
// Strings point into `bytes` unless copied by the caller's arena rules: they are copied.
Result<codec::Value> decodeProtobuf(std::string_view bytes, const TypeInfo& type,
                                    codec::Arena& arena);

// runtime.Unknown behind the magic "k8s\0"
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding).
struct Envelope {
  std::string_view apiVersion, kind;
  std::string_view raw;
  std::string_view contentType, contentEncoding;
};
inline constexpr std::string_view kProtobufMagic{"k8s\0", 4};
std::string wrapProtobuf(std::string_view apiVersion, std::string_view kind, std::string_view raw);
Result<Envelope> unwrapProtobuf(std::string_view bytes);

// Fills absent fields that have a default in the tables, in every present message, depth first.
void applyDefaults(codec::Value& object, const TypeInfo& type, codec::Arena& arena);

}  // namespace skiff::api
