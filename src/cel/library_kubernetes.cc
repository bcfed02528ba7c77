// Kubernetes' libraries of quantities, semantic versions, named formats and JSON patches.
#include <re2/re2.h>

#include <algorithm>

#include "api/names.h"
#include "api/quantity.h"
#include "base/clock.h"
#include "base/strings.h"
#include "cel/library.h"

namespace skiff::cel {
namespace {

using Args = std::span<const Value>;
using api::Quantity;

// ---- quantities

Value toQuantity(Context& context, Args args) {
  if (!args[0].is(Kind::String)) return context.noOverload();
  if (auto quantity = Quantity::parse(args[0].asText())) return context.opaque(Kind::Quantity, *quantity);
  return context.fail(api::quantityParseError(args[0].asText()));
}
Value isQuantity(Context& context, Args args) {
  return args[0].is(Kind::String) ? Value::boolean(Quantity::parse(args[0].asText()).has_value()) : context.noOverload();
}
bool isInteger(const Quantity& quantity) { return Quantity::of(quantity.value()) == quantity && !quantity.saturated(); }

template <class Get>
Value ofQuantity(Context& context, Args args, Get get) {
  return args[0].is(Kind::Quantity) ? get(args[0].payload<Quantity>()) : context.noOverload();
}
Value quantitySign(Context& c, Args a) {
  return ofQuantity(c, a, [](const Quantity& q) { return Value::integer(q.sign()); });
}
Value quantityIsInteger(Context& c, Args a) {
  return ofQuantity(c, a, [](const Quantity& q) { return Value::boolean(isInteger(q)); });
}
Value asInteger(Context& c, Args a) {
  return ofQuantity(c, a, [&](const Quantity& q) {
    return isInteger(q) ? Value::integer(q.value()) : c.fail("cannot convert value to integer");
  });
}
Value asApproximateFloat(Context& c, Args a) {
  return ofQuantity(c, a, [](const Quantity& q) {
    bool fine = q.milliValue() != INT64_MAX && q.milliValue() != INT64_MIN;
    return Value::real(fine ? double(q.milliValue()) / 1000.0 : double(q.value()));
  });
}
Value addOrSubtract(Context& context, Args args, bool add) {
  if (!args[0].is(Kind::Quantity)) return context.noOverload();
  Quantity other;
  if (args[1].is(Kind::Quantity))
    other = args[1].payload<Quantity>();
  else if (args[1].is(Kind::Int))
    other = Quantity::of(args[1].asInt());
  else
    return context.noOverload();
  const Quantity& quantity = args[0].payload<Quantity>();
  return context.opaque(Kind::Quantity, add ? quantity + other : quantity - other);
}
Value addQuantity(Context& c, Args a) { return addOrSubtract(c, a, true); }
Value subtractQuantity(Context& c, Args a) { return addOrSubtract(c, a, false); }

// ---- semantic versions

struct Semver {
  uint64_t major = 0, minor = 0, patch = 0;
  std::string_view pre, build;
};

bool versionNumber(std::string_view text, uint64_t& out) {
  bool digits = !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  auto number = parseUint(text);
  if (!digits || !number || (text.size() > 1 && text[0] == '0')) return false;
  out = *number;
  return true;
}

bool identifiers(std::string_view text, bool refuseLeadingZeros) {
  for (std::string_view part : split(text, '.')) {
    bool fine = !part.empty() && std::ranges::all_of(part, [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '-';
    });
    bool numeric = std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    if (!fine || (refuseLeadingZeros && numeric && part.size() > 1 && part[0] == '0')) return false;
  }
  return true;
}

bool parseSemver(std::string_view text, Semver& version) {
  if (auto parts = cut(text, "+")) {
    text = parts->first;
    version.build = parts->second;
    if (!identifiers(version.build, false)) return false;
  }
  if (auto parts = cut(text, "-")) {
    text = parts->first;
    version.pre = parts->second;
    if (!identifiers(version.pre, true)) return false;
  }
  auto numbers = split(text, '.');
  return numbers.size() == 3 && versionNumber(numbers[0], version.major) && versionNumber(numbers[1], version.minor) &&
         versionNumber(numbers[2], version.patch);
}

// v1.02 -> 1.2.0
std::string normalizeVersion(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  size_t end = std::min(text.find_first_of("-+"), text.size());
  std::vector<std::string> numbers;
  for (std::string_view part : split(text.substr(0, end), '.')) {
    while (part.size() > 1 && part[0] == '0') part.remove_prefix(1);
    numbers.emplace_back(part);
  }
  while (numbers.size() < 3) numbers.emplace_back("0");
  return join(numbers, ".") + std::string(text.substr(end));
}

int comparePre(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return a == b ? 0 : a.empty() ? 1 : -1;  // a release is above its previews
  auto as = split(a, '.'), bs = split(b, '.');
  for (size_t i = 0; i < std::min(as.size(), bs.size()); ++i) {
    auto x = parseUint(as[i]), y = parseUint(bs[i]);
    if (x && y && *x != *y) return *x < *y ? -1 : 1;
    if (x.has_value() != y.has_value()) return x ? -1 : 1;
    if (int order = as[i].compare(bs[i]); order != 0 && !x) return order < 0 ? -1 : 1;
  }
  return as.size() == bs.size() ? 0 : as.size() < bs.size() ? -1 : 1;
}

int compareVersions(const Semver& a, const Semver& b) {
  if (a.major != b.major) return a.major < b.major ? -1 : 1;
  if (a.minor != b.minor) return a.minor < b.minor ? -1 : 1;
  if (a.patch != b.patch) return a.patch < b.patch ? -1 : 1;
  return comparePre(a.pre, b.pre);
}

bool readSemver(Context& context, Args args, Semver& version) {
  bool normalize = args.size() == 2 && args[1].isTrue();
  std::string_view text = normalize ? context.arena.copy(normalizeVersion(args[0].asText())) : args[0].asText();
  return parseSemver(text, version);
}
bool semverArguments(Args args) { return args[0].is(Kind::String) && (args.size() == 1 || args[1].is(Kind::Bool)); }
Value toSemver(Context& context, Args args) {
  if (!semverArguments(args)) return context.noOverload();
  Semver version;
  if (readSemver(context, args, version)) return context.opaque(Kind::Semver, version);
  return context.fail("No Major.Minor.Patch elements found");
}
Value isSemver(Context& context, Args args) {
  Semver version;
  return semverArguments(args) ? Value::boolean(readSemver(context, args, version)) : context.noOverload();
}
template <class Get>
Value ofSemver(Context& context, Args args, Get get) {
  return args[0].is(Kind::Semver) ? Value::integer(int64_t(get(args[0].payload<Semver>()))) : context.noOverload();
}
Value semverMajor(Context& c, Args a) { return ofSemver(c, a, [](const Semver& v) { return v.major; }); }
Value semverMinor(Context& c, Args a) { return ofSemver(c, a, [](const Semver& v) { return v.minor; }); }
Value semverPatch(Context& c, Args a) { return ofSemver(c, a, [](const Semver& v) { return v.patch; }); }

// ---- order, of quantities and of versions

std::optional<int> order(Args args) {
  if (args[0].kind() != args[1].kind()) return std::nullopt;
  if (args[0].is(Kind::Semver)) return compareVersions(args[0].payload<Semver>(), args[1].payload<Semver>());
  if (!args[0].is(Kind::Quantity)) return std::nullopt;
  auto order = args[0].payload<Quantity>() <=> args[1].payload<Quantity>();
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}
Value compareTo(Context& context, Args args) {
  auto result = order(args);
  return result ? Value::integer(*result) : context.noOverload();
}
Value isLessThan(Context& context, Args args) {
  auto result = order(args);
  return result ? Value::boolean(*result < 0) : context.noOverload();
}
Value isGreaterThan(Context& context, Args args) {
  auto result = order(args);
  return result ? Value::boolean(*result > 0) : context.noOverload();
}

// ---- named formats

using Problems = std::vector<std::string>;
struct NamedFormat {
  std::string_view name;
  Problems (*check)(std::string_view);
};

Problems matching(std::string_view text, const char* pattern, std::string_view problem) {
  RE2 regex(pattern);
  if (RE2::FullMatch(re2::StringPiece(text.data(), text.size()), regex)) return {};
  return {std::string(problem)};
}
// Names with a suffix still to be appended: as the name, but a hyphen may end it.
Problems prefixOf(std::string_view text, Problems (*check)(std::string_view)) {
  std::string name(text);
  if (name.ends_with('-')) name.back() = 'a';
  return check(name);
}

constexpr NamedFormat kFormats[] = {
    {"dns1123Label", api::dns1123LabelErrors},
    {"dns1123Subdomain", api::dns1123SubdomainErrors},
    {"dns1035Label", api::dns1035LabelErrors},
    {"qualifiedName", api::qualifiedNameErrors},
    {"labelValue", api::labelValueErrors},
    {"dns1123LabelPrefix", [](std::string_view t) { return prefixOf(t, api::dns1123LabelErrors); }},
    {"dns1123SubdomainPrefix", [](std::string_view t) { return prefixOf(t, api::dns1123SubdomainErrors); }},
    {"dns1035LabelPrefix", [](std::string_view t) { return prefixOf(t, api::dns1035LabelErrors); }},
    {"uri", [](std::string_view t) { return matching(t, R"((/[^\s]*|[a-zA-Z][a-zA-Z0-9+.-]*:[^\s]+))", "invalid URI"); }},
    {"uuid",
     [](std::string_view t) {
       return matching(t, "(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", "does not match the UUID format");
     }},
    {"byte", [](std::string_view t) { return base64Decode(t) ? Problems{} : Problems{"invalid base64"}; }},
    {"date", [](std::string_view t) { return parseRfc3339(concat(t, "T00:00:00Z")) ? Problems{} : Problems{"invalid date"}; }},
    {"datetime", [](std::string_view t) { return parseRfc3339(t) ? Problems{} : Problems{"invalid datetime"}; }},
};

Value formatNamed(Context& context, std::string_view name) {
  for (const NamedFormat& format : kFormats)
    if (format.name == name) return context.some(Value::opaque(Kind::Format, &format));
  return Value::none();
}
Value named(Context& context, Args args) {
  return args[0].is(Kind::String) ? formatNamed(context, args[0].asText()) : context.noOverload();
}
// format.dns1123Label(): the function's own name says which.
Value namedByFunction(Context& context, Args) {
  return *formatNamed(context, context.call->name.substr(std::string_view("format.").size())).optional();
}
Value validate(Context& context, Args args) {
  if (!args[0].is(Kind::Format) || !args[1].is(Kind::String)) return context.noOverload();
  if (!context.chargeText(args[1].asText().size())) return {};
  std::vector<Value> problems;
  for (const std::string& problem : args[0].payload<NamedFormat>().check(args[1].asText()))
    problems.push_back(context.text(problem));
  return problems.empty() ? Value::none() : context.some(context.list(problems));
}

// ---- JSON patch

Value escapeKey(Context& context, Args args) {
  if (!args[0].is(Kind::String)) return context.noOverload();
  return context.text(replaceAll(replaceAll(args[0].asText(), "~", "~0"), "/", "~1"));
}

constexpr Function kFunctions[] = {
    {"quantity", Style::Global, 1, 1, toQuantity, "string -> kubernetes.Quantity"},
    {"isQuantity", Style::Global, 1, 1, isQuantity, "string -> bool"},
    {"sign", Style::Global, 1, 1, quantitySign, "kubernetes.Quantity -> int"},
    {"isInteger", Style::Member, 1, 1, quantityIsInteger, "kubernetes.Quantity -> bool"},
    {"asInteger", Style::Member, 1, 1, asInteger, "kubernetes.Quantity -> int"},
    {"asApproximateFloat", Style::Member, 1, 1, asApproximateFloat, "kubernetes.Quantity -> double"},
    {"add", Style::Member, 2, 2, addQuantity,
     "kubernetes.Quantity kubernetes.Quantity -> kubernetes.Quantity | "
     "kubernetes.Quantity int -> kubernetes.Quantity"},
    {"sub", Style::Member, 2, 2, subtractQuantity,
     "kubernetes.Quantity kubernetes.Quantity -> kubernetes.Quantity | "
     "kubernetes.Quantity int -> kubernetes.Quantity"},
    {"compareTo", Style::Member, 2, 2, compareTo,
     "kubernetes.Quantity kubernetes.Quantity -> int | kubernetes.Semver kubernetes.Semver -> int"},
    {"isLessThan", Style::Member, 2, 2, isLessThan,
     "kubernetes.Quantity kubernetes.Quantity -> bool | kubernetes.Semver kubernetes.Semver -> bool"},
    {"isGreaterThan", Style::Member, 2, 2, isGreaterThan,
     "kubernetes.Quantity kubernetes.Quantity -> bool | kubernetes.Semver kubernetes.Semver -> bool"},
    {"semver", Style::Global, 1, 2, toSemver, "string -> kubernetes.Semver | string bool -> kubernetes.Semver"},
    {"isSemver", Style::Global, 1, 2, isSemver, "string -> bool | string bool -> bool"},
    {"major", Style::Member, 1, 1, semverMajor, "kubernetes.Semver -> int"},
    {"minor", Style::Member, 1, 1, semverMinor, "kubernetes.Semver -> int"},
    {"patch", Style::Member, 1, 1, semverPatch, "kubernetes.Semver -> int"},
    {"format.named", Style::Global, 1, 1, named, "string -> optional_type<kubernetes.NamedFormat>"},
    {"format.dns1123Label", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.dns1123Subdomain", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.dns1035Label", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.qualifiedName", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.labelValue", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.dns1123LabelPrefix", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.dns1123SubdomainPrefix", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.dns1035LabelPrefix", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.uri", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.uuid", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.byte", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.date", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"format.datetime", Style::Global, 0, 0, namedByFunction, "-> kubernetes.NamedFormat"},
    {"validate", Style::Member, 2, 2, validate, "kubernetes.NamedFormat string -> optional_type<list<string>>"},
    {"jsonpatch.escapeKey", Style::Global, 1, 1, escapeKey, "string -> string"},
};

}  // namespace

std::span<const Function> kubernetesFunctions() { return kFunctions; }

bool equalOpaque(const Value& a, const Value& b) {
  switch (a.kind()) {
    case Kind::Quantity: return a.payload<Quantity>() == b.payload<Quantity>();
    case Kind::Semver: return compareVersions(a.payload<Semver>(), b.payload<Semver>()) == 0;
    case Kind::Format: return &a.payload<NamedFormat>() == &b.payload<NamedFormat>();
    case Kind::Url:
    case Kind::Ip:
    case Kind::Cidr: return equalNetwork(a, b);
    default: return false;
  }
}

std::string textOf(const Value& value) {
  switch (value.kind()) {
    case Kind::Quantity: return value.payload<Quantity>().str();
    case Kind::Url:
    case Kind::Ip:
    case Kind::Cidr: return networkText(value);
    case Kind::Semver: {
      const Semver& v = value.payload<Semver>();
      return concat(v.major, ".", v.minor, ".", v.patch, v.pre.empty() ? "" : "-", v.pre, v.build.empty() ? "" : "+", v.build);
    }
    default: return {};
  }
}

}  // namespace skiff::cel
