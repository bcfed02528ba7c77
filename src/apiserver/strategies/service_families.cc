#include "apiserver/strategies/service_families.h"

#include <algorithm>

#include "apiserver/strategies/checks.h"
#include "base/strings.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

constexpr size_t kMaxFamilies = 2;

std::string_view otherThan(std::string_view family) { return family == "IPv4" ? "IPv6" : "IPv4"; }

std::vector<std::string> textsOf(const Value& list) {
  std::vector<std::string> texts;
  for (const Value& item : list.items()) texts.push_back(item.str());
  return texts;
}

bool contains(const std::vector<std::string_view>& families, std::string_view family) {
  return std::ranges::find(families, family) != families.end();
}

void checkClusterIps(const Field& spec, FieldErrors& errors) {
  Field list = spec["clusterIPs"], families = spec["ipFamilies"];
  if (list.at(0).text() == "None") {
    if (list.size() > 1) errors.invalid(list.path, shown(*list.value), "'None' must be the first and only value");
    return;
  }
  bool valid = true;
  each(list, [&](const Field& address) {
    auto faults = formats::ipAddress(address.text());
    valid = valid && faults.empty();
    addFaults(errors, address, faults);
  });
  if (!valid) return;
  auto family = [&](size_t i) { return familyOf(*formats::parseIp(list.at(i).text())); };
  if (list.size() > kMaxFamilies) errors.invalid(list.path, shown(*list.value), "may only hold up to 2 values");
  else if (list.size() == kMaxFamilies && family(0) == family(1))
    errors.invalid(list.path, shown(*list.value), "may specify no more than one IP for each IP family");
  for (size_t i = 0; i < std::min(list.size(), families.size()); ++i) {
    std::string_view stated = families.at(i).text();
    bool known = stated == "IPv4" || stated == "IPv6";
    if (known && family(i) != stated)
      errors.invalid(list.at(i).path, quoted(list.at(i).text()), concat("expected an ", stated, " value as indicated by `ipFamilies[", i, "]`"));
  }
}

// A policy that has become SingleStack gives up the second of what the client has left as it was.
void releaseSecondary(Value& spec, const Value& old, Arena& arena) {
  if (spec["ipFamilyPolicy"].asString() != "SingleStack" || old["ipFamilyPolicy"].asString() == "SingleStack") return;
  for (std::string_view field : {"clusterIPs", "ipFamilies"}) {
    std::vector<std::string> before = textsOf(old[field]);
    if (before.size() == kMaxFamilies && before == textsOf(spec[field])) setTexts(spec, field, {before[0]}, arena);
  }
}

class FamilyCheck {
 public:
  FamilyCheck(const Value& spec, const Value* old, const std::vector<std::string_view>& configured, bool anyFamily, FieldErrors& errors)
      : spec_(spec), old_(old), configured_(configured), anyFamily_(anyFamily), errors_(errors) {}

  // What the service says of itself first; only if that can be, whether the cluster has it.
  void run() {
    policy();
    if (anyFamily_) return;
    addressFamilies();
    if (errors_.empty()) configuredFamilies();
  }

 private:
  static size_t addresses(const Value& spec) { return isHeadless(spec) ? 0 : spec["clusterIPs"].size(); }

  void policy() {
    std::string_view policy = spec_["ipFamilyPolicy"].asString();
    auto wrong = [&](std::string why) { errors_.invalid("spec.ipFamilyPolicy", quoted(policy), std::move(why)); };
    if (policy == "SingleStack") {
      constexpr std::string_view kMust = "must be 'RequireDualStack' or 'PreferDualStack' when multiple ";
      if (addresses(spec_) == kMaxFamilies) wrong(concat(kMust, "cluster IPs are specified"));
      if (spec_["ipFamilies"].size() == kMaxFamilies) wrong(concat(kMust, "IP families are specified"));
      return;
    }
    if (!old_) return;
    auto isReleased = [](size_t before, size_t now) { return before == kMaxFamilies && now == 1; };
    if (isReleased(addresses(*old_), addresses(spec_))) wrong("must be 'SingleStack' to release the secondary cluster IP");
    if (isReleased((*old_)["ipFamilies"].size(), spec_["ipFamilies"].size())) wrong("must be 'SingleStack' to release the secondary IP family");
  }

  // Of addresses whose family is not stated.
  void addressFamilies() {
    for (size_t i = spec_["ipFamilies"].size(); i < addresses(spec_); ++i) {
      auto ip = formats::parseIp(spec_["clusterIPs"].at(i).asString());
      if (ip && !contains(configured_, familyOf(*ip)))
        errors_.invalid(concat("spec.clusterIPs[", i, "]"), shown(spec_["clusterIPs"]), concat(familyOf(*ip), " is not configured on this cluster"));
    }
  }

