// Hands a request on to another server, and its answer back piece by piece: what kubelets, services and aggregated API servers
// answer. Blocks until the answer is over; runs on a pool for such streams.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "apiserver/exchange.h"
#include "apiserver/link_rewriter.h"
#include "net/http_client.h"

namespace skiff::apiserver {

// The request as it goes on: without headers of this connection, and without the caller's credentials, which are for us alone.
net::Request relayedRequest(const Exchange& exchange, std::string path, std::string query, std::string_view host);

// The answers that are under way on one pool, so that a server that stops need not wait for their ends. Thread safe.
class RelayGroup {
 public:
  // Counts as under way until what is returned is dropped; cancelled at once after stop().
  std::shared_ptr<void> add(std::shared_ptr<net::ResponseStream> stream);
  void stop();

 private:
  std::mutex mutex_;  // guards everything below
  bool stopped_ = false;
  uint64_t next_ = 0;
  std::map<uint64_t, std::shared_ptr<net::ResponseStream>> streams_;
};

// What the client is told when the server cannot be reached.
using RelayError = std::function<Error(const Error&)>;
// With `links`, those of web pages and redirections are rewritten.
void relay(const ExchangePtr& exchange, net::HttpClient& client, net::Request request, const RelayError& onError,
           RelayGroup& group, const LinkRewriter* links = nullptr);
// Of a request for an upgrade (exec over WebSocket or SPDY); both directions until both are over. On HTTP/1.1.
void relayUpgrade(const ExchangePtr& exchange, net::HttpClient& client, net::Request request, const RelayError& onError);
bool wantsUpgrade(const Exchange& exchange);

}  // namespace skiff::apiserver
