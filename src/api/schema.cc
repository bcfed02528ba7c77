#include "api/schema.h"

#include "base/strings.h"

namespace skiff::api {

extern const char kDescriptions[];  // made by tools/gen

std::string_view PooledText::str() const { return kDescriptions + offset; }

const FieldInfo* TypeInfo::field(std::string_view json) const {
  for (const auto& f : fields)
    if (f.json == json) return &f;
  return nullptr;
}

const FieldInfo* TypeInfo::field(std::string_view json, size_t* hint) const {
  for (size_t tried = 0, i = *hint; tried < fields.size(); ++tried, ++i) {
    if (i >= fields.size()) i = 0;
    if (fields[i].json == json) {
      *hint = i + 1;
      return &fields[i];
    }
  }
  return nullptr;
}

const SubresourceInfo* ResourceInfo::subresource(std::string_view name) const {
  for (const auto& s : subresources)
    if (s.name == name) return &s;
  return nullptr;
}

bool ResourceInfo::hasVerb(std::string_view verb) const {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

std::string apiVersionOf(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : concat(group, '/', version);
}

const TypeInfo* findType(std::string_view package, std::string_view name) {
  for (const auto& gv : builtinGroupVersions()) {
    if (gv.types.empty() || gv.types.front()->package != package) continue;
    for (const TypeInfo* type : gv.types)
      if (type->name == name) return type;
  }
  return nullptr;
}

const TypeInfo* findKind(std::string_view group, std::string_view version, std::string_view kind) {
  for (const auto& gv : builtinGroupVersions()) {
    if (gv.group != group || gv.version != version) continue;
    for (const TypeInfo* type : gv.types)
      if (type->isKind && type->name == kind) return type;
  }
  return nullptr;
}

namespace {
template <class Match>
const ResourceInfo* findIf(std::string_view group, std::string_view version, Match match) {
  for (const auto& gv : builtinGroupVersions()) {
    if (gv.group != group || gv.version != version) continue;
    for (const auto& resource : gv.resources)
      if (match(resource)) return &resource;
  }
  return nullptr;
}
}  // namespace

const ResourceInfo* findResource(std::string_view group, std::string_view version,
                                 std::string_view plural) {
  return findIf(group, version, [&](const ResourceInfo& r) { return r.plural == plural; });
}

const ResourceInfo* findResourceByKind(std::string_view group, std::string_view version,
                                       std::string_view kind) {
  return findIf(group, version, [&](const ResourceInfo& r) { return r.kind == kind; });
}

}  // namespace skiff::api
