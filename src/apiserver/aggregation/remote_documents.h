// What an aggregated server tells of its group version: its resources, and its part of the OpenAPI documents.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/aggregation/remote_servers.h"

namespace skiff::apiserver {

struct RemoteDocuments {
  // A list of APIResourceDiscovery (apidiscovery.k8s.io/v2). Null: never read.
  codec::DocumentPtr resources;
  codec::DocumentPtr openApiV2;  // the server's whole document; null: it has none
  std::string openApiV2Hash;     // names its content
  // The server's addresses of its OpenAPI v3 documents by name, with their hashes: "apis/wardle.example.com/v1alpha1".
  std::map<std::string, std::string> openApiV3;
  std::string openApiV2Etag;

  bool sameAs(const RemoteDocuments& other) const;
};

// Reads all of them. An Error: the resources could not be read; OpenAPI is what the server has of it. What has not changed since
// `before` (may be null) is not sent again.
Result<std::shared_ptr<const RemoteDocuments>> readRemoteDocuments(const ApiService& service, RemoteServers& servers,
                                                                   const RemoteDocuments* before);

// APIResourceList as a list of APIResourceDiscovery.
codec::Value discoveryOf(const codec::Value& resourceList, const ApiService& service, codec::Arena& arena);

}  // namespace skiff::apiserver
