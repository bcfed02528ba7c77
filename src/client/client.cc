#include "client/client.h"

#include "base/strings.h"
#include "gen/meta_v1.h"

namespace skiff::client {
namespace {

std::vector<std::pair<std::string, std::string>> listQuery(const ListOptions& options) {
  std::vector<std::pair<std::string, std::string>> query;
  auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) query.emplace_back(name, value);
  };
  add("labelSelector", options.labelSelector);
  add("fieldSelector", options.fieldSelector);
  add("resourceVersion", options.resourceVersion);
  add("resourceVersionMatch", options.resourceVersionMatch);
  add("continue", options.continueToken);
  if (options.limit > 0) query.emplace_back("limit", std::to_string(options.limit));
  return query;
}

api::ObjectPtr deleteBody(const DeleteOptions& options) {
  api::meta::v1::DeleteOptions body;
  body.gracePeriodSeconds = options.gracePeriodSeconds;
  if (!options.propagationPolicy.empty()) body.propagationPolicy = options.propagationPolicy;
  if (!options.uid.empty()) body.preconditions.ensure().uid = options.uid;
  if (!options.resourceVersion.empty()) body.preconditions.ensure().resourceVersion = options.resourceVersion;
  // DeleteOptions travels as meta.k8s.io/v1, which every group accepts.
  return api::Object::fromTyped(body);
}

std::string_view contentTypeOf(PatchType type) {
  switch (type) {
    case PatchType::Json: return "application/json-patch+json";
    case PatchType::Merge: return "application/merge-patch+json";
    case PatchType::StrategicMerge: return "application/strategic-merge-patch+json";
    case PatchType::Apply: return "application/apply-patch+yaml";
  }
  return "";
}

}  // namespace

std::string Resource::path(std::string_view ns, std::string_view name, std::string_view subresource) const {
  std::string out = group.empty() ? concat("/api/", version) : concat("/apis/", group, "/", version);
  if (namespaced && !ns.empty()) out += concat("/namespaces/", percentEncode(ns));
  out += concat("/", plural);
  if (!name.empty()) out += concat("/", percentEncode(name));
  if (!subresource.empty()) out += concat("/", subresource);
  return out;
}

Result<api::ObjectPtr> Client::getObject(const Resource& resource, std::string_view ns, std::string_view name) const {
  return transport_->call({.method = "GET", .path = resource.path(ns, name)});
}

Result<api::ObjectList> Client::listObjects(const Resource& resource, const ListOptions& options) const {
  return transport_->list({.method = "GET", .path = resource.path(options.ns), .query = listQuery(options)});
}

Result<api::ObjectPtr> Client::createObject(const Resource& resource, std::string_view ns, api::ObjectPtr object,
                                            std::string_view name, std::string_view subresource) const {
  auto path = subresource.empty() ? resource.path(ns) : resource.path(ns, name, subresource);
  return transport_->call({.method = "POST", .path = std::move(path), .query = {{"fieldManager", fieldManager_}},
                           .body = std::move(object)});
}

Result<api::ObjectPtr> Client::updateObject(const Resource& resource, api::ObjectPtr object,
                                            std::string_view subresource) const {
  auto path = resource.path(object->ns(), object->name(), subresource);
  return transport_->call({.method = "PUT", .path = std::move(path), .query = {{"fieldManager", fieldManager_}},
                           .body = std::move(object)});
}

Result<api::ObjectPtr> Client::patchObject(const Resource& resource, std::string_view ns, std::string_view name,
                                           PatchType type, std::string body, const PatchOptions& options) const {
  std::vector<std::pair<std::string, std::string>> query{
      {"fieldManager", options.fieldManager.empty() ? fieldManager_ : options.fieldManager}};
  if (options.force) query.emplace_back("force", "true");
  return transport_->call({.method = "PATCH", .path = resource.path(ns, name, options.subresource),
                           .query = std::move(query), .rawBody = std::move(body),
                           .contentType = std::string(contentTypeOf(type))});
}

Status Client::removeObject(const Resource& resource, std::string_view ns, std::string_view name,
                            const DeleteOptions& options) const {
  TRY(transport_->call({.method = "DELETE", .path = resource.path(ns, name), .body = deleteBody(options)}));
  return okStatus();
}

Status Client::removeCollection(const Resource& resource, std::string_view ns, const ListOptions& options,
                                const DeleteOptions& remove) const {
  TRY(transport_->call({.method = "DELETE", .path = resource.path(ns), .query = listQuery(options),
                        .body = deleteBody(remove)}));
  return okStatus();
}

Result<std::unique_ptr<WatchStream>> Client::watchObjects(const Resource& resource, const ListOptions& options,
                                                          bool bookmarks) const {
  auto query = listQuery(options);
  query.emplace_back("watch", "true");
  if (bookmarks) query.emplace_back("allowWatchBookmarks", "true");
  return transport_->watch({.method = "GET", .path = resource.path(options.ns), .query = std::move(query)});
}

}  // namespace skiff::client
