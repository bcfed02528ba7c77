#include "dns/address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/strings.h"

namespace skiff::dns {

std::optional<std::string> addressBytes(std::string_view text) {
  std::string terminated(text), bytes(16, '\0');
  if (::inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return bytes;
  bytes.resize(4);
  if (::inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

std::string addressText(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

std::string canonicalAddress(std::string_view text) {
  auto bytes = addressBytes(text);
  return bytes ? addressText(*bytes) : std::string(text);
}

std::string dashedAddress(std::string_view text) {
  std::string label = canonicalAddress(text);
  std::replace_if(label.begin(), label.end(), [](char c) { return c == '.' || c == ':'; }, '-');
  // A label neither begins nor ends with a dash.
  if (label.starts_with('-')) label.insert(0, "0");
  if (label.ends_with('-')) label += '0';
  return label;
}

std::optional<std::string> addressOfDashed(std::string_view label) {
  std::string text(label);
  bool ipv4 = std::count(text.begin(), text.end(), '-') == 3 && text.find("--") == std::string::npos;
  std::replace(text.begin(), text.end(), '-', ipv4 ? '.' : ':');
  return addressBytes(text);
}

std::optional<std::string> reverseAddress(const Name& name) {
  Name lowered = name.lower();
  std::vector<std::string_view> labels = lowered.labels();
  size_t count = labels.size();
  if (count < 3 || labels[count - 1] != "arpa") return std::nullopt;
  std::string text;
  if (labels[count - 2] == "in-addr" && count == 6) {
    text = concat(labels[3], ".", labels[2], ".", labels[1], ".", labels[0]);
  } else if (labels[count - 2] == "ip6" && count == 34) {
    for (size_t i = 32; i-- > 0;) {
      if (labels[i].size() != 1) return std::nullopt;
      text += labels[i];
      if (i % 4 == 0 && i != 0) text += ':';
    }
  }
  auto bytes = addressBytes(text);
  return bytes ? std::optional(addressText(*bytes)) : std::nullopt;
}

}  // namespace skiff::dns
