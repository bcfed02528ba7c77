#include "apiserver/auth/review_webhook.h"

#include "base/strings.h"
#include "codec/json.h"
#include "net/body.h"

namespace skiff::apiserver {

Result<std::unique_ptr<ReviewWebhook>> ReviewWebhook::create(Options options) {
  std::unique_ptr<ReviewWebhook> made(new ReviewWebhook(std::move(options)));
  const WebhookServer& server = made->options_.server;
  HttpClients::Target& target = made->target_;
  target.endpoint = TRY(net::parseUrl(server.url, &target.isTls, &made->path_));
  if (auto parts = cut(made->path_, "?")) {
    std::string path(parts->first);
    made->query_ = std::string(parts->second);
    made->path_ = std::move(path);
  }
  if (made->path_.empty()) made->path_ = "/";
  // Told to the server, as upstream tells it; and in errors.
  std::string patience = concat("timeout=", std::chrono::duration_cast<seconds>(made->options_.timeout).count(), "s");
  made->query_ = made->query_.empty() ? patience : concat(made->query_, "&", patience);
  made->url_ = concat(std::string_view(server.url).substr(0, server.url.find('?')), "?", made->query_);
  target.endpoint.serverName = server.tlsServerName;
  target.caPem = server.caPem;
  target.keyPair = {server.certPem, server.keyPem};
  target.insecureSkipVerify = server.insecure;
  (void)TRY(made->clients_.clientFor(target));  // wrong certificates are told at the start
  return made;
}

void ReviewWebhook::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  stopping_.notify_all();
}

bool ReviewWebhook::pause(milliseconds length) {
  std::unique_lock lock(mutex_);
  return !stopping_.wait_for(lock, length, [&] { return stopped_; });
}

Result<codec::DocumentPtr> ReviewWebhook::review(const codec::Value& review) {
  std::string body = codec::toJson(review);
  milliseconds length = options_.firstPause;
  for (int tries = 1;; ++tries) {
    bool again = false;
    auto answer = call(body, again);
    if (answer.ok() || !again || tries == kTries || !pause(length)) return answer;
    length = length * 3 / 2;
  }
}

Result<codec::DocumentPtr> ReviewWebhook::call(const std::string& body, bool& again) {
  auto client = TRY(clients_.clientFor(target_));
  const WebhookServer& server = options_.server;
  net::Request request;
  request.method = "POST";
  request.path = path_;
  request.query = query_;
  request.headers.set("host", concat(target_.endpoint.host, ":", target_.endpoint.port));
  request.headers.set("content-type", "application/json");
  request.headers.set("accept", "application/json");
  request.headers.set("user-agent", "kube-apiserver");
  if (!server.token.empty()) request.headers.set("authorization", concat("Bearer ", server.token));
  else if (!server.username.empty()) request.headers.set("authorization", concat("Basic ", base64Encode(concat(server.username, ":", server.password))));
  request.body = SharedBytes(std::string(body));
  auto answer = client->call(std::move(request), options_.timeout);
  if (!answer.ok()) {
    return Error(Reason::InternalError, concat("Post ", quoted(url_), ": ", answer.failedWith(Reason::Timeout) ? "context deadline exceeded"
                                                                                                                 : answer.error().message()));
  }
  again = answer->status == 429 || answer->status >= 500;
  if (answer->status < 200 || answer->status > 299)
    return Error(Reason::InternalError, concat("Post ", quoted(url_), ": the server returned status ", answer->status));
  again = false;
  auto document = TRY(codec::parseJsonDocument(net::bodyText(*answer)));
  return codec::DocumentPtr(std::move(document));
}

}  // namespace skiff::apiserver
