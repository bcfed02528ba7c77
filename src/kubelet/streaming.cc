#include "kubelet/streaming.h"

#include "base/log.h"
#include "base/strings.h"
#include "base/clock.h"
#include "net/streams.h"
#include "rt/executor.h"

namespace skiff::kubelet {
namespace {

constexpr std::string_view kV5 = "v5.channel.k8s.io";
constexpr std::string_view kV4 = "v4.channel.k8s.io";
constexpr std::string_view kV1 = "channel.k8s.io";  // as v4, but the error channel speaks only of failures, in plain text
constexpr std::string_view kTextV4 = "v4.base64.channel.k8s.io", kTextV1 = "base64.channel.k8s.io";
constexpr std::string_view kTunnel = "SPDY/3.1+portforward.k8s.io";
constexpr std::string_view kPortForward = "portforward.k8s.io";
constexpr milliseconds kConnect{10000};

bool offers(const net::Headers& headers, std::string_view header, std::string_view protocol) {
  for (std::string_view line : headers.all(header))
    for (std::string_view item : split(line, ','))
      if (trim(item) == protocol) return true;
  return false;
}

void copy(net::ByteStream& from, net::ByteStream& to) {
  char buffer[32 * 1024];
  for (;;) {
    auto n = from.read(buffer, sizeof buffer);
    if (!n.ok() || *n == 0) break;
    if (!to.write({buffer, *n}).ok()) break;
  }
  to.closeWrite();
}

// An upgraded connection to the runtime's streaming server: SPDY, if `extra` names no other protocol.
Result<std::unique_ptr<net::ByteStream>> dialRuntime(const std::string& url, const net::Headers& extra, net::Response* answer) {
  bool tls = false;
  std::string path;
  net::HttpClient::Options options;
  options.endpoint = TRY(net::parseUrl(url, &tls, &path));
  options.forceHttp1 = true;
  net::Request request;
  request.method = "POST";
  auto parts = cut(path, "?");
  request.path = parts ? std::string(parts->first) : path;
  if (parts) request.query = std::string(parts->second);
  request.headers.set("host", concat(options.endpoint.host, ":", options.endpoint.port));
  request.headers.set("connection", "Upgrade");
  if (!extra.has("upgrade")) request.headers.set("upgrade", "SPDY/3.1");
  if (extra.has("sec-websocket-key")) request.method = "GET";
  for (const auto& [name, value] : extra.items()) request.headers.add(name, value);
  return net::HttpClient::create(options)->upgrade(std::move(request), answer, kConnect);
}

net::Headers webSocketAnswer(const net::Request& request, std::string_view protocol) {
  net::Headers headers;
  headers.set("upgrade", "websocket");
  headers.set("connection", "Upgrade");
  headers.set("sec-websocket-accept", net::webSocketAccept(request.headers.get("sec-websocket-key")));
  if (!protocol.empty()) headers.set("sec-websocket-protocol", protocol);
  return headers;
}

net::Headers streamType(std::string_view type) {
  net::Headers headers;
  headers.set("streamtype", type);
  return headers;
}

// The caller's bytes, of SPDY or of a WebSocket, go to the runtime as they are: half-closes and all.
Status pipeRaw(const std::shared_ptr<net::Request>& request, const std::shared_ptr<net::ResponseWriter>& writer,
               const std::string& url) {
  net::Headers extra;
  extra.set("upgrade", isWebSocket(*request) ? "websocket" : "SPDY/3.1");
  for (std::string_view name : {"x-stream-protocol-version", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol"})
    for (std::string_view line : request->headers.all(name)) extra.add(name, line);
  net::Response answer;
  auto runtime = std::make_shared<std::unique_ptr<net::ByteStream>>(TRY(dialRuntime(url, extra, &answer)));
  net::Headers headers;
  headers.set("connection", "Upgrade");
  headers.set("upgrade", extra.get("upgrade"));
  for (std::string_view name : {"x-stream-protocol-version", "sec-websocket-accept", "sec-websocket-protocol"})
    if (auto chosen = answer.headers.get(name); !chosen.empty()) headers.set(name, chosen);
  return writer->upgrade(101, headers, [runtime](std::unique_ptr<net::ByteStream> caller) {
    joinStreams(*caller, **runtime);
  });
}

// A Status, or an error's text: all of the runtime's error stream.
std::string readVerdict(net::ByteStream& from) {
  constexpr size_t kMaxVerdict = 64 * 1024;
  std::string text;
  char buffer[4096];
  while (text.size() < kMaxVerdict) {
    auto count = from.read(buffer, sizeof buffer);
    if (!count.ok() || *count == 0) break;
    text.append(buffer, *count);
  }
  return text;
}

void runChannels(std::unique_ptr<net::ByteStream> caller, std::unique_ptr<net::ByteStream> runtime, RemoteCommand command,
                 bool halfClose) {
  auto channels = net::webSocketChannels(
      std::make_unique<net::WebSocket>(std::move(caller), net::WebSocket::Side::Server), halfClose);
  auto spdy = net::spdyConnection(std::move(runtime), net::WebSocket::Side::Client);
  struct Pair {
    std::unique_ptr<net::ByteStream> outer, inner;
  };
  std::vector<std::unique_ptr<Pair>> pairs;
  auto open = [&](std::string_view type) -> Pair* {
    auto inner = spdy->open(streamType(type));
    auto outer = channels->open(streamType(type));
    if (!inner.ok() || !outer.ok()) return nullptr;
    pairs.push_back(std::make_unique<Pair>(Pair{std::move(*outer), std::move(*inner)}));
    return pairs.back().get();
  };
  // The runtime waits for all streams that the request named, the error stream first.
  Pair* error = open("error");
  Pair* in = command.stdin_ ? open("stdin") : nullptr;
  Pair* out = command.stdout_ ? open("stdout") : nullptr;
  Pair* err = command.stderr_ && !command.tty ? open("stderr") : nullptr;
  Pair* resize = command.tty ? open("resize") : nullptr;
  std::vector<rt::Thread> threads;
  auto start = [&](Pair* pair, bool inward) {
    if (pair == nullptr) return;
    threads.emplace_back("kubelet-stream", [pair, inward] {
      if (inward) {
        copy(*pair->outer, *pair->inner);
      } else {
        copy(*pair->inner, *pair->outer);
      }
    });
  };
  std::vector<rt::Thread> outward;
  start(in, true);
  start(resize, true);
  std::swap(threads, outward);
  start(out, false);
  start(err, false);
  // When the caller goes away, its channels end: then the runtime's side must end too.
  rt::Thread watch("kubelet-stream", [&] {
    auto end = channels->accept();
    spdy->close();
  });
  // Its verdict is the last thing that the caller reads: some take no output after it.
  std::string verdict = error != nullptr ? readVerdict(*error->inner) : "";
  for (auto& thread : threads) thread.join();
  if (!verdict.empty() && error->outer->write(verdict).ok()) error->outer->closeWrite();
  channels->close();
  spdy->close();
  watch.join();
  for (auto& thread : outward) thread.join();
}

}  // namespace

bool wantsUpgrade(const net::Request& request) { return !request.headers.get("upgrade").empty(); }

bool isWebSocket(const net::Request& request) { return equalsIgnoreCase(request.headers.get("upgrade"), "websocket"); }

void joinStreams(net::ByteStream& a, net::ByteStream& b) {
  rt::Thread back("kubelet-stream", [&] {
    copy(b, a);
    a.close();
  });
  copy(a, b);
  // The caller is done; the runtime may still have something to say, and ends by itself.
  back.join();
  b.close();
}

Status serveRemoteCommand(const std::shared_ptr<net::Request>& request, const std::shared_ptr<net::ResponseWriter>& writer,
                          const std::string& url, RemoteCommand command) {
  if (!isWebSocket(*request)) return pipeRaw(request, writer, url);
  std::string_view protocol = offers(request->headers, "sec-websocket-protocol", kV5)   ? kV5
                              : offers(request->headers, "sec-websocket-protocol", kV4) ? kV4
                              : offers(request->headers, "sec-websocket-protocol", kV1) ? kV1
                                                                                        : std::string_view();
  // The text forms are as old as the runtime's own WebSockets, and have no half-close either.
  if (protocol.empty() && (offers(request->headers, "sec-websocket-protocol", kTextV4) ||
                           offers(request->headers, "sec-websocket-protocol", kTextV1)))
    return pipeRaw(request, writer, url);
  if (protocol.empty() && request->headers.has("sec-websocket-protocol"))
    return badRequest("none of the offered subprotocols is served (v5.channel.k8s.io, v4.channel.k8s.io, channel.k8s.io)");
  net::Headers extra;
  extra.add("x-stream-protocol-version", protocol == kV5 || protocol == kV4 ? kV4 : kV1);
  net::Response answer;
  auto runtime = std::make_shared<std::unique_ptr<net::ByteStream>>(TRY(dialRuntime(url, extra, &answer)));
  bool halfClose = protocol == kV5;
  return writer->upgrade(101, webSocketAnswer(*request, protocol),
                         [runtime, command, halfClose](std::unique_ptr<net::ByteStream> caller) {
                           runChannels(std::move(caller), std::move(*runtime), command, halfClose);
                         });
}

Status serveMessages(const std::shared_ptr<net::Request>& request, const std::shared_ptr<net::ResponseWriter>& writer,
                     std::function<void(const MessageSink&)> produce) {
  bool binary = offers(request->headers, "sec-websocket-protocol", "binary.k8s.io");
  bool base64 = !binary && offers(request->headers, "sec-websocket-protocol", "base64.binary.k8s.io");
  return writer->upgrade(
      101, webSocketAnswer(*request, binary ? "binary.k8s.io" : base64 ? "base64.binary.k8s.io" : ""),
      [produce = std::move(produce), base64](std::unique_ptr<net::ByteStream> caller) {
        net::WebSocket socket(std::move(caller), net::WebSocket::Side::Server);
        std::atomic<bool> open{true};
        // The caller has nothing to say, but may go away.
        rt::Thread watch("kubelet-stream", [&] {
          for (;;) {
            auto message = socket.receive();
            if (!message.ok() || message->kind == net::WebSocket::Kind::Close) break;
          }
          open = false;
        });
        produce([&](std::string piece) {
          if (!open) return false;
          if (piece.empty()) return true;
          auto kind = base64 ? net::WebSocket::Kind::Text : net::WebSocket::Kind::Binary;
          return socket.send(kind, base64 ? base64Encode(piece) : piece).ok();
        });
        auto closed = socket.close(1000, "");
        (void)closed;  // the caller may have been first
        socket.shutdown();
      });
}

Status servePortForward(const std::shared_ptr<net::Request>& request, const std::shared_ptr<net::ResponseWriter>& writer,
                        const std::string& url) {
  // Callers of the older WebSocket protocols have named their ports in the query, and the CRI has told the runtime.
  if (!offers(request->headers, "sec-websocket-protocol", kTunnel)) return pipeRaw(request, writer, url);
  net::Headers extra;
  extra.add("x-stream-protocol-version", kPortForward);
  net::Response answer;
  auto runtime = std::make_shared<std::unique_ptr<net::ByteStream>>(TRY(dialRuntime(url, extra, &answer)));
  return writer->upgrade(101, webSocketAnswer(*request, kTunnel), [runtime](std::unique_ptr<net::ByteStream> caller) {
    auto tunnel = net::webSocketTunnel(
        std::make_unique<net::WebSocket>(std::move(caller), net::WebSocket::Side::Server));
    joinStreams(*tunnel, **runtime);
  });
}

}  // namespace skiff::kubelet
