// IP addresses as DNS sees them: text, raw bytes, and the names of reverse lookups.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "dns/name.h"

namespace skiff::dns {

// 4 or 16 bytes in network order; nullopt when the text is no address.
std::optional<std::string> addressBytes(std::string_view text);
std::string addressText(std::string_view bytes);  // canonical
std::string canonicalAddress(std::string_view text);  // as it is when it is no address

// "10-1-2-3", "2001-db8--1": the label of an address, and back.
std::string dashedAddress(std::string_view text);
std::optional<std::string> addressOfDashed(std::string_view label);  // its bytes

// The address that a name under in-addr.arpa or ip6.arpa asks for, as text; nullopt for other names.
std::optional<std::string> reverseAddress(const Name& name);

}  // namespace skiff::dns
