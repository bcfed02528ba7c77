// Hands a request on to another server, and its answer back piece by piece: what kubelets, services and aggregated API servers
// answer. Blocks until the answer is over; runs on a pool for such streams.
#pragma once
#include <functional>
#include <string>

#include "apiserver/exchange.h"
#include "net/http_client.h"

namespace skiff::apiserver {

// The request as it goes on: without headers of this connection, and without the caller's credentials, which are for us alone.
net::Request relayedRequest(const Exchange& exchange, std::string path, std::string query, std::string_view host);

// What the client is told when the server cannot be reached.
using RelayError = std::function<Error(const Error&)>;
void relay(const ExchangePtr& exchange, net::HttpClient& client, net::Request request, const RelayError& onError);
// Of a request for an upgrade (exec over WebSocket or SPDY); both directions until both are over. On HTTP/1.1.
void relayUpgrade(const ExchangePtr& exchange, net::HttpClient& client, net::Request request, const RelayError& onError);
bool wantsUpgrade(const Exchange& exchange);

}  // namespace skiff::apiserver
