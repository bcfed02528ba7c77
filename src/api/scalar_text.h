// Canonical text of the scalars that JSON writes as strings. The errors are those of Go's parsers,
// as clients see them.
#pragma once
#include <string_view>

#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// RFC 3339, any offset and fraction -> UTC whole seconds; Null for Go's zero time (year 1).
Result<codec::Value> canonicalTime(std::string_view text, codec::Arena& arena);
// The same with exactly six digits of fraction, which the input must have as well.
Result<codec::Value> canonicalMicroTime(std::string_view text, codec::Arena& arena);
Result<codec::Value> canonicalDuration(std::string_view text, codec::Arena& arena);
Result<codec::Value> canonicalQuantityValue(std::string_view text, codec::Arena& arena);
// Padded base64; line breaks are left out.
Result<codec::Value> canonicalBase64(std::string_view text, codec::Arena& arena);

}  // namespace skiff::api
