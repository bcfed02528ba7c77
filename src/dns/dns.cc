#include "dns/dns.h"

#include <cstdio>

#include "base/log.h"
#include "base/strings.h"
#include "dns/informer_cluster.h"
#include "dns/server.h"

namespace skiff::dns {
namespace {

constexpr milliseconds kSyncTimeout{10'000};
constexpr size_t kForwardThreads = 64, kForwardQueue = 1000;  // beyond it: SERVFAIL

std::string readFile(const char* path) {
  std::string text;
  if (FILE* file = std::fopen(path, "re")) {
    char buffer[4096];
    for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0 && text.size() < 65536;) text.append(buffer, got);
    std::fclose(file);
  }
  return text;
}

Result<std::vector<UpstreamAddress>> upstreamsOf(const DnsOptions& options) {
  bool given = !options.upstreams.empty();
  std::vector<UpstreamAddress> upstreams;
  for (const std::string& text : given ? options.upstreams : nameserversOf(readFile("/etc/resolv.conf"))) {
    auto upstream = parseUpstream(text);
    if (!upstream) return badRequest(concat("dns: ", quoted(text), " is no address of an upstream resolver"));
    // We would ask ourselves without end.
    if (upstream->host == options.listenAddress && upstream->port == options.port) continue;
    upstreams.push_back(std::move(*upstream));
  }
  return upstreams;
}

// Owns the parts and their order: informers -> zone -> responder -> sockets, and back when it stops.
class DnsRole final : public client::Role {
 public:
  explicit DnsRole(DnsOptions options) : options_(std::move(options)) {}

  Status start() override {
    auto domain = Name::parse(options_.clusterDomain);
    if (!domain || domain->isRoot()) return badRequest(concat("dns: ", quoted(options_.clusterDomain), " is no domain"));
    if (options_.port < 0 || options_.port > 65535) return badRequest(concat("dns: ", options_.port, " is no port"));
    auto upstreams = TRY(upstreamsOf(options_));
    if (upstreams.empty()) log::warn("No upstream resolver, only names of the cluster will be answered");

    informers_ = client::InformerFactory::create(std::make_shared<client::Client>(options_.transport, "skiff-dns"));
    cluster_ = std::make_unique<InformerCluster>(*informers_);
    zone_ = std::make_unique<Zone>(*cluster_, *domain, Clock::real(), Rng::real());
    forwarder_ = std::make_unique<Forwarder>(std::move(upstreams), Clock::real(), Rng::real());
    workers_ = rt::Executor::create({.name = "dns-forward", .maxThreads = kForwardThreads, .maxQueue = kForwardQueue});
    responder_ = std::make_unique<Responder>(*zone_, *cluster_, *forwarder_, *workers_);
    server_ = TRY(Server::bind(options_.listenAddress, static_cast<uint16_t>(options_.port), *responder_));
    server_->start();
    informers_->start();
    if (!informers_->waitForSync(kSyncTimeout)) {
      log::warn("The API server does not answer yet, names of the cluster are SERVFAIL until it does");
    }
    log::info("Serving DNS", {{"address", options_.listenAddress}, {"port", server_->port()}, {"domain", domain->text()}});
    return okStatus();
  }

  void stop() override {
    if (server_) server_->stop();
    if (forwarder_) forwarder_->stop();
    if (workers_) workers_->stop();
    if (informers_) informers_->stop();
    server_.reset();
  }

 private:
  const DnsOptions options_;
  std::unique_ptr<client::InformerFactory> informers_;
  std::unique_ptr<InformerCluster> cluster_;
  std::unique_ptr<Zone> zone_;
  std::unique_ptr<Forwarder> forwarder_;
  std::unique_ptr<rt::Executor> workers_;
  std::unique_ptr<Responder> responder_;
  std::unique_ptr<Server> server_;
};

}  // namespace

std::unique_ptr<client::Role> createDns(DnsOptions options) { return std::make_unique<DnsRole>(std::move(options)); }

}  // namespace skiff::dns
