// Who may call the kubelet: a client certificate of the cluster's CA, or a bearer token that the API server knows; and
// then what the API server says about the verb on nodes/... (system:masters may all).
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "client/client.h"
#include "net/http.h"

namespace skiff::kubelet {

class ServerAuth {
 public:
  ServerAuth(client::Client& api, std::string nodeName, std::string clientCaPem, const Clock& clock)
      : api_(api), nodeName_(std::move(nodeName)), caPem_(std::move(clientCaPem)), clock_(clock) {}
  // Unauthorized or Forbidden when not. Blocks (asks the API server, remembers its answers for a short while).
  Status check(const net::Request& request);

 private:
  struct User {
    std::string name;
    std::vector<std::string> groups;
  };
  Result<User> authenticate(const net::Request& request);
  Result<bool> allowed(const User& user, std::string_view verb, std::string_view subresource);

  client::Client& api_;
  std::string nodeName_, caPem_;
  const Clock& clock_;
  struct Decision {
    bool allowed;
    SteadyTime until;
  };
  std::mutex mutex_;  // guards decisions_
  std::map<std::string, Decision> decisions_;
};

// "stats", "metrics", "log", "pods", "healthz", else "proxy": what a path is in the API's terms.
std::string_view subresourceOf(std::string_view path);

}  // namespace skiff::kubelet
