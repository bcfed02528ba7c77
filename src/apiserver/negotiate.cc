#include "apiserver/negotiate.h"

#include <algorithm>

#include "apiserver/inprocess.h"
#include "apiserver/status.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kYaml = "application/yaml";
constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";

// A header of foreign origin is not read further than this many clauses.
constexpr size_t kMaxClauses = 64;

MediaClause parseClause(std::string_view text) {
  MediaClause clause;
  bool first = true;
  for (std::string_view part : split(text, ';')) {
    part = trim(part);
    if (first) {
      clause.type = toLower(part);
      first = false;
      continue;
    }
    auto pair = cut(part, "=");
    if (!pair) continue;
    std::string_view value = trim(pair->second);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    if (trim(pair->first) == "q") {
      clause.quality = parseDouble(value).value_or(1);
    } else {
      clause.parameters.emplace_back(trim(pair->first), value);
    }
  }
  return clause;
}

bool covers(std::string_view pattern, std::string_view type) {
  if (pattern == "*/*" || pattern == type) return true;
  return pattern.ends_with("/*") && type.starts_with(pattern.substr(0, pattern.size() - 1));
}

std::vector<std::pair<Format, std::string_view>> offered(Protobuf protobuf) {
  std::vector<std::pair<Format, std::string_view>> out{{Format::Json, kJson}, {Format::Yaml, kYaml}};
  if (protobuf != Protobuf::NotOffered) out.emplace_back(Format::Protobuf, kProtobuf);
  return out;
}

bool isMetadata(Shape shape) { return shape == Shape::PartialMetadata || shape == Shape::PartialMetadataList; }

std::string offeredNames(Protobuf protobuf) {
  std::vector<std::string_view> names;
  for (auto [format, name] : offered(protobuf))
    if (format != Format::Protobuf || protobuf == Protobuf::Offered) names.push_back(name);
  return join(names, ", ");
}

Error unknownMediaType(Protobuf protobuf) {
  std::string names = offeredNames(protobuf) + ", application/json;stream=watch";
  if (protobuf == Protobuf::Offered) names += ", application/vnd.kubernetes.protobuf;stream=watch";
  return {Reason::NotAcceptable, concat("406: Not Acceptable\n\nAvailable representations: ", names),
          ErrorDetails{}};
}

// False when the clause asks for a transform that this request has not.
bool readShape(const MediaClause& clause, std::string_view verb, Negotiated& out) {
  std::string_view as = clause.parameter("as");
  if (as.empty()) return true;
  if (clause.parameter("g") != "meta.k8s.io") return false;
  std::string_view version = clause.parameter("v");
  if (version != "v1" && version != "v1beta1") return false;
  bool list = verb == "list" || verb == "deletecollection";
  if (as == "Table") {
    out.shape = Shape::Table;
  } else if (as == "PartialObjectMetadata" && !list) {
    out.shape = Shape::PartialMetadata;
  } else if (as == "PartialObjectMetadataList" && list) {
    out.shape = Shape::PartialMetadataList;
  } else {
    return false;
  }
  out.shapeVersion = std::string(version);
  return true;
}

}  // namespace

std::string_view MediaClause::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters)
    if (key == name) return value;
  return {};
}

std::vector<MediaClause> parseAccept(std::string_view header) {
  std::vector<MediaClause> clauses;
  for (std::string_view part : split(header, ',')) {
    if (trim(part).empty()) continue;
    if (clauses.size() == kMaxClauses) break;
    clauses.push_back(parseClause(part));
  }
  std::ranges::stable_sort(clauses, std::greater{}, &MediaClause::quality);
  return clauses;
}

Result<Negotiated> negotiate(const net::Request& request, const Query& query, std::string_view verb,
                             Protobuf protobuf, Transforms transforms) {
  Negotiated out;
  out.pretty = wantsPretty(request, query);
  std::string accept = join(request.headers.all("accept"), ",");
  if (request.caller.has_value() && accept == kObjectContent) {
    out.format = Format::Object;
    return out;
  }
  std::vector<MediaClause> clauses = parseAccept(accept);
  if (clauses.empty()) return out;
  bool known = false;
  for (const MediaClause& clause : clauses) {
    for (auto [format, name] : offered(protobuf)) {
      if (!covers(clause.type, name)) continue;
      Negotiated candidate = out;
      bool readable = readShape(clause, verb, candidate);
      if (format == Format::Protobuf && protobuf == Protobuf::OfMetadata && !isMetadata(candidate.shape)) continue;
      known = true;
      if (!readable) continue;
      if (transforms == Transforms::NotOffered && candidate.shape != Shape::Whole) continue;
      candidate.format = format;
      candidate.pretty = out.pretty || clause.parameter("pretty") == "1";
      return candidate;
    }
  }
  if (!known) return unknownMediaType(protobuf);
  return Error(Reason::NotAcceptable,
               concat("only the following media types are accepted: ", offeredNames(protobuf)));
}

std::string_view contentType(Format format) {
  switch (format) {
    case Format::Yaml: return kYaml;
    case Format::Protobuf: return kProtobuf;
    default: return kJson;
  }
}

bool wantsPretty(const net::Request& request, const Query& query) {
  if (auto asked = query.flag("pretty")) return *asked;
  // People at a terminal read better what is indented; upstream does the same by these names.
  std::string_view agent = request.headers.get("user-agent");
  return agent.starts_with("curl") || agent.starts_with("Wget") || agent.starts_with("Mozilla/5.0");
}

bool acceptsGzip(const net::Request& request) {
  for (const MediaClause& clause : parseAccept(request.headers.get("accept-encoding")))
    if (clause.type == "gzip" && clause.quality > 0) return true;
  return false;
}

Result<Format> bodyFormat(const net::Request& request, Protobuf protobuf) {
  std::string_view header = request.headers.get("content-type");
  if (header.empty()) return Format::Json;
  std::string type = parseClause(header).type;
  for (auto [format, name] : offered(protobuf))
    if (type == name) return format;
  return Error(Reason::UnsupportedMediaType,
               concat("the body of the request was in an unknown format - accepted media types include: ",
                      offeredNames(protobuf)));
}

}  // namespace skiff::apiserver
