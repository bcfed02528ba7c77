#include "apiserver/strategies/formats.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/strings.h"

namespace skiff::apiserver::formats {

namespace {

bool isLower(char c) { return c >= 'a' && c <= 'z'; }
bool isUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isLowerOrDigit(char c) { return isLower(c) || isDigit(c); }
bool isLetterOrDigit(char c) { return isLowerOrDigit(c) || isUpper(c); }

// [a-z0-9]([-a-z0-9]*[a-z0-9])?
bool isLabelForm(std::string_view text) {
  return !text.empty() && isLowerOrDigit(text.front()) && isLowerOrDigit(text.back()) &&
         std::ranges::all_of(text, [](char c) { return isLowerOrDigit(c) || c == '-'; });
}

bool isSubdomainForm(std::string_view text) {
  return std::ranges::all_of(split(text, '.'), isLabelForm);
}

// ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]
bool isNamePartForm(std::string_view text) {
  return !text.empty() && isLetterOrDigit(text.front()) && isLetterOrDigit(text.back()) &&
         std::ranges::all_of(
             text, [](char c) { return isLetterOrDigit(c) || c == '-' || c == '_' || c == '.'; });
}

std::string maxCharacters(int n) { return concat("must be no more than ", n, " characters"); }
std::string maxBytes(int n) { return concat("must be no more than ", n, " bytes"); }

constexpr std::string_view kLabelText =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
constexpr std::string_view kLabel1035Text =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
constexpr std::string_view kSubdomainText =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr std::string_view kWildcardText =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
    "must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric "
    "character (e.g. '*.example.com', regex used for validation is "
    "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr std::string_view kNamePartText =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
constexpr std::string_view kLabelValueText =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

}  // namespace

Faults dnsLabel(std::string_view text) {
  Faults faults;
  if (text.size() > 63) faults.push_back(maxCharacters(63));
  if (!isLabelForm(text)) {
    // Dots are the common slip of names that are labels.
    bool onlyDots = text.find('.') != text.npos && isSubdomainForm(text);
    faults.emplace_back(onlyDots ? "must not contain dots" : kLabelText);
  }
  return faults;
}

Faults dns1035Label(std::string_view text) {
  Faults faults;
  if (text.size() > 63) faults.push_back(maxCharacters(63));
  if (!isLabelForm(text) || !isLower(text.front())) faults.emplace_back(kLabel1035Text);
  return faults;
}

Faults dnsSubdomain(std::string_view text) {
  Faults faults;
  if (text.size() > 253) faults.push_back(maxCharacters(253));
  if (!isSubdomainForm(text)) faults.emplace_back(kSubdomainText);
  return faults;
}

Faults wildcardDnsSubdomain(std::string_view text) {
  Faults faults;
  if (text.size() > 253) faults.push_back(maxCharacters(253));
  if (!text.starts_with("*.") || !isSubdomainForm(text.substr(2))) {
    faults.emplace_back(kWildcardText);
  }
  return faults;
}

Faults pathSegment(std::string_view text) {
  if (text == "." || text == "..") return {concat("may not be '", text, "'")};
  Faults faults;
  for (char c : {'/', '%'}) {
    if (text.find(c) != text.npos) faults.push_back(concat("may not contain '", c, "'"));
  }
  return faults;
}

Faults qualifiedName(std::string_view text) {
  auto parts = split(text, '/');
  Faults faults;
  std::string_view name = parts[0];
  if (parts.size() == 2) {
    std::string_view prefix = parts[0];
    name = parts[1];
    if (prefix.empty()) {
      faults.push_back("prefix part must be non-empty");
    } else {
      for (const std::string& fault : dnsSubdomain(prefix)) faults.push_back("prefix part " + fault);
    }
  } else if (parts.size() > 2) {
    return {concat("a valid label key ", kNamePartText,
                   " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")};
  }
  if (name.empty()) {
    faults.push_back("name part must be non-empty");
  } else if (name.size() > 63) {
    faults.push_back("name part " + maxBytes(63));
  }
  if (!isNamePartForm(name)) faults.push_back(concat("name part ", kNamePartText));
  return faults;
}

Faults labelValue(std::string_view text) {
  Faults faults;
  if (text.size() > 63) faults.push_back(maxBytes(63));
  if (!text.empty() && !isNamePartForm(text)) faults.emplace_back(kLabelValueText);
  return faults;
}

Faults configMapKey(std::string_view text) {
  Faults faults;
  if (text.size() > 253) faults.push_back(maxCharacters(253));
  bool fine = !text.empty() && std::ranges::all_of(text, [](char c) {
    return isLetterOrDigit(c) || c == '-' || c == '_' || c == '.';
  });
  if (!fine) {
    faults.push_back(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
        "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
        "'[-._a-zA-Z0-9]+')");
  }
  if (text == ".") faults.push_back("must not be '.'");
  if (text == "..") {
    faults.push_back("must not be '..'");
  } else if (text.starts_with("..")) {
    faults.push_back("must not start with '..'");
  }
  return faults;
}

Faults environmentName(std::string_view text) {
  bool fine = !text.empty() && std::ranges::all_of(
                                   text, [](char c) { return c >= ' ' && c <= '~' && c != '='; });
  if (fine) return {};
  return {
      "a valid environment variable name must consist only of printable ASCII characters other "
      "than '='"};
}

Faults portNumber(int64_t port) {
  if (port >= 1 && port <= 65535) return {};
  return {"must be between 1 and 65535, inclusive"};
}

Faults portName(std::string_view text) {
  Faults faults;
  if (text.size() > 15) faults.push_back(maxCharacters(15));
  if (!std::ranges::all_of(text, [](char c) { return isLowerOrDigit(c) || c == '-'; })) {
    faults.push_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (std::ranges::none_of(text, isLower)) {
    faults.push_back("must contain at least one letter (a-z)");
  }
  if (text.find("--") != text.npos) faults.push_back("must not contain consecutive hyphens");
  if (!text.empty() && (text.front() == '-' || text.back() == '-')) {
    faults.push_back("must not begin or end with a hyphen");
  }
  return faults;
}

Faults httpHeaderName(std::string_view text) {
  bool fine = !text.empty() && std::ranges::all_of(
                                   text, [](char c) { return isLetterOrDigit(c) || c == '-'; });
  if (fine) return {};
  return {
      "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', "
      "regex used for validation is '[-A-Za-z0-9]+')"};
}

Faults fullyQualifiedName(std::string_view text) {
  if (text.empty()) return {"must be specified"};
  Faults faults = dnsSubdomain(text);
  if (faults.empty() && split(text, '.').size() < 3) {
    faults.push_back("should be a domain with at least three segments separated by dots");
  }
  return faults;
}

Faults domainPrefixedPath(std::string_view text) {
  auto parts = cut(text, "/");
  if (!parts || parts->first.empty() || parts->second.empty()) {
    return {"must be a domain-prefixed path (such as \"acme.io/foo\")"};
  }
  Faults faults;
  for (const std::string& fault : dnsSubdomain(parts->first)) {
    faults.push_back("prefix part " + fault);
  }
  constexpr std::string_view kPathExtra = "-_.~!$&'()*+,;=:@%/";
  bool fine = std::ranges::all_of(parts->second, [&](char c) {
    return isLetterOrDigit(c) || kPathExtra.find(c) != kPathExtra.npos;
  });
  if (!fine) faults.push_back("Invalid path");
  return faults;
}

Faults uuid(std::string_view text) {
  bool fine = text.size() == 36;
  for (size_t i = 0; fine && i < text.size(); ++i) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    char c = text[i];
    fine = dash ? c == '-' : isDigit(c) || (c >= 'a' && c <= 'f');
  }
  if (fine) return {};
  return {
      "must be a lowercase UUID in 8-4-4-4-12 format (e.g. "
      "'123e4567-e89b-12d3-a456-426614174000')"};
}

Faults percent(std::string_view text) {
  bool fine = text.size() >= 2 && text.back() == '%' &&
              std::ranges::all_of(text.substr(0, text.size() - 1), isDigit);
  if (fine) return {};
  return {
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
      "'93%', regex used for validation is '[0-9]+%')"};
}

std::optional<Ip> parseIp(std::string_view text) {
  char copy[INET6_ADDRSTRLEN + 1];
  if (text.size() >= sizeof copy) return std::nullopt;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = 0;
  Ip ip;
  if (inet_pton(AF_INET, copy, ip.bytes.data() + 12) == 1) {
    ip.bytes[10] = ip.bytes[11] = 0xff;
    return ip;
  }
  if (inet_pton(AF_INET6, copy, ip.bytes.data()) == 1) {
    ip.v6 = true;
    return ip;
  }
  return std::nullopt;
}

bool Ip::isLoopback() const {
  if (!v6) return bytes[12] == 127;
  return bytes[15] == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t b) { return b == 0; });
}
bool Ip::isUnspecified() const {
  return std::all_of(bytes.begin() + (v6 ? 0 : 12), bytes.end(), [](uint8_t b) { return b == 0; });
}
bool Ip::isLinkLocalUnicast() const {
  return v6 ? bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80 : bytes[12] == 169 && bytes[13] == 254;
}
bool Ip::isLinkLocalMulticast() const {
  return v6 ? bytes[0] == 0xff && (bytes[1] & 0x0f) == 2
            : bytes[12] == 224 && bytes[13] == 0 && bytes[14] == 0;
}

