// Kubernetes' libraries of URLs, IP addresses and CIDRs.
#include <arpa/inet.h>

#include <array>
#include <cstring>

#include "base/strings.h"
#include "cel/library.h"

namespace skiff::cel {
namespace {

using Args = std::span<const Value>;

struct Ip {
  std::array<uint8_t, 16> bytes{};
  bool v4 = false;
  size_t length() const { return v4 ? 4 : 16; }
};
struct Cidr {
  Ip ip;
  int prefix = 0;
};
struct Url {
  std::string_view scheme, host, hostname, port, path, query;
};

// RFC 5952, without inet_ntop's habit of showing some addresses with an IPv4 tail.
std::string ipText(const Ip& ip) {
  if (ip.v4)
    return concat(int(ip.bytes[0]), ".", int(ip.bytes[1]), ".", int(ip.bytes[2]), ".", int(ip.bytes[3]));
  auto group = [&](size_t i) { return ip.bytes[2 * i] << 8 | ip.bytes[2 * i + 1]; };
  size_t from = 8, length = 1;  // the longest run of zero groups, at least two
  for (size_t i = 0; i < 8; ++i) {
    size_t run = 0;
    while (i + run < 8 && group(i + run) == 0) ++run;
    if (run > length) from = i, length = run;
  }
  std::string text;
  for (size_t i = 0; i < 8; ++i) {
    if (i == from) {
      text += "::";
      i += length - 1;
      continue;
    }
    char digits[8];
    std::snprintf(digits, sizeof digits, "%x", unsigned(group(i)));
    if (!text.empty() && text.back() != ':') text += ':';
    text += digits;
  }
  return text;
}

// The error's text, or "" and the address. IPv4 in IPv6 clothes and zones are refused, as Kubernetes does.
std::string parseIp(std::string_view text, Ip& ip) {
  std::string zeroEnded(text);
  std::string problem = concat("IP Address ", quoted(text), " parse error during conversion from string");
  if (text.find('%') != std::string_view::npos)
    return concat("IP address ", quoted(text), " with zone value is not allowed");
  ip.v4 = text.find(':') == std::string_view::npos;
  if (inet_pton(ip.v4 ? AF_INET : AF_INET6, zeroEnded.c_str(), ip.bytes.data()) != 1) return problem;
  constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!ip.v4 && std::memcmp(ip.bytes.data(), kMapped, 12) == 0)
    return concat("IPv4-mapped IPv6 address ", quoted(text), " is not allowed");
  return {};
}

std::string parseCidr(std::string_view text, Cidr& cidr) {
  std::string problem = concat("network address parse error during conversion from string: netip.ParsePrefix(", quoted(text), ")");
  auto parts = cut(text, "/");
  if (!parts) return problem;
  if (std::string bad = parseIp(parts->first, cidr.ip); !bad.empty()) return problem;
  auto prefix = parseInt(parts->second);
  bool plain = !parts->second.empty() && (parts->second[0] != '0' || parts->second.size() == 1) && parts->second[0] != '+';
  if (!prefix || !plain || *prefix < 0 || *prefix > int64_t(cidr.ip.length() * 8)) return problem;
  cidr.prefix = int(*prefix);
  return {};
}

Ip masked(const Cidr& cidr) {
  Ip ip = cidr.ip;
  for (size_t i = 0; i < ip.length(); ++i) {
    int bits = std::min(8, std::max(0, cidr.prefix - int(i) * 8));
    ip.bytes[i] = uint8_t(ip.bytes[i] & (0xff00 >> bits));
  }
  return ip;
}

bool sameIp(const Ip& a, const Ip& b) { return a.v4 == b.v4 && a.bytes == b.bytes; }

Value toIp(Context& context, Args args) {
  if (args[0].is(Kind::Cidr)) return context.opaque(Kind::Ip, args[0].payload<Cidr>().ip);
  if (!args[0].is(Kind::String)) return context.noOverload();
  Ip ip;
  std::string problem = parseIp(args[0].asText(), ip);
  return problem.empty() ? context.opaque(Kind::Ip, ip) : context.fail(problem);
}
Value isIp(Context& context, Args args) {
  Ip ip;
  return args[0].is(Kind::String) ? Value::boolean(parseIp(args[0].asText(), ip).empty()) : context.noOverload();
}
Value isCanonical(Context& context, Args args) {
  if (!args[0].is(Kind::String)) return context.noOverload();
  Ip ip;
  std::string problem = parseIp(args[0].asText(), ip);
  return problem.empty() ? Value::boolean(ipText(ip) == args[0].asText()) : context.fail(problem);
}
template <class Test>
Value ofIp(Context& context, Args args, Test test) {
  return args[0].is(Kind::Ip) ? test(args[0].payload<Ip>()) : context.noOverload();
}
Value family(Context& c, Args a) {
  return ofIp(c, a, [](const Ip& ip) { return Value::integer(ip.v4 ? 4 : 6); });
}
bool unspecified(const Ip& ip) { return ip.bytes == std::array<uint8_t, 16>{}; }
bool loopback(const Ip& ip) {
  std::array<uint8_t, 16> one{};
  one[15] = 1;
  return ip.v4 ? ip.bytes[0] == 127 : ip.bytes == one;
}
bool linkLocal(const Ip& ip) {
  return ip.v4 ? ip.bytes[0] == 169 && ip.bytes[1] == 254 : ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80;
}
bool multicast(const Ip& ip) { return ip.v4 ? (ip.bytes[0] & 0xf0) == 0xe0 : ip.bytes[0] == 0xff; }
bool linkLocalMulticast(const Ip& ip) {
  return ip.v4 ? ip.bytes[0] == 224 && ip.bytes[1] == 0 && ip.bytes[2] == 0
               : ip.bytes[0] == 0xff && (ip.bytes[1] & 0x0f) == 0x02;
}
bool globalUnicast(const Ip& ip) {
  constexpr std::array<uint8_t, 4> kBroadcast{255, 255, 255, 255};
  bool broadcast = ip.v4 && std::memcmp(ip.bytes.data(), kBroadcast.data(), 4) == 0;
  return !broadcast && !unspecified(ip) && !loopback(ip) && !multicast(ip) && !linkLocal(ip);
}
Value isUnspecified(Context& c, Args a) {
  return ofIp(c, a, [](const Ip& ip) { return Value::boolean(unspecified(ip)); });
}
Value isLoopback(Context& c, Args a) {
  return ofIp(c, a, [](const Ip& ip) { return Value::boolean(loopback(ip)); });
}
Value isLinkLocalUnicast(Context& c, Args a) {
  return ofIp(c, a, [](const Ip& ip) { return Value::boolean(linkLocal(ip)); });
}
Value isLinkLocalMulticast(Context& c, Args a) {
  return ofIp(c, a, [](const Ip& ip) { return Value::boolean(linkLocalMulticast(ip)); });
}
Value isGlobalUnicast(Context& c, Args a) {
  return ofIp(c, a, [](const Ip& ip) { return Value::boolean(globalUnicast(ip)); });
}

Value toCidr(Context& context, Args args) {
  if (!args[0].is(Kind::String)) return context.noOverload();
  Cidr cidr;
  std::string problem = parseCidr(args[0].asText(), cidr);
  return problem.empty() ? context.opaque(Kind::Cidr, cidr) : context.fail(problem);
}
Value isCidr(Context& context, Args args) {
  Cidr cidr;
  return args[0].is(Kind::String) ? Value::boolean(parseCidr(args[0].asText(), cidr).empty()) : context.noOverload();
}
Value containsIp(Context& context, Args args) {
  if (!args[0].is(Kind::Cidr)) return context.noOverload();
  const Cidr& cidr = args[0].payload<Cidr>();
  Cidr other{.ip = {}, .prefix = cidr.prefix};
  if (args[1].is(Kind::String)) {
    if (std::string problem = parseIp(args[1].asText(), other.ip); !problem.empty()) return context.fail(problem);
  } else if (args[1].is(Kind::Ip)) {
    other.ip = args[1].payload<Ip>();
  } else {
    return context.noOverload();
  }
  return Value::boolean(cidr.ip.v4 == other.ip.v4 && sameIp(masked(cidr), masked(other)));
}
Value containsCidr(Context& context, Args args) {
  if (!args[0].is(Kind::Cidr)) return context.noOverload();
  const Cidr& cidr = args[0].payload<Cidr>();
  Cidr other;
  if (args[1].is(Kind::String)) {
    if (std::string problem = parseCidr(args[1].asText(), other); !problem.empty()) return context.fail(problem);
  } else if (args[1].is(Kind::Cidr)) {
    other = args[1].payload<Cidr>();
  } else {
    return context.noOverload();
  }
  if (cidr.ip.v4 != other.ip.v4 || other.prefix < cidr.prefix) return Value::boolean(false);
  other.prefix = cidr.prefix;
  return Value::boolean(sameIp(masked(cidr), masked(other)));
}
Value maskedCidr(Context& context, Args args) {
  if (!args[0].is(Kind::Cidr)) return context.noOverload();
  const Cidr& cidr = args[0].payload<Cidr>();
  return context.opaque(Kind::Cidr, Cidr{masked(cidr), cidr.prefix});
}
Value prefixLength(Context& context, Args args) {
  return args[0].is(Kind::Cidr) ? Value::integer(args[0].payload<Cidr>().prefix) : context.noOverload();
}

// An absolute URL or an absolute path.
bool parseUrl(std::string_view text, Url& url) {
  for (char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return false;
  std::string_view rest = text.substr(0, text.find('#'));
  if (auto parts = cut(rest, "?")) rest = parts->first, url.query = parts->second;
  if (rest.starts_with('/') && !rest.starts_with("//")) return url.path = rest, true;
  auto scheme = cut(rest, ":");
  if (!scheme || scheme->first.empty()) return false;
  for (char c : scheme->first)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '+' && c != '-' && c != '.') return false;
  if (!std::isalpha(static_cast<unsigned char>(scheme->first[0]))) return false;
  url.scheme = scheme->first;
  rest = scheme->second;
  if (!rest.starts_with("//")) return true;
  rest.remove_prefix(2);
  size_t slash = std::min(rest.find('/'), rest.size());
  url.path = rest.substr(slash);
  url.host = rest.substr(0, slash);
  if (size_t at = url.host.rfind('@'); at != std::string_view::npos) url.host.remove_prefix(at + 1);
  size_t colon = url.host.rfind(':');
  bool bracketed = url.host.starts_with('[');
  if (bracketed && url.host.find(']') == std::string_view::npos) return false;
  if (colon != std::string_view::npos && (!bracketed || colon > url.host.find(']'))) {
    url.port = url.host.substr(colon + 1);
    for (char c : url.port)
      if (c < '0' || c > '9') return false;
  } else {
    colon = url.host.size();
  }
  url.hostname = url.host.substr(0, colon);
  if (bracketed) url.hostname = url.hostname.substr(1, url.hostname.find(']') - 1);
  return true;
}

Value toUrl(Context& context, Args args) {
  if (!args[0].is(Kind::String)) return context.noOverload();
  Url url;
  if (parseUrl(args[0].asText(), url)) return context.opaque(Kind::Url, url);
  return context.fail(concat("URL parse error during conversion from string: parse ", quoted(args[0].asText()),
                             ": invalid URI for request"));
}
Value isUrl(Context& context, Args args) {
  Url url;
  return args[0].is(Kind::String) ? Value::boolean(parseUrl(args[0].asText(), url)) : context.noOverload();
}
template <class Get>
Value ofUrl(Context& context, Args args, Get get) {
  return args[0].is(Kind::Url) ? Value::string(get(args[0].payload<Url>())) : context.noOverload();
}
Value getScheme(Context& c, Args a) { return ofUrl(c, a, [](const Url& url) { return url.scheme; }); }
Value getHost(Context& c, Args a) { return ofUrl(c, a, [](const Url& url) { return url.host; }); }
Value getHostname(Context& c, Args a) { return ofUrl(c, a, [](const Url& url) { return url.hostname; }); }
Value getPort(Context& c, Args a) { return ofUrl(c, a, [](const Url& url) { return url.port; }); }
Value getEscapedPath(Context& c, Args a) { return ofUrl(c, a, [](const Url& url) { return url.path; }); }
Value getQuery(Context& context, Args args) {
  if (!args[0].is(Kind::Url)) return context.noOverload();
  std::vector<std::pair<std::string, std::vector<Value>>> parameters;
  for (std::string_view part : splitNonEmpty(args[0].payload<Url>().query, '&')) {
    if (!context.charge(1)) return {};
    auto pair = cut(part, "=").value_or(std::pair(part, std::string_view()));
    auto key = percentDecode(pair.first, true), value = percentDecode(pair.second, true);
    if (!key || !value) continue;
    auto known = std::ranges::find(parameters, *key, [](const auto& p) { return p.first; });
    if (known == parameters.end()) known = parameters.insert(parameters.end(), {*key, {}});
    known->second.push_back(context.text(*value));
  }
  std::vector<Entry> entries;
  for (auto& [key, values] : parameters) entries.push_back({context.text(key), context.list(values)});
  return context.map(entries);
}

constexpr Function kFunctions[] = {
    {"ip", Style::Global, 1, 1, toIp, "string -> net.IP"},
    {"ip", Style::Member, 1, 1, toIp, "net.CIDR -> net.IP"},
    {"isIP", Style::Global, 1, 1, isIp, "string -> bool"},
    {"ip.isCanonical", Style::Global, 1, 1, isCanonical, "string -> bool"},
    {"family", Style::Member, 1, 1, family, "net.IP -> int"},
    {"isUnspecified", Style::Member, 1, 1, isUnspecified, "net.IP -> bool"},
    {"isLoopback", Style::Member, 1, 1, isLoopback, "net.IP -> bool"},
    {"isLinkLocalUnicast", Style::Member, 1, 1, isLinkLocalUnicast, "net.IP -> bool"},
    {"isLinkLocalMulticast", Style::Member, 1, 1, isLinkLocalMulticast, "net.IP -> bool"},
    {"isGlobalUnicast", Style::Member, 1, 1, isGlobalUnicast, "net.IP -> bool"},
    {"cidr", Style::Global, 1, 1, toCidr, "string -> net.CIDR"},
    {"isCIDR", Style::Global, 1, 1, isCidr, "string -> bool"},
    {"containsIP", Style::Member, 2, 2, containsIp, "net.CIDR net.IP -> bool | net.CIDR string -> bool"},
    {"containsCIDR", Style::Member, 2, 2, containsCidr, "net.CIDR net.CIDR -> bool | net.CIDR string -> bool"},
    {"masked", Style::Member, 1, 1, maskedCidr, "net.CIDR -> net.CIDR"},
    {"prefixLength", Style::Member, 1, 1, prefixLength, "net.CIDR -> int"},
    {"url", Style::Global, 1, 1, toUrl, "string -> kubernetes.URL"},
    {"isURL", Style::Global, 1, 1, isUrl, "string -> bool"},
    {"getScheme", Style::Member, 1, 1, getScheme, "kubernetes.URL -> string"},
    {"getHost", Style::Member, 1, 1, getHost, "kubernetes.URL -> string"},
    {"getHostname", Style::Member, 1, 1, getHostname, "kubernetes.URL -> string"},
    {"getPort", Style::Member, 1, 1, getPort, "kubernetes.URL -> string"},
    {"getEscapedPath", Style::Member, 1, 1, getEscapedPath, "kubernetes.URL -> string"},
    {"getQuery", Style::Member, 1, 1, getQuery, "kubernetes.URL -> map<string, list<string>>"},
};

}  // namespace

std::span<const Function> networkFunctions() { return kFunctions; }

bool equalNetwork(const Value& a, const Value& b) {
  if (a.is(Kind::Ip)) return sameIp(a.payload<Ip>(), b.payload<Ip>());
  if (a.is(Kind::Cidr))
    return sameIp(a.payload<Cidr>().ip, b.payload<Cidr>().ip) && a.payload<Cidr>().prefix == b.payload<Cidr>().prefix;
  const Url &x = a.payload<Url>(), &y = b.payload<Url>();
  return x.scheme == y.scheme && x.host == y.host && x.path == y.path && x.query == y.query;
}

std::string networkText(const Value& value) {
  if (value.is(Kind::Ip)) return ipText(value.payload<Ip>());
  if (value.is(Kind::Cidr)) return concat(ipText(value.payload<Cidr>().ip), "/", value.payload<Cidr>().prefix);
  const Url& url = value.payload<Url>();
  return concat(url.scheme, url.scheme.empty() ? "" : "://", url.host, url.path, url.query.empty() ? "" : "?", url.query);
}

}  // namespace skiff::cel
