// Method, path and query -> what is asked of which resource. The grammar is that of
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
#include <algorithm>

#include "apiserver/query.h"
#include "apiserver/request.h"
#include "api/selectors.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

// Path segments that stand where "namespaces/NAME/RESOURCE" would, but are subresources of a namespace.
constexpr std::string_view kNamespaceSubresources[] = {"status", "finalize"};

std::string verbOf(std::string_view method) {
  if (method == "POST") return "create";
  if (method == "GET" || method == "HEAD") return "get";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return "delete";
  return "";
}

std::vector<std::string> decodedSegments(std::string_view path) {
  std::vector<std::string> out;
  for (std::string_view part : splitNonEmpty(path, '/')) {
    auto decoded = percentDecode(part);
    out.push_back(decoded ? *decoded : std::string(part));
  }
  return out;
}

// Reads "namespaces/NS/..." and leaves resource, name, subresource in `parts`.
void readNamespace(RequestInfo& info, std::vector<std::string>& parts) {
  if (parts.empty() || parts[0] != "namespaces") return;
  if (parts.size() > 1) {
    info.ns = parts[1];
    bool subresource = parts.size() > 2 && std::ranges::find(kNamespaceSubresources, parts[2]) !=
                                               std::end(kNamespaceSubresources);
    if (parts.size() > 2 && !subresource) parts.erase(parts.begin(), parts.begin() + 2);
  }
}

void readSelectors(RequestInfo& info, const Query& query) {
  info.fieldSelector = std::string(query.get("fieldSelector"));
  info.labelSelector = std::string(query.get("labelSelector"));
  if (!info.name.empty()) return;
  if (info.verb == "list" || info.verb == "get") {
    info.verb = query.flag("watch").value_or(false) ? "watch" : "list";
  } else if (info.verb == "delete") {
    info.verb = "deletecollection";
  }
  // A list of one name is permission for that name.
  if (info.verb == "create" || info.fieldSelector.empty()) return;
  auto selector = api::FieldSelector::parse(info.fieldSelector);
  if (!selector.ok()) return;
  for (const auto& requirement : selector->requirements())
    if (requirement.equal && requirement.field == "metadata.name") info.name = requirement.value;
}

}  // namespace

RequestInfo parseRequestInfo(const net::Request& request) {
  RequestInfo info;
  info.path = percentDecode(request.path).value_or(request.path);
  info.verb = toLower(request.method);
  std::vector<std::string> parts = decodedSegments(request.path);
  size_t prefix = 0;
  if (parts.size() >= 3 && parts[0] == "api") {
    prefix = 1;
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    info.group = parts[1];
    prefix = 2;
  } else {
    return info;
  }
  info.isResource = true;
  info.version = parts[prefix];
  parts.erase(parts.begin(), parts.begin() + long(prefix) + 1);
  info.verb = verbOf(request.method);
  bool oldWatch = parts[0] == "watch";  // /api/v1/watch/..., deprecated but served
  if (oldWatch) {
    if (parts.size() < 2) return info;
    info.verb = "watch";
    parts.erase(parts.begin());
  }
  readNamespace(info, parts);
  info.parts = parts;
  if (!parts.empty()) info.resource = parts[0];
  if (parts.size() >= 2) info.name = parts[1];
  if (parts.size() >= 3) info.subresource = parts[2];
  // "namespaces/a" names the namespace itself, which is then also its own namespace.
  if (oldWatch) {
    info.fieldSelector = std::string(Query(request.query).get("fieldSelector"));
    info.labelSelector = std::string(Query(request.query).get("labelSelector"));
    return info;
  }
  readSelectors(info, Query(request.query));
  return info;
}

}  // namespace skiff::apiserver