  void configuredFamilies() {
    std::string_view policy = spec_["ipFamilyPolicy"].asString();
    if (policy == "RequireDualStack" && configured_.size() < kMaxFamilies)
      errors_.invalid("spec.ipFamilyPolicy", quoted(policy), "this cluster is not configured for dual-stack services");
    for (size_t i = 0; i < spec_["ipFamilies"].size(); ++i) {
      std::string_view family = spec_["ipFamilies"].at(i).asString();
      if (!contains(configured_, family)) errors_.invalid(concat("spec.ipFamilies[", i, "]"), quoted(family), "not configured on this cluster");
    }
  }

  const Value& spec_;
  const Value* old_;
  const std::vector<std::string_view>& configured_;
  bool anyFamily_;
  FieldErrors& errors_;
};

}  // namespace

std::string_view familyOf(const formats::Ip& ip) { return ip.v6 ? "IPv6" : "IPv4"; }

bool isHeadless(const Value& spec) {
  return spec["clusterIP"].asString() == "None" || spec["clusterIPs"].at(0).asString() == "None";
}

bool isExternalName(const Value& spec) { return spec["type"].asString() == "ExternalName"; }

void setTexts(Value& spec, std::string_view field, const std::vector<std::string>& texts, Arena& arena) {
  Value list = Value::list();
  for (const std::string& text : texts) list.push(arena, Value::text(arena, text));
  spec.set(arena, field, list);
}

void checkFamilyFields(const Field& spec, FieldErrors& errors) {
  Field single = spec["clusterIP"], list = spec["clusterIPs"], families = spec["ipFamilies"], policy = spec["ipFamilyPolicy"];
  if (isExternalName(*spec.value)) {
    constexpr std::string_view kForbidden = "may not be set for ExternalName services";
    if (list.size() > 0) errors.forbidden(list.path, std::string(kForbidden));
    if (families.size() > 0) errors.forbidden(families.path, std::string(kForbidden));
    if (!policy.text().empty()) errors.forbidden(policy.path, std::string(kForbidden));
    return;
  }
  if (single.text().empty()) {
    if (list.size() > 0) errors.invalid(list.path, shown(*list.value), "must be empty when `clusterIP` is not specified");
  } else if (list.size() > 0 && list.at(0).text() != single.text()) {
    errors.invalid(list.path, shown(*list.value), "first value must match `clusterIP`");
  }
  std::vector<std::string_view> seen;
  each(families, [&](const Field& family) {
    checkEnum(errors, family, {"IPv4", "IPv6"});
    if (contains(seen, family.text())) errors.duplicate(family.path, quoted(family.text()));
    seen.push_back(family.text());
  });
  if (!policy.text().empty()) checkEnum(errors, policy, {"PreferDualStack", "RequireDualStack", "SingleStack"});
  checkClusterIps(spec, errors);
}

void completeFamilies(Value& spec, const Value* old, const std::vector<std::string_view>& configured, Arena& arena, FieldErrors& errors) {
  if (isExternalName(spec)) return;
  if (old) releaseSecondary(spec, *old, arena);
  // Endpoints of a headless service without selector are the user's: of either family, whatever the cluster has.
  bool anyFamily = isHeadless(spec) && spec["selector"].empty();
  if (spec["ipFamilyPolicy"].asString().empty())
    spec.set(arena, "ipFamilyPolicy", Value::string(anyFamily ? "RequireDualStack" : "SingleStack"));
  FamilyCheck(spec, old, configured, anyFamily, errors).run();
  if (!errors.empty()) return;
  std::vector<std::string> families = textsOf(spec["ipFamilies"]);
  for (size_t i = families.size(); i < spec["clusterIPs"].size(); ++i)
    if (auto ip = formats::parseIp(spec["clusterIPs"].at(i).asString())) families.emplace_back(familyOf(*ip));
  if (families.empty()) families.emplace_back(configured.front());
  bool wantsBoth = spec["ipFamilyPolicy"].asString() != "SingleStack" && (anyFamily || configured.size() == kMaxFamilies);
  if (wantsBoth && families.size() == 1) families.emplace_back(otherThan(families[0]));
  setTexts(spec, "ipFamilies", families, arena);
}

void checkFamilyChanges(const Field& spec, const Value& old, FieldErrors& errors) {
  if (isExternalName(*spec.value) || isExternalName(old)) return;
  constexpr std::string_view kFixed = "may not change once set";
  Field list = spec["clusterIPs"], families = spec["ipFamilies"];
  const Value &before = old["clusterIPs"], &familiesBefore = old["ipFamilies"];
  // While the secondary comes or goes only the primary is compared.
  bool sameSize = list.size() == before.size();
  for (size_t i = 0; i < (sameSize ? before.size() : std::min<size_t>(1, before.size())); ++i)
    if (!before.at(i).asString().empty() && list.at(i).text() != before.at(i).asString())
      errors.invalid(list.at(i).path, shown(*list.value), std::string(kFixed));
  if (familiesBefore.empty() || isHeadless(*spec.value) || families.at(0).text() == familiesBefore.at(0).asString()) return;
  const Field& told = families.size() == familiesBefore.size() ? families : list;
  errors.invalid(families.at(0).path, shown(*told.value), std::string(kFixed));
}

}  // namespace skiff::apiserver
