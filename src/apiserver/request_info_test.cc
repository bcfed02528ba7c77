#include <doctest/doctest.h>

#include "apiserver/request.h"

using namespace skiff;
using namespace skiff::apiserver;

namespace {
RequestInfo parse(std::string method, std::string path, std::string query = {}) {
  net::Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.query = std::move(query);
  return parseRequestInfo(request);
}
}  // namespace

TEST_CASE("requests for resources are read from the path") {
  auto info = parse("GET", "/api/v1/namespaces/a/pods/b/log");
  CHECK(info.isResource);
  CHECK(info.verb == "get");
  CHECK(info.ns == "a");
  CHECK(info.resource == "pods");
  CHECK(info.name == "b");
  CHECK(info.subresource == "log");

  info = parse("GET", "/apis/apps/v1/deployments");
  CHECK(info.verb == "list");
  CHECK(info.group == "apps");
  CHECK(info.ns.empty());

  info = parse("GET", "/apis/apps/v1/deployments", "watch=1");
  CHECK(info.verb == "watch");
  CHECK(parse("GET", "/api/v1/watch/namespaces/a/pods").verb == "watch");
  CHECK(parse("DELETE", "/api/v1/namespaces/a/pods").verb == "deletecollection");
  CHECK(parse("DELETE", "/api/v1/namespaces/a/pods/b").verb == "delete");
}

TEST_CASE("a namespace is its own namespace, and its subresources are not resources in it") {
  auto info = parse("GET", "/api/v1/namespaces/a");
  CHECK(info.resource == "namespaces");
  CHECK(info.name == "a");
  CHECK(info.ns == "a");
  info = parse("PUT", "/api/v1/namespaces/a/finalize");
  CHECK(info.resource == "namespaces");
  CHECK(info.subresource == "finalize");
}

TEST_CASE("a list of one name is permission for that name") {
  CHECK(parse("GET", "/api/v1/pods", "fieldSelector=metadata.name%3Db").name == "b");
  CHECK(parse("GET", "/api/v1/pods", "fieldSelector=metadata.name%21%3Db").name.empty());
}

TEST_CASE("other paths are no resources") {
  CHECK(!parse("GET", "/healthz").isResource);
  CHECK(!parse("GET", "/apis/apps/v1").isResource);
  CHECK(parse("POST", "/version").verb == "post");
}
