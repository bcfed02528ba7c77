#include "apiserver/audit/sink.h"
#include "base/strings.h"
#include "net/http_client.h"
#include "net/tls.h"

namespace skiff::apiserver::audit {
namespace {

constexpr std::chrono::seconds kTimeout{30};

class WebhookSink final : public Sink {
 public:
  WebhookSink(std::unique_ptr<net::HttpClient> client, std::string host, std::string path, std::string token)
      : client_(std::move(client)), host_(std::move(host)), path_(std::move(path)), token_(std::move(token)) {}
  std::string_view name() const override { return "webhook"; }

  Status write(std::span<const std::string> events) override {
    std::string body = R"({"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[)";
    bool first = true;
    for (const std::string& event : events) {
      if (!std::exchange(first, false)) body += ',';
      // Items of a list do not say what they are.
      constexpr std::string_view kHead = R"({"kind":"Event","apiVersion":"audit.k8s.io/v1",)";
      body += event.starts_with(kHead) ? concat('{', std::string_view(event).substr(kHead.size())) : event;
    }
    body += "]}\n";
    net::Request request;
    request.method = "POST";
    request.path = path_;
    request.headers.set("host", host_);
    request.headers.set("content-type", "application/json");
    request.headers.set("accept", "application/json, */*");
    if (!token_.empty()) request.headers.set("authorization", concat("Bearer ", token_));
    request.body = SharedBytes(std::move(body));
    net::Response answer = TRY(client_->call(std::move(request), kTimeout));
    if (answer.status >= 200 && answer.status < 300) return okStatus();
    return internalError(concat("the audit webhook answered with status ", answer.status));
  }

 private:
  std::unique_ptr<net::HttpClient> client_;
  std::string host_, path_, token_;
};

}  // namespace

Result<std::unique_ptr<Sink>> webhookSink(const AuditOptions& options) {
  const WebhookTarget& target = options.webhook;
  bool isTls = false;
  std::string path;
  net::Endpoint endpoint = TRY(net::parseUrl(target.url, &isTls, &path));
  endpoint.serverName = target.serverName;
  std::string host = concat(endpoint.host, ':', endpoint.port);
  if (isTls)
    endpoint.tls = TRY(net::TlsContext::client(
        {.caPem = target.caPem, .keyPair = {target.certPem, target.keyPem}, .insecureSkipVerify = target.insecure}));
  auto client = net::HttpClient::create({.endpoint = std::move(endpoint)});
  return std::unique_ptr<Sink>(
      std::make_unique<WebhookSink>(std::move(client), std::move(host), path.empty() ? "/" : path, target.token));
}

}  // namespace skiff::apiserver::audit
