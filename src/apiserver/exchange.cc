#include "apiserver/exchange.h"

#include <set>

#include "api/convert.h"
#include "apiserver/audit/record.h"
#include "apiserver/flow/classifier.h"
#include "apiserver/gzip.h"
#include "apiserver/status.h"
#include "base/strings.h"
#include "codec/json.h"
#include "codec/yaml.h"

namespace skiff::apiserver {
namespace {

// If all warnings take more, each is cut, and those beyond are dropped: as upstream does to stay below proxies' header limits.
constexpr size_t kMaxWarningBytes = 4096;
constexpr size_t kMaxOneWarning = 256;

// Below this size compression costs more than it saves.
constexpr size_t kGzipThreshold = 128 * 1024;

size_t bodySize(const net::Response& response) {
  size_t size = 0;
  for (const SharedBytes& piece : response.body) size += piece.size();
  return size;
}

std::string quotedWarning(std::string_view text) {
  std::string out = "299 - \"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out + '"';
}

void addWarnings(net::Headers& headers, const std::vector<std::string>& warnings) {
  size_t all = 0;
  for (const std::string& warning : warnings) all += quotedWarning(warning).size();
  size_t most = all > kMaxWarningBytes ? kMaxOneWarning : std::string::npos, bytes = 0;
  std::set<std::string_view> told;
  for (const std::string& warning : warnings) {
    if (!told.insert(warning).second) continue;
    std::string value = quotedWarning(std::string_view(warning).substr(0, most));
    if ((bytes += value.size()) > kMaxWarningBytes) break;
    headers.add("warning", value);
  }
}

}  // namespace

Exchange::Exchange(std::shared_ptr<net::Request> request, std::shared_ptr<net::ResponseWriter> writer)
    : query(request->query), request_(std::move(request)), writer_(std::move(writer)) {
  if (!request_->caller.has_value()) return;
  caller_ = std::any_cast<InProcessCaller>(&request_->caller);
  if (caller_) return;
  if (const auto* plain = std::any_cast<UserInfo>(&request_->caller)) {
    plainCaller_.user = *plain;
    caller_ = &plainCaller_;
  }
}

net::Headers Exchange::headers(std::string_view contentType) const {
  net::Headers headers;
  if (!auditId.empty()) headers.add("audit-id", auditId);
  headers.add("cache-control", "no-cache, private");
  if (!contentType.empty()) headers.add("content-type", contentType);
  if (const flow::FlowSchema* schema = seat.schema()) {
    headers.add("x-kubernetes-pf-flowschema-uid", schema->config.uid);
    headers.add("x-kubernetes-pf-prioritylevel-uid", schema->levelUid);
  }
  addWarnings(headers, warnings);
  return headers;
}

void Exchange::addWarning(std::string text) {
  if (std::ranges::find(warnings, text) == warnings.end()) warnings.push_back(std::move(text));
}

void Exchange::answered(int status) {
  if (auto call = std::exchange(onAnswer, nullptr)) call(status);
}

void Exchange::respond(net::Response response) {
  if (!inProcess() && bodySize(response) > kGzipThreshold && acceptsGzip(*request_) &&
      !response.headers.has("content-encoding")) {
    response.body = gzip(response.body);
    response.headers.set("content-encoding", "gzip");
    response.headers.add("vary", "Accept-Encoding");
  }
  int status = response.status;
  answerBytes = bodySize(response);
  writer_->respond(std::move(response));
  answered(status);
}

void Exchange::text(int status, std::string_view body) {
  net::Response response;
  response.status = status;
  response.headers = headers("text/plain; charset=utf-8");
  response.headers.add("x-content-type-options", "nosniff");
  response.body.emplace_back(std::string(body));
  respond(std::move(response));
}

void Exchange::fail(const Error& error) {
  codec::Arena arena;
  if (audit) {
    codec::Value status = statusValue(error, arena);
    audit->setStatus(status);
    audit->setResponse(status);
  }
  net::Response response;
  response.status = error.code();
  if (out.format == Format::Object) {
    // In-process callers get the Error itself: nothing is lost by writing it as a Status and reading it again.
    response.value = std::make_shared<const Error>(error);
    respond(std::move(response));
    return;
  }
  Format format = out.format;
  const api::TypeInfo* type = api::findType("meta/v1", "Status");
  auto body = encodeDocument(statusValue(error, arena), type, format, out.pretty);
  if (!body.ok()) {
    format = Format::Json;
    body = encodeDocument(statusValue(error, arena), type, format, out.pretty);
  }
  response.headers = headers(contentType(format));
  if (error.details() && error.details()->retryAfterSeconds > 0)
    response.headers.add("retry-after", std::to_string(error.details()->retryAfterSeconds));
  response.body.push_back(std::move(body).value());
  respond(std::move(response));
}

void Exchange::value(int status, const codec::Value& value, const api::TypeInfo* type) {
  if (audit) {
    if (value["kind"].asString() == "Status") audit->setStatus(value);
    audit->setResponse(value);
  }
  if (out.format == Format::Object) {
    net::Response response;
    response.status = status;
    response.value = api::Object::fromDocument(codec::cloneDocument(value), type);
    respond(std::move(response));
    return;
  }
  auto body = encodeDocument(value, type, out.format, out.pretty);
  if (!body.ok()) return fail(body.error());
  net::Response response;
  response.status = status;
  response.headers = headers(contentType(out.format));
  response.body.push_back(std::move(body).value());
  respond(std::move(response));
}

Result<SharedBytes> encodeDocument(const codec::Value& value, const api::TypeInfo* type, Format format, bool pretty) {
  switch (format) {
    case Format::Yaml: return SharedBytes(codec::toYaml(value));
    case Format::Protobuf: {
      if (!type) return Error(Reason::NotAcceptable, "only the following media types are accepted: application/json, application/yaml");
      std::string raw;
      TRY(api::encodeProtobuf(value, *type, raw));
      return SharedBytes(api::wrapProtobuf(value["apiVersion"].asString(), value["kind"].asString(), raw));
    }
    default: {
      std::string out = pretty ? codec::toJsonIndented(value, 2) : codec::toJson(value);
      out += '\n';
      return SharedBytes(std::move(out));
    }
  }
}

}  // namespace skiff::apiserver
