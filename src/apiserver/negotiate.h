// Which form an answer takes: the Accept header against what the endpoint can write.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/query.h"
#include "base/result.h"
#include "net/http.h"

namespace skiff::apiserver {

enum class Format {
  Json,
  Yaml,
  Protobuf,
  Object,  // in-process callers: the object itself
};
enum class Shape { Whole, Table, PartialMetadata, PartialMetadataList };

struct Negotiated {
  Format format = Format::Json;
  Shape shape = Shape::Whole;
  std::string shapeVersion = "v1";  // of meta.k8s.io
  bool pretty = false;
};

// One clause of an Accept header: "application/json;as=Table;g=meta.k8s.io;v=v1;q=0.5".
struct MediaClause {
  std::string type;
  std::vector<std::pair<std::string, std::string>> parameters;
  double quality = 1;
  std::string_view parameter(std::string_view name) const;
};
std::vector<MediaClause> parseAccept(std::string_view header);  // best first

enum class Protobuf { Offered, OfMetadata, NotOffered };  // OfMetadata: custom resources have no other message
enum class Transforms { Offered, NotOffered };  // tables and metadata instead of the whole object
// `verb` decides which transforms make sense.
Result<Negotiated> negotiate(const net::Request& request, const Query& query, std::string_view verb, Protobuf protobuf,
                             Transforms transforms = Transforms::Offered);

std::string_view contentType(Format format);
bool wantsPretty(const net::Request& request, const Query& query);
bool acceptsGzip(const net::Request& request);

// The body's format by its Content-Type; 415 when it is another's.
Result<Format> bodyFormat(const net::Request& request, Protobuf protobuf);

}  // namespace skiff::apiserver
