// Exec, attach and port-forward: joins the caller's upgraded connection to the runtime's streaming server.
//
//   SPDY caller       <- raw bytes ->                          runtime's SPDY
//   WebSocket caller  <- raw bytes ->                          runtime's WebSocket (port-forward v4, text forms)
//   WebSocket caller  <- channels v4/v5, half-close in v5 ->   SPDY streams of remote command
//   WebSocket caller  <- tunnelled SPDY (port-forward) ->      runtime's SPDY
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/http.h"
#include "net/http_client.h"

namespace skiff::kubelet {

struct RemoteCommand {
  bool stdin_ = false, stdout_ = false, stderr_ = false, tty = false;
};
bool wantsUpgrade(const net::Request& request);
bool isWebSocket(const net::Request& request);
// `url` is what the CRI answered to Exec or Attach. Answers the request; blocking work happens on the server's
// upgrade thread.
Status serveRemoteCommand(const std::shared_ptr<net::Request>& request, const std::shared_ptr<net::ResponseWriter>& writer,
                          const std::string& url, RemoteCommand command);
// One-way messages, as `kubectl logs` would read them over a WebSocket (binary.k8s.io, base64.binary.k8s.io). The sink is
// false when the caller went away.
using MessageSink = std::function<bool(std::string)>;
Status serveMessages(const std::shared_ptr<net::Request>& request, const std::shared_ptr<net::ResponseWriter>& writer,
                     std::function<void(const MessageSink&)> produce);
Status servePortForward(const std::shared_ptr<net::Request>& request, const std::shared_ptr<net::ResponseWriter>& writer,
                        const std::string& url);
// Copies both ways until both directions ended.
void joinStreams(net::ByteStream& a, net::ByteStream& b);

}  // namespace skiff::kubelet
