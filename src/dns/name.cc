#include "dns/name.h"

#include "base/strings.h"

namespace skiff::dns {

std::optional<Name> Name::parse(std::string_view text) {
  Name name;
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty()) return name;
  for (std::string_view label : split(text, '.')) {
    if (!name.append(label)) return std::nullopt;
  }
  return name;
}

bool Name::prepend(std::string_view label) {
  if (label.empty() || label.size() > kMaxLabel || wire_.size() + 1 + label.size() + 1 > kMaxWire) return false;
  wire_.insert(0, label);
  wire_.insert(wire_.begin(), static_cast<char>(label.size()));
  return true;
}

bool Name::append(std::string_view label) {
  if (label.empty() || label.size() > kMaxLabel || wire_.size() + 1 + label.size() + 1 > kMaxWire) return false;
  wire_ += static_cast<char>(label.size());
  wire_ += label;
  return true;
}

std::vector<std::string_view> Name::labels() const {
  std::vector<std::string_view> labels;
  for (size_t at = 0; at < wire_.size();) {
    auto size = static_cast<size_t>(static_cast<unsigned char>(wire_[at]));
    labels.push_back(std::string_view(wire_).substr(at + 1, size));
    at += 1 + size;
  }
  return labels;
}

Name Name::lower() const {
  Name name;
  name.wire_ = toLower(wire_);  // lengths are below 64 and so no letters
  return name;
}

bool Name::isUnder(const Name& zone) const {
  if (wire_.size() < zone.wire_.size()) return false;
  // The tail must begin at a label: walk there.
  size_t start = wire_.size() - zone.wire_.size(), at = 0;
  while (at < start) at += 1 + static_cast<size_t>(static_cast<unsigned char>(wire_[at]));
  return at == start && equalsIgnoreCase(std::string_view(wire_).substr(start), zone.wire_);
}

std::string Name::text() const {
  std::string text;
  for (std::string_view label : labels()) text += concat(label, '.');
  return text.empty() ? "." : text;
}

bool Name::operator==(const Name& other) const { return equalsIgnoreCase(wire_, other.wire_); }

}  // namespace skiff::dns
