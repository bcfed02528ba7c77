#include "apiserver/relay.h"

#include <atomic>

#include "base/strings.h"
#include "rt/executor.h"

namespace skiff::apiserver {
namespace {

constexpr milliseconds kHeaderTimeout{60000};
constexpr milliseconds kIdleTimeout{4 * 3600 * 1000};  // upstream's streaming idle timeout
constexpr size_t kCopyBuffer = 32 * 1024;
constexpr size_t kMaxPage = 4 * 1024 * 1024;  // of a web page whose links are rewritten; a larger one goes on as it is
constexpr size_t kHighWater = 1024 * 1024;  // unread answer bytes of a slow client

// Headers of one connection, not of the message (RFC 9110, 7.6.1).
bool isHopHeader(std::string_view name) {
  constexpr std::string_view kHop[] = {"connection",        "keep-alive", "proxy-authenticate", "proxy-authorization",
                                       "te",                "trailer",    "transfer-encoding",  "upgrade",
                                       "content-length",    "host"};
  return std::ranges::find(kHop, toLower(name)) != std::end(kHop);
}

void copyStream(net::ByteStream& from, net::ByteStream& to) {
  std::string buffer(kCopyBuffer, '\0');
  for (;;) {
    auto count = from.read(buffer.data(), buffer.size());
    if (!count.ok()) {
      to.close();
      return;
    }
    if (*count == 0) return to.closeWrite();
    if (!to.write(std::string_view(buffer).substr(0, *count)).ok()) {
      from.close();
      return;
    }
  }
}

// Both directions until both are over.
void joinStreams(std::unique_ptr<net::ByteStream> client, std::unique_ptr<net::ByteStream> backend) {
  rt::Thread back("proxy-back", [&] { copyStream(*backend, *client); });
  copyStream(*client, *backend);
  back.join();
  client->close();
  backend->close();
}

}  // namespace

bool wantsUpgrade(const Exchange& exchange) { return !exchange.request().headers.get("upgrade").empty(); }

net::Request relayedRequest(const Exchange& exchange, std::string path, std::string query, std::string_view host) {
  net::Request request;
  request.method = exchange.request().method;
  request.path = std::move(path);
  request.query = std::move(query);
  request.httpMajor = 1;
  for (const auto& [name, value] : exchange.request().headers.items())
    // The caller's credentials are for us alone.
    if (!isHopHeader(name) && !equalsIgnoreCase(name, "authorization") && !toLower(name).starts_with("impersonate-"))
      request.headers.add(name, value);
  request.headers.set("host", host);
  // The trace context came with the headers; the audit's id is ours if the client gave none.
  if (!exchange.auditId.empty()) request.headers.set("audit-id", exchange.auditId);
  request.body = exchange.request().body;
  return request;
}

std::shared_ptr<void> RelayGroup::add(std::shared_ptr<net::ResponseStream> stream) {
  std::lock_guard lock(mutex_);
  if (stopped_) {
    stream->cancel();
    return nullptr;
  }
  uint64_t id = ++next_;
  streams_.emplace(id, std::move(stream));
  return {this, [id](RelayGroup* group) {
            std::lock_guard inner(group->mutex_);
            group->streams_.erase(id);
          }};
}

void RelayGroup::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  for (const auto& [id, stream] : streams_) stream->cancel();
}

namespace {

// The whole page with its links rewritten, or as much of a larger one as has been read, unchanged.
std::string readPage(net::ResponseStream& stream, const LinkRewriter& links) {
  std::string page;
  while (page.size() <= kMaxPage) {
    auto piece = stream.next(kIdleTimeout);
    if (!piece.ok() || piece->empty()) return links.page(page);
    page += *piece;
  }
  return page;
}

}  // namespace

void relay(const ExchangePtr& exchange, net::HttpClient& client, net::Request request, const RelayError& onError,
           RelayGroup& group, const LinkRewriter* links) {
  auto answer = client.stream(std::move(request), kHeaderTimeout);
  if (!answer.ok()) return exchange->fail(onError(answer.error()));
  net::ResponseStream& stream = **answer;
  net::Headers headers;
  for (const auto& [name, value] : stream.headers().items())
    if (!isHopHeader(name)) headers.add(name, value);
  bool isPage = links && toLower(headers.get("content-type")).starts_with("text/html") && headers.get("content-encoding").empty();
  if (links && !headers.get("location").empty()) headers.set("location", links->url(headers.get("location")));
  auto writer = exchange->writer();
  writer->begin(stream.status(), std::move(headers));
  exchange->begun(stream.status());
  // A client that goes away ends the backend's stream, and so this loop.
  std::shared_ptr<net::ResponseStream> shared(std::move(answer).value());
  auto underWay = group.add(shared);
  auto room = std::make_shared<std::atomic<uint32_t>>(0);  // counts wakes: the client has read, or is gone
  auto wake = [room] {
    room->fetch_add(1);
    room->notify_all();
  };
  writer->onClose([shared, wake] {
    shared->cancel();
    wake();
  });
  if (isPage) writer->write(SharedBytes(readPage(*shared, *links)));
  while (!writer->closed()) {
    auto piece = shared->next(kIdleTimeout);
    if (!piece.ok() || piece->empty()) break;
    writer->write(SharedBytes(std::move(piece).value()));
    uint32_t seen = room->load();
    if (writer->pendingBytes() <= kHighWater || writer->closed()) continue;
    writer->onDrain(wake);
    room->wait(seen);
  }
  writer->finish();
  if (auto call = std::exchange(exchange->onAnswer, nullptr)) call(shared->status());
}

void relayUpgrade(const ExchangePtr& exchange, net::HttpClient& client, net::Request request, const RelayError& onError) {
  request.headers.set("connection", "Upgrade");
  request.headers.set("upgrade", exchange->request().headers.get("upgrade"));
  net::Response answer;
  auto backend = client.upgrade(std::move(request), &answer, kHeaderTimeout);
  if (!backend.ok()) {
    if (answer.status >= 400) {
      answer.headers.remove("content-length");
      answer.headers.remove("transfer-encoding");
      return exchange->respond(std::move(answer));
    }
    return exchange->fail(onError(backend.error()));
  }
  net::Headers headers;
  for (const auto& [name, value] : answer.headers.items()) headers.add(name, value);
  auto shared = std::make_shared<std::unique_ptr<net::ByteStream>>(std::move(backend).value());
  exchange->begun(101);
  Status upgraded = exchange->writer()->upgrade(101, std::move(headers), [shared](std::unique_ptr<net::ByteStream> front) {
    joinStreams(std::move(front), std::move(*shared));
  });
  if (auto call = std::exchange(exchange->onAnswer, nullptr)) call(101);
  if (!upgraded.ok()) exchange->fail(badRequest(upgraded.error().message()));
}

}  // namespace skiff::apiserver
