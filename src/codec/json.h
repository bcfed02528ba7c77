// JSON text <-> value tree (RFC 8259), strict where Go's encoding/json is: no comments, no trailing commas.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace skiff::codec {

struct JsonOptions {
  int maxDepth = 10000;                 // as Go's encoding/json
  bool copyStrings = true;              // false: unescaped strings point into the input
  // Filled with the path of each duplicate key ("spec.replicas"); the last value wins. May be null.
  std::vector<std::string>* duplicates = nullptr;
  // Beside `duplicates`: where in the text each of them ends. May be null.
  std::vector<size_t>* duplicateOffsets = nullptr;
};

// Integers that fit int64 become Int, all other numbers Double. Invalid UTF-8 is replaced by U+FFFD, as Go does.
// The error's text is Go's where a user meets it ("invalid character '}' looking for beginning of value").
Result<Value> parseJson(std::string_view text, Arena& arena, const JsonOptions& options = {});
Result<std::shared_ptr<Document>> parseJsonDocument(std::string_view text);
Value parseRaw(const Value& raw, Arena& arena);  // the tree of a Raw value

// Members in the order they have; <, >, & and U+2028/9 escaped as Go does. No trailing newline.
void writeJson(std::string& out, const Value& value);
std::string toJson(const Value& value);
std::string toJsonSorted(const Value& value);               // map keys sorted at every level
std::string toJsonIndented(const Value& value, int spaces = 4);  // for people: sorted, as kubectl -o json
void writeJsonString(std::string& out, std::string_view text);
std::string formatJsonDouble(double value);                  // as Go: 1e+21, 0.1, 5

}  // namespace skiff::codec
