// Small string helpers shared by all rooms. Look here before writing another.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff {

// concat("a", 1, view): one allocation-friendly join of printable parts.
inline void appendPart(std::string& out, std::string_view part) { out += part; }
inline void appendPart(std::string& out, char part) { out += part; }
template <class N>
  requires std::is_integral_v<N>
void appendPart(std::string& out, N part) {
  out += std::to_string(part);
}
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::string out;
  (appendPart(out, parts), ...);
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator);  // "" gives {""}
std::vector<std::string_view> splitNonEmpty(std::string_view text, char separator);
// The parts before and after the first separator; nullopt when there is none.
std::optional<std::pair<std::string_view, std::string_view>> cut(std::string_view text,
                                                                 std::string_view separator);
template <class Range>
std::string join(const Range& parts, std::string_view separator) {
  std::string out;
  bool first = true;
  for (const auto& part : parts) {
    if (!first) out += separator;
    first = false;
    out += part;
  }
  return out;
}
std::string_view trim(std::string_view text);  // ASCII white space
std::string toLower(std::string_view text);    // ASCII only
bool equalsIgnoreCase(std::string_view a, std::string_view b);
std::string replaceAll(std::string_view text, std::string_view from, std::string_view to);
// Whole text must be a number in range.
std::optional<int64_t> parseInt(std::string_view text);
std::optional<uint64_t> parseUint(std::string_view text);
std::optional<double> parseDouble(std::string_view text);
// Quoted and escaped as Go's %q does for valid UTF-8 text: upstream's messages use it.
std::string quoted(std::string_view text);
bool isValidUtf8(std::string_view text);

std::string base64Encode(std::string_view bytes);                       // RFC 4648, padded
std::optional<std::string> base64Decode(std::string_view text);         // padded, strict
std::string base64UrlEncode(std::string_view bytes);                    // no padding (JWT)
std::optional<std::string> base64UrlDecode(std::string_view text);
std::string hexEncode(std::string_view bytes);
std::string percentEncode(std::string_view text);                        // RFC 3986 unreserved kept
std::optional<std::string> percentDecode(std::string_view text, bool plusIsSpace = false);

uint32_t fnv32a(std::string_view bytes);
uint64_t fnv64a(std::string_view bytes);

// For unordered containers that are looked up by string_view.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

}  // namespace skiff
