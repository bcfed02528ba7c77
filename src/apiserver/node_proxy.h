// Requests that a node or a service answers: logs, exec, attach, port-forward and the proxy subresources. They run on a pool
// of their own, so that a stuck node starves only these.
#pragma once
#include <memory>
#include <string>

#include "apiserver/exchange.h"
#include "apiserver/registry.h"
#include "apiserver/relay.h"
#include "net/tls.h"
#include "rt/executor.h"

namespace skiff::apiserver {

class NodeProxy {
 public:
  struct Options {
    std::string kubeletCaPem, kubeletClientCert, kubeletClientKey;
  };
  NodeProxy(Options options, Registry& registry);
  ~NodeProxy();
  void serve(ExchangePtr exchange);  // authorized
  void stop();

 private:
  struct Target;
  Status admitConnect(Exchange& exchange) const;
  void run(const ExchangePtr& exchange);
  Result<Target> resolve(Exchange& exchange);
  Result<Target> podTarget(Exchange& exchange, const codec::Value& pod);
  Result<Target> nodeTarget(std::string_view nodeName, std::string path);
  Result<Target> proxyTarget(Exchange& exchange);
  Result<Target> serviceTarget(Exchange& exchange, std::string_view scheme, std::string_view name, std::string_view port);
  void forward(const ExchangePtr& exchange, const Target& target);
  Result<codec::DocumentPtr> object(std::string_view resource, std::string_view ns, std::string_view name) const;

  Options options_;
  Registry& registry_;
  RelayGroup streams_;
  std::unique_ptr<rt::Executor> workers_;
  std::shared_ptr<net::TlsContext> tls_;
};

}  // namespace skiff::apiserver
