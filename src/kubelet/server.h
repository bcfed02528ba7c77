// The kubelet's own TLS port: logs, exec, attach, port-forward, pods, stats. The API server is its usual caller.
//
//   GET  /containerLogs/NS/POD/CONTAINER?follow&tailLines&sinceSeconds&sinceTime&timestamps&limitBytes&previous&stream
//   POST /exec/NS/POD/CONTAINER?command&input&output&error&tty    (GET too: WebSocket)
//   POST /attach/NS/POD/CONTAINER   POST /portForward/NS/POD      POST /run/NS/POD/CONTAINER?cmd
//   GET  /pods /healthz /stats/summary /metrics /metrics/resource
#pragma once
#include <memory>
#include <string>

#include "kubelet/container_logs.h"
#include "kubelet/pod_workers.h"
#include "kubelet/server_auth.h"
#include "net/server.h"
#include "rt/executor.h"
#include "rt/stop.h"

namespace skiff::kubelet {

class KubeletServer : public net::Handler {
 public:
  struct Deps {
    const NodeConfig& config;
    cri::Client& cri;
    PodWorkers& workers;
    client::Client& api;
  };
  explicit KubeletServer(Deps deps);
  ~KubeletServer() override { stop(); }
  Status start();  // listens; port() is then known
  void stop();
  uint16_t port() const { return server_ ? server_->port() : uint16_t(0); }
  void handle(std::shared_ptr<net::Request> request, std::shared_ptr<net::ResponseWriter> writer) override;

 private:
  using RequestPtr = std::shared_ptr<net::Request>;
  using WriterPtr = std::shared_ptr<net::ResponseWriter>;
  using Parameters = std::vector<std::pair<std::string, std::string>>;
  Status serve(const RequestPtr& request, const WriterPtr& writer);
  Status serveLogs(const RequestPtr& request, const std::vector<std::string_view>& path, const Parameters& query, const WriterPtr& writer);
  Status serveExec(const RequestPtr& request, const std::vector<std::string_view>& path, const Parameters& query,
                   const WriterPtr& writer, bool attach);
  Status serveForward(const RequestPtr& request, const std::vector<std::string_view>& path, const WriterPtr& writer);
  Status serveRun(const std::vector<std::string_view>& path, const Parameters& query, const WriterPtr& writer);
  Result<RuntimeContainer> runningContainer(std::string_view ns, std::string_view pod, std::string_view name);
  std::string podsJson() const;

  Deps d_;
  ServerAuth auth_;
  rt::StopSignal stop_;
  std::unique_ptr<rt::Executor> executor_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace skiff::kubelet
