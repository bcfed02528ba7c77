// A domain name as the wire has it (RFC 1035, 3.1): labels of any bytes, each behind its length. Case is kept, and
// ignored in comparisons.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::dns {

class Name {
 public:
  static constexpr size_t kMaxWire = 255;  // with the final root label
  static constexpr size_t kMaxLabel = 63;

  Name() = default;  // the root
  // "a.b" or "a.b.", always absolute; no escapes. nullopt when it is no name.
  static std::optional<Name> parse(std::string_view text);

  // One label in front or behind; false when the name would grow too long.
  bool prepend(std::string_view label);
  bool append(std::string_view label);

  bool isRoot() const { return wire_.empty(); }
  std::string_view wire() const { return wire_; }  // without the root label
  std::vector<std::string_view> labels() const;    // leftmost first; views into this name
  Name lower() const;
  bool isUnder(const Name& zone) const;            // or equal to it
  std::string text() const;                        // "a.b.", for logs and tests
  bool operator==(const Name& other) const;

 private:
  std::string wire_;
};

}  // namespace skiff::dns
