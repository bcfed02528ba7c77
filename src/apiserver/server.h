// The API server: store + security + registry behind one HTTP handler.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/audit/audit_options.h"
#include "apiserver/flow/flow_options.h"
#include "apiserver/security.h"
#include "base/result.h"
#include "net/http.h"
#include "net/server.h"
#include "store/store.h"

namespace skiff::apiserver {

struct ApiServerOptions {
  SecurityOptions security;
  std::string advertiseAddress = "127.0.0.1";
  int port = 6443;
  std::vector<std::string> runtimeConfig;   // "resource.k8s.io/v1beta1=true", "api/all=true"
  std::string kubeletCaPem, kubeletClientCert, kubeletClientKey;  // for logs, exec, proxy
  std::string proxyClientCert, proxyClientKey;  // shown to aggregated API servers
  flow::FlowOptions flow;
  audit::AuditOptions audit;
  std::function<Status()> keyServices;  // whether those of encryption at rest are well; empty when there are none
  bool accessLog = false;  // one line a request
  bool profiling = true;   // /debug/pprof/ and /debug/flags/
  std::vector<std::pair<std::string, std::string>> flags;  // as given, for /flagz
  const Clock* clock = &Clock::real();
};

class ApiServer {
 public:
  // Ready to serve when it returns: bootstrap objects are in the store.
  static Result<std::unique_ptr<ApiServer>> create(ApiServerOptions options, std::shared_ptr<store::Store> store);
  virtual ~ApiServer() = default;
  // For net::Server. Request::caller may hold a UserInfo (in-process caller, trusted). If the Accept header of such a
  // caller is kObjectContent, Response::value holds an api::ObjectPtr or api::ObjectList, and a watch hands its events
  // to the EventSink in Request::caller instead of bytes.
  virtual net::Handler& handler() = 0;
  // An endpoint of the `kubernetes` service has changed, or the server stops.
  virtual void stop() = 0;
};

}  // namespace skiff::apiserver
