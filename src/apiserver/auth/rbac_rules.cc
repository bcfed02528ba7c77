#include "apiserver/auth/rbac_rules.h"

#include <algorithm>
#include <map>

#include "apiserver/auth/text_list.h"
#include "base/strings.h"

namespace skiff::apiserver::rbac {

namespace {

using Texts = std::vector<std::string>;

bool has(const Texts& list, std::string_view text) {
  return std::ranges::find(list, text) != list.end();
}
bool hasOrAll(const Texts& list, std::string_view text) { return has(list, "*") || has(list, text); }

// "pods", "pods/log", "*", "*/scale".
bool resourceMatches(const Texts& resources, std::string_view resource,
                     std::string_view subresource) {
  std::string whole = subresource.empty() ? std::string(resource) : concat(resource, "/", subresource);
  return std::ranges::any_of(resources, [&](std::string_view item) {
    if (item == "*" || item == whole) return true;
    return !subresource.empty() && item.starts_with("*/") && item.substr(2) == subresource;
  });
}

bool urlMatches(const Texts& urls, std::string_view path) {
  return std::ranges::any_of(urls, [&](std::string_view url) {
    if (url == "*" || url == path) return true;
    return url.ends_with('*') && path.starts_with(url.substr(0, url.size() - 1));
  });
}

Texts texts(const codec::Value& list) {
  Texts out;
  for (const codec::Value& item : list.items()) out.push_back(item.str());
  return out;
}

// One rule for each combination: what coverage is checked on.
Rules breakdown(const Rule& rule) {
  Rules out;
  for (const std::string& verb : rule.verbs) {
    for (const std::string& url : rule.nonResourceUrls) {
      out.push_back({.verbs = {verb}, .nonResourceUrls = {url}});
    }
    for (const std::string& group : rule.apiGroups) {
      for (const std::string& resource : rule.resources) {
        if (rule.resourceNames.empty()) {
          out.push_back({.verbs = {verb}, .apiGroups = {group}, .resources = {resource}});
        }
        for (const std::string& name : rule.resourceNames) {
          out.push_back({.verbs = {verb},
                         .apiGroups = {group},
                         .resources = {resource},
                         .resourceNames = {name}});
        }
      }
    }
  }
  return out;
}

bool resourceCovered(const Texts& resources, std::string_view asked) {
  if (has(resources, "*") || has(resources, asked)) return true;
  auto parts = cut(asked, "/");
  return parts && has(resources, concat("*/", parts->second));
}

bool urlCovered(const Texts& urls, std::string_view asked) {
  return std::ranges::any_of(urls, [&](std::string_view url) {
    if (url == "*" || url == asked) return true;
    return url.ends_with('*') && asked.starts_with(url.substr(0, url.size() - 1));
  });
}

bool covers(const Rule& owned, const Rule& asked) {
  if (!hasOrAll(owned.verbs, asked.verbs[0])) return false;
  if (!asked.nonResourceUrls.empty()) {
    return urlCovered(owned.nonResourceUrls, asked.nonResourceUrls[0]);
  }
  if (!hasOrAll(owned.apiGroups, asked.apiGroups[0])) return false;
  if (!resourceCovered(owned.resources, asked.resources[0])) return false;
  if (owned.resourceNames.empty()) return true;
  return !asked.resourceNames.empty() && has(owned.resourceNames, asked.resourceNames[0]);
}

void appendList(std::string& out, std::string_view name, const Texts& items) {
  if (items.empty()) return;
  if (out.size() > 1) out += ", ";
  Texts quotedItems;
  for (const std::string& item : items) quotedItems.push_back(quoted(item));
  out += concat(name, ":[", join(quotedItems, " "), "]");
}

}  // namespace

bool Rule::allows(const RequestInfo& request) const {
  if (!hasOrAll(verbs, request.verb)) return false;
  if (!request.isResource) return urlMatches(nonResourceUrls, request.path);
  return hasOrAll(apiGroups, request.group) &&
         resourceMatches(resources, request.resource, request.subresource) &&
         (resourceNames.empty() || has(resourceNames, request.name));
}

std::string Rule::str() const {
  std::string out = "{";
  appendList(out, "APIGroups", apiGroups);
  appendList(out, "Resources", resources);
  appendList(out, "ResourceNames", resourceNames);
  appendList(out, "NonResourceURLs", nonResourceUrls);
  appendList(out, "Verbs", verbs);
  return out + "}";
}

codec::Value ruleValue(const Rule& rule, codec::Arena& arena) {
  codec::Value out = codec::Value::map();
  auto add = [&](std::string_view name, const std::vector<std::string>& items) {
    if (!items.empty()) out.set(arena, name, textList(items, arena));
  };
  add("verbs", rule.verbs);
  add("apiGroups", rule.apiGroups);
  add("resources", rule.resources);
  add("resourceNames", rule.resourceNames);
  add("nonResourceURLs", rule.nonResourceUrls);
  return out;
}

Rules rulesFromValue(const codec::Value& rules) {
  Rules out;
  for (const codec::Value& rule : rules.items()) {
    out.push_back({texts(rule["verbs"]), texts(rule["apiGroups"]), texts(rule["resources"]),
                   texts(rule["resourceNames"]), texts(rule["nonResourceURLs"])});
  }
  return out;
}

Rules uncovered(const Rules& owned, const Rules& asked) {
  Rules out;
  std::map<std::string, size_t> places;  // of a rule without its verbs
  for (const Rule& rule : asked) {
    for (Rule& part : breakdown(rule)) {
      if (std::ranges::any_of(owned, [&](const Rule& own) { return covers(own, part); })) continue;
      Texts verb = std::move(part.verbs);
      part.verbs.clear();
      auto [place, fresh] = places.emplace(part.str(), out.size());
      if (fresh) out.push_back(std::move(part));
      Texts& verbs = out[place->second].verbs;
      if (!has(verbs, verb[0])) verbs.push_back(verb[0]);
    }
  }
  return out;
}

}  // namespace skiff::apiserver::rbac
