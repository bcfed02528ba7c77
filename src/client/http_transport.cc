#include <fstream>
#include <sstream>

#include "base/strings.h"
#include "client/transport.h"
#include "codec/json.h"
#include "net/body.h"

namespace skiff::client {
namespace {

using codec::Value;

// Tables of the kind that the object says it is; null for custom resources.
const api::TypeInfo* typeOf(const Value& root) {
  auto apiVersion = root["apiVersion"].asString();
  auto gv = cut(apiVersion, "/");
  return gv ? api::findKind(gv->first, gv->second, root["kind"].asString())
            : api::findKind("", apiVersion, root["kind"].asString());
}

// Reads "type" and "object" of each JSON line of a watch.
class HttpWatchStream final : public WatchStream {
 public:
  explicit HttpWatchStream(std::unique_ptr<net::ResponseStream> stream) : stream_(std::move(stream)) {}

  Result<std::optional<api::WatchEvent>> next(std::chrono::milliseconds timeout) override {
    for (;;) {
      if (auto end = buffer_.find('\n', scanned_); end != std::string::npos) {
        auto event = parse(std::string_view(buffer_).substr(0, end));
        buffer_.erase(0, end + 1);
        scanned_ = 0;
        return event;
      }
      scanned_ = buffer_.size();
      std::string piece = TRY(stream_->next(timeout));
      if (piece.empty()) return std::optional<api::WatchEvent>();
      buffer_ += piece;
    }
  }
  void cancel() override { stream_->cancel(); }

 private:
  static Result<std::optional<api::WatchEvent>> parse(std::string_view line) {
    auto document = TRY(codec::parseJsonDocument(line));
    api::WatchEvent event;
    auto type = document->root["type"].asString();
    event.type = type == "ADDED"      ? api::WatchEvent::Type::Added
                 : type == "MODIFIED" ? api::WatchEvent::Type::Modified
                 : type == "DELETED"  ? api::WatchEvent::Type::Deleted
                 : type == "BOOKMARK" ? api::WatchEvent::Type::Bookmark
                                      : api::WatchEvent::Type::Error;
    document->root = Value(document->root["object"]);
    auto* kind = typeOf(document->root);
    event.object = api::Object::fromDocument(std::move(document), kind);
    return std::optional(std::move(event));
  }

  std::unique_ptr<net::ResponseStream> stream_;
  std::string buffer_;
  size_t scanned_ = 0;
};

class HttpTransport final : public Transport {
 public:
  HttpTransport(Config config, net::HttpClient::Options options, std::string prefix)
      : config_(std::move(config)), prefix_(std::move(prefix)), host_(options.endpoint.host),
        client_(net::HttpClient::create(std::move(options))) {}

  Result<api::ObjectPtr> call(ApiRequest request) override {
    auto response = TRY(raw(std::move(request)));
    std::string body = net::bodyText(response);
    if (trim(body).empty()) return api::ObjectPtr();
    auto document = TRY(codec::parseJsonDocument(body));
    auto* type = typeOf(document->root);
    return api::Object::fromDocument(std::move(document), type);
  }

  Result<api::ObjectList> list(ApiRequest request) override {
    auto response = TRY(raw(std::move(request)));
    auto document = TRY(codec::parseJsonDocument(net::bodyText(response)));
    const Value& root = document->root;
    api::ObjectList list;
    list.resourceVersion = root["metadata"]["resourceVersion"].str();
    list.continueToken = root["metadata"]["continue"].str();
    if (auto* left = root["metadata"].find("remainingItemCount")) list.remainingItemCount = left->asInt();
    std::string kind = root["kind"].str();
    if (kind.ends_with("List")) kind.resize(kind.size() - 4);
    // Items of a list carry no apiVersion and kind of their own.
    for (const auto& item : root["items"].items()) {
      auto own = codec::cloneDocument(item);
      if (!own->root.has("kind")) {
        own->root.set(own->arena, "apiVersion", Value::text(own->arena, root["apiVersion"].asString()));
        own->root.set(own->arena, "kind", Value::text(own->arena, kind));
      }
      auto* type = typeOf(own->root);
      list.items.push_back(api::Object::fromDocument(std::move(own), type));
    }
    return list;
  }

  Result<std::unique_ptr<WatchStream>> watch(ApiRequest request) override {
    auto opened = TRY(stream(std::move(request)));
    return std::unique_ptr<WatchStream>(std::make_unique<HttpWatchStream>(std::move(opened)));
  }

