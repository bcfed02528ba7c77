// OpenAPI documents of a server, made from the tables: version 2 (one document) and version 3 (one
// for each group version).
// https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// A group version as it is served. Everything pointed to must outlive the call that reads it.
struct OpenApiVersion {
  std::string group, version;
  std::vector<const ResourceInfo*> resources;
  // Schemas of custom resources by kind, as the CustomResourceDefinition has them
  // (openAPIV3Schema). A kind that is not here is built in and described by its tables.
  std::map<std::string, codec::Value, std::less<>> customSchemas;
};

// Of the schema with its comments, all that the built-in documents are made of: another one, other documents.
extern const char kSchemaFingerprint[];

struct OpenApiInfo {
  std::string gitVersion = "v1.37.2";  // info.version
};

// The built-in group versions that are on by default.
std::vector<OpenApiVersion> builtinOpenApiVersions();

// What another server's v2 document says of the paths that begin so.
struct OpenApiPart {
  std::string pathPrefix;  // "/apis/metrics.k8s.io/v1beta1/"
  const codec::Value* document = nullptr;
};

// The whole v2 document as JSON, keys sorted.
std::string openApiV2(std::span<const OpenApiVersion> served, const OpenApiInfo& info, std::span<const OpenApiPart> others = {});

// The same as protobuf: application/com.github.proto-openapi.spec.v2@v1.0+protobuf.
std::string openApiV2Protobuf(std::span<const OpenApiVersion> served, const OpenApiInfo& info,
                              std::span<const OpenApiPart> others = {});

// Names of the v3 documents: "api", "api/v1", "apis", "apis/apps", "apis/apps/v1", "version" ...
std::vector<std::string> openApiV3Names(std::span<const OpenApiVersion> served);
// One of them as JSON; NotFound for other names.
Result<std::string> openApiV3(std::span<const OpenApiVersion> served, std::string_view name,
                              const OpenApiInfo& info);

// "io.k8s.api.core.v1.Pod", the name of a built-in type's schema.
std::string openApiId(const TypeInfo& type);

}  // namespace skiff::api
