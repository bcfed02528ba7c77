// Requests of callers in the process to aggregated servers: these take objects and events, the server speaks JSON.
#pragma once
#include "apiserver/relay.h"

namespace skiff::apiserver {

// As relay(). Callers that do not ask for objects get the answer as it is.
void relayObjects(const ExchangePtr& exchange, net::HttpClient& client, net::Request request, const RelayError& onError,
                  RelayGroup& group);

}  // namespace skiff::apiserver