std::optional<Network> parseCidr(std::string_view text) {
  auto parts = cut(text, "/");
  if (!parts) return std::nullopt;
  auto ip = parseIp(parts->first);
  auto bits = parseUint(parts->second);
  if (!ip || !bits || *bits > (ip->v6 ? 128u : 32u)) return std::nullopt;
  return Network{*ip, int(*bits)};
}

bool Network::contains(const Ip& ip) const {
  if (ip.v6 != address.v6) return false;
  int wanted = bits + (address.v6 ? 0 : 96);
  for (int i = 0; i < 16 && wanted > 0; ++i, wanted -= 8) {
    int mask = wanted >= 8 ? 0xff : (0xff00 >> wanted) & 0xff;
    if ((ip.bytes[size_t(i)] & mask) != (address.bytes[size_t(i)] & mask)) return false;
  }
  return true;
}

Faults ipAddress(std::string_view text) {
  if (parseIp(text)) return {};
  return {"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"};
}

Faults cidr(std::string_view text) {
  if (parseCidr(text)) return {};
  return {"must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"};
}

bool isKnownTimeZone(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find("..") != name.npos) return false;
  if (name == "UTC") return true;
  struct stat info {};
  return stat(concat("/usr/share/zoneinfo/", name).c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

namespace {

struct CronField {
  std::string_view name;
  int low, high;
  std::string_view names;  // of values, three letters each, from `low` on
};
constexpr CronField kCronFields[] = {
    {"minute", 0, 59, ""},
    {"hour", 0, 23, ""},
    {"day of month", 1, 31, ""},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"day of week", 0, 6, "sunmontuewedthufrisat"},
};

std::optional<int64_t> cronNumber(std::string_view text, const CronField& field) {
  std::string lower = toLower(text);
  if (lower.size() == 3) {
    size_t at = field.names.find(lower);
    if (at != field.names.npos && at % 3 == 0) return field.low + int64_t(at / 3);
  }
  return parseInt(text);
}

std::string cronRangeFault(std::string_view text, const CronField& field) {
  auto step = split(text, '/');
  if (step.size() > 2) return concat("too many slashes: ", text);
  auto ends = split(step[0], '-');
  if (ends.size() > 2) return concat("too many hyphens: ", text);
  int64_t low = field.low, high = field.high;
  if (ends[0] != "*" && ends[0] != "?") {
    auto first = cronNumber(ends[0], field);
    auto last = ends.size() == 2 ? cronNumber(ends[1], field) : first;
    for (size_t i = 0; i < ends.size(); ++i) {
      if (!(i == 0 ? first : last)) {
        return concat("failed to parse int from ", ends[i], ": strconv.Atoi: parsing ",
                      quoted(ends[i]), ": invalid syntax");
      }
    }
    low = *first;
    high = ends.size() == 1 && step.size() == 2 ? field.high : *last;
  }
  if (step.size() == 2) {
    auto by = parseInt(step[1]);
    if (!by) {
      return concat("failed to parse int from ", step[1], ": strconv.Atoi: parsing ",
                    quoted(step[1]), ": invalid syntax");
    }
    if (*by < 0) return concat("negative number (", *by, ") not allowed: ", step[1]);
    if (*by == 0) return concat("step of range should be a positive number: ", text);
  }
  if (low < field.low) return concat("beginning of range (", low, ") below minimum (", field.low, "): ", text);
  if (high > field.high) return concat("end of range (", high, ") above maximum (", field.high, "): ", text);
  if (low > high) {
    return concat("beginning of range (", low, ") beyond end of range (", high, "): ", text);
  }
  return {};
}

}  // namespace

std::string cronFault(std::string_view schedule) {
  if (schedule.empty()) return "empty spec string";
  if (schedule.front() == '@') {
    constexpr std::string_view kKnown[] = {"@yearly", "@annually", "@monthly", "@weekly",
                                           "@daily",  "@midnight", "@hourly"};
    bool known = std::ranges::find(kKnown, schedule) != std::end(kKnown) ||
                 schedule.starts_with("@every ");
    return known ? "" : concat("unrecognized descriptor: ", schedule);
  }
  auto fields = splitNonEmpty(schedule, ' ');
  if (fields.size() != 5) {
    return concat("expected exactly 5 fields, found ", fields.size(), ": [", join(fields, " "), "]");
  }
  for (size_t i = 0; i < 5; ++i) {
    for (std::string_view part : split(fields[i], ',')) {
      if (std::string fault = cronRangeFault(part, kCronFields[i]); !fault.empty()) return fault;
    }
  }
  return {};
}

}  // namespace skiff::apiserver::formats