  Result<net::Response> raw(ApiRequest request) override {
    auto timeout = request.timeout;
    auto response = TRY(client_->call(toHttp(std::move(request)), timeout));
    if (response.status >= 400) return failure(response.status, net::bodyText(response));
    return response;
  }

  Result<std::unique_ptr<net::ResponseStream>> stream(ApiRequest request) override {
    auto timeout = request.timeout;
    auto opened = TRY(client_->stream(toHttp(std::move(request)), timeout));
    if (opened->status() < 400) return opened;
    std::string body;
    for (;;) {
      auto piece = opened->next(timeout);
      if (!piece.ok() || piece->empty() || body.size() > (1 << 20)) break;
      body += *piece;
    }
    return failure(opened->status(), body);
  }

  Result<std::unique_ptr<net::ByteStream>> upgrade(ApiRequest request, net::Headers headers,
                                                   net::Response* answer) override {
    auto timeout = request.timeout;
    auto http = toHttp(std::move(request));
    for (const auto& [name, value] : headers.items()) http.headers.set(name, value);
    return client_->upgrade(std::move(http), answer, timeout);
  }

 private:
  net::Request toHttp(ApiRequest request) const {
    net::Request http;
    http.method = std::move(request.method);
    http.path = prefix_ + request.path;
    http.query = net::buildQuery(request.query);
    http.headers.set("host", host_);
    http.headers.set("accept", request.accept.empty() ? "application/json" : request.accept);
    http.headers.set("user-agent", config_.userAgent);
    authorize(http.headers);
    if (request.body) {
      http.body = request.body->json();
      http.headers.set("content-type", "application/json");
    } else if (!request.rawBody.empty()) {
      http.body = SharedBytes(std::move(request.rawBody));
      http.headers.set("content-type", request.contentType);
    }
    return http;
  }

  void authorize(net::Headers& headers) const {
    std::string token = config_.token;
    if (token.empty() && !config_.tokenFile.empty()) {  // rotated by its issuer: read each time
      std::ifstream in(config_.tokenFile);
      std::getline(in, token);
    }
    if (!token.empty()) {
      headers.set("authorization", "Bearer " + token);
    } else if (!config_.username.empty()) {
      headers.set("authorization", "Basic " + base64Encode(config_.username + ":" + config_.password));
    }
    if (config_.asUser.empty()) return;
    headers.set("impersonate-user", config_.asUser);
    for (const auto& group : config_.asGroups) headers.add("impersonate-group", group);
  }

  static Error failure(int status, std::string_view body) {
    auto document = codec::parseJsonDocument(body);
    if (document.ok() && (*document)->root["kind"].asString() == "Status")
      return errorFromStatus((*document)->root, status);
    return Error(Reason::Unknown, body.empty() ? concat("the server answered with status ", status) : std::string(body))
        .withCode(status);
  }

  Config config_;
  std::string prefix_, host_;
  std::unique_ptr<net::HttpClient> client_;
};

}  // namespace

Result<std::unique_ptr<Transport>> httpTransport(const Config& config) {
  bool isTls = false;
  std::string prefix;
  auto server = config.server.find("://") == std::string::npos ? "http://" + config.server : config.server;
  net::HttpClient::Options options{.endpoint = TRY(net::parseUrl(server, &isTls, &prefix))};
  while (prefix.ends_with('/')) prefix.pop_back();
  if (isTls) {
    options.endpoint.serverName = config.tlsServerName;
    options.endpoint.tls = TRY(net::TlsContext::client({.caPem = config.caPem,
                                                        .keyPair = {config.certPem, config.keyPem},
                                                        .insecureSkipVerify = config.insecure}));
  }
  return std::unique_ptr<Transport>(std::make_unique<HttpTransport>(config, std::move(options), std::move(prefix)));
}

Error errorFromStatus(const codec::Value& status, int httpStatus) {
  const Value& details = status["details"];
  ErrorDetails out{.name = details["name"].str(),
                   .group = details["group"].str(),
                   .kind = details["kind"].str(),
                   .uid = details["uid"].str(),
                   .retryAfterSeconds = int(details["retryAfterSeconds"].asInt())};
  for (const auto& cause : details["causes"].items())
    out.causes.push_back({cause["reason"].str(), cause["message"].str(), cause["field"].str()});
  return Error(reasonFromText(status["reason"].asString()), status["message"].str(), std::move(out))
      .withCode(int(status["code"].asInt(httpStatus)));
}

}  // namespace skiff::client
