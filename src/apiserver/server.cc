#include "apiserver/server.h"

#include "apiserver/access_log.h"
#include "apiserver/aggregation/aggregator.h"
#include "apiserver/aggregation/authentication_config.h"
#include "apiserver/audit/auditor.h"
#include "apiserver/audit/record.h"
#include "apiserver/bootstrap.h"
#include "apiserver/cluster_reader.h"
#include "apiserver/component_status.h"
#include "apiserver/custom_resources.h"
#include "apiserver/discovery.h"
#include "apiserver/endpoint_leases.h"
#include "apiserver/extension/conversion_webhook.h"
#include "apiserver/extension/dynamic_admission.h"
#include "apiserver/extension/webhook_metrics.h"
#include "apiserver/filters.h"
#include "apiserver/flow/flow_control.h"
#include "apiserver/flow_schema_status.h"
#include "apiserver/foreign_writes.h"
#include "apiserver/fresh_requests.h"
#include "apiserver/health.h"
#include "apiserver/metrics.h"
#include "apiserver/profiling.h"
#include "apiserver/node_proxy.h"
#include "apiserver/openapi_endpoint.h"
#include "apiserver/process_metrics.h"
#include "apiserver/registry.h"
#include "apiserver/rest.h"
#include "apiserver/self_service.h"
#include "apiserver/status.h"
#include "apiserver/store_service_claims.h"
#include "apiserver/watch.h"
#include "apiserver/write_metrics.h"
#include "base/log.h"
#include "base/strings.h"
#include "codec/json.h"
#include "pki/jwt.h"

namespace skiff::apiserver {
namespace {

// Writes that run at once: they wait for the disk together (group commit), so many cost little. Upstream's limit for
// mutating requests is 200.
constexpr size_t kMaxWriters = 128;
constexpr size_t kMaxQueuedWrites = 2000;
// One waits for the disk with what is planned, the others plan. In a foreign store each write waits for itself.
size_t runningWriters(const store::Store& store) {
  return store.shared() ? kMaxWriters : std::max(2U, std::thread::hardware_concurrency());
}
// Reads and watches of custom resources that wait for conversion webhooks: a stuck one starves only these.
constexpr size_t kMaxConversions = 64;
// Requests of users and for permissions that only others know (issuers of tokens, webhooks): a stuck one starves only these.
constexpr size_t kMaxAskers = 64;
constexpr size_t kMaxQueuedAskers = 1000;

class Server final : public ApiServer, public net::Handler {
 public:
  Server(ApiServerOptions options, std::shared_ptr<store::Store> store)
      : options_(std::move(options)),
        store_(std::move(store)),
        resources_(options_.runtimeConfig),
        reader_(*store_, resources_),
        askers_(rt::Executor::create({.name = "asker", .maxThreads = kMaxAskers, .maxQueue = kMaxQueuedAskers})),
        authenticator_(makeAuthenticator(options_.security, reader_)),
        authorizer_(makeAuthorizer(options_.security, reader_)),
        admission_(withDynamicAdmission(makeAdmission(options_.security, reader_, *authorizer_), reader_, *authorizer_, &webhookMetrics_)),
        strategies_(makeStrategies(options_.security, reader_, *authorizer_)),
        writers_(rt::Executor::create({.name = "writer", .maxThreads = kMaxWriters, .maxRunning = runningWriters(*store_),
                                       .maxQueue = kMaxQueuedWrites})),
        waiters_(rt::Executor::create({.name = "waiting-writer", .maxThreads = kMaxWriters, .maxQueue = kMaxQueuedWrites})),
        registry_({store_.get(), &resources_, strategies_.get(), &admission_, &reader_, options_.clock, &writeMetrics_,
                   writers_.get()}),
        converters_(rt::Executor::create({.name = "converter", .maxThreads = kMaxConversions, .maxQueue = kMaxQueuedWrites})),
        watches_(WatchHub::create(registry_, *converters_)),
        nodes_({options_.kubeletCaPem, options_.kubeletClientCert, options_.kubeletClientKey}, registry_),
        custom_(registry_, *writers_, webhookConverters(reader_)),
        flowSchemas_(registry_, *writers_),
        flow_(withClock(options_.flow, options_.clock), registry_, reader_),
        aggregator_({options_.proxyClientCert, options_.proxyClientKey}, registry_, reader_),
        filters_(*authenticator_, *authorizer_, options_.security.anonymousHealth),
        discovery_(resources_, aggregator_.table(), concat(options_.advertiseAddress, ':', options_.port)),
        openApi_(resources_, aggregator_, *writers_),
        health_(*store_, options_.keyServices),
        started_(options_.clock->now()),
        status_(options_.flags, *options_.clock),
        profiling_(options_.profiling, *options_.clock),
        fresh_(*store_),
        serviceClaims_(registry_, options_.security.nodePortFirst, options_.security.nodePortLast),
        endpointLeases_(registry_, {options_.advertiseAddress, options_.port, serverIdentity()}),
        rest_({&registry_, watches_.get(), writers_.get(), waiters_.get(), converters_.get(), authenticator_.get(), authorizer_.get(), &reader_,
               &options_.security, &nodes_, &fresh_}) {
    reader_.attach(registry_);
    if (store_->shared()) reader_.attach(serviceClaims_);
    auto written = [this](const ServedResource& resource, const api::ObjectPtr& object, bool removed) {
      writeMetrics_.event(*resource.info);
      reader_.written(resource);
      custom_.written(resource, object, removed);
      flowSchemas_.written(resource, object, removed);
      flow_.written(resource, object, removed);
      aggregator_.written(resource, object, removed);
    };
    registry_.onWritten(written);
    foreign_ = std::make_unique<ForeignWrites>(*store_, resources_, reader_, written);
  }
  ~Server() override { stop(); }

  Status start() {
    auditor_ = TRY(audit::Auditor::create(options_.audit, *options_.clock));
    TRY(authenticator_->start());
    TRY(authorizer_->start());
    auto objects = bootstrapObjects(options_.security, options_.advertiseAddress, options_.port);
    TRY(createBootstrapObjects(registry_, objects));
    TRY(publishSelf(registry_, options_.advertiseAddress, options_.port, objects));
    if (store_->shared()) {
      TRY(endpointLeases_.start());
      serviceClaims_.start();
    }
    TRY(flowSchemas_.load());
    flow_.load();
    TRY(publishAuthenticationConfig(registry_, options_.security));
    TRY(custom_.load());
    return aggregator_.start();
  }

  net::Handler& handler() override { return *this; }

  void stop() override {
    if (stopped_.exchange(true)) return;
    health_.stopping();
    authenticator_->stop();
    authorizer_->stop();
    askers_->stop();
    profiling_.stop();
    flow_.stop();
    endpointLeases_.stop();
    serviceClaims_.stop();
    fresh_.stop();
    foreign_->stop();
    aggregator_.stop();
    converters_->stop();
    watches_->stop();
    nodes_.stop();
    writers_->stop();
    waiters_->stop();
    registry_.drain();
    if (auditor_) auditor_->stop();
  }

  void handle(std::shared_ptr<net::Request> request, std::shared_ptr<net::ResponseWriter> writer) override {
    auto exchange = std::make_shared<Exchange>(std::move(request), std::move(writer));
    exchange->auditId = auditId(exchange->request());
    exchange->info = parseRequestInfo(exchange->request());
    exchange->started = options_.clock->steadyNow();
    metrics_.begin(*exchange);
    exchange->onAnswer = [this, weak = std::weak_ptr<Exchange>(exchange)](int status) {
      auto self = weak.lock();
      if (!self) return;
      SteadyTime now = options_.clock->steadyNow();
      flow_.leave(*self, now);
      if (self->audit) auditor_->complete(*self, status);
      if (options_.accessLog) logAccess(*self, status, now - self->started);
      metrics_.end(*self, status, now - self->started);
    };
    identify(exchange);
  }

  // Before anybody is known: of the request only its size.
  net::Response refused(const net::Refusal& refusal) override {
    if (refusal.status != 413) return net::Handler::refused(refusal);
    codec::Arena arena;
    Error error(Reason::RequestEntityTooLarge, concat("Request entity too large: limit is ", refusal.limit));
    net::Response response;
    response.status = refusal.status;
    response.headers.set("cache-control", "no-cache, private");
    response.headers.set("content-type", contentType(Format::Json));
    response.body.emplace_back(codec::toJson(statusValue(error, arena)) + "\n");
    return response;
  }

 private:
  static std::string auditId(const net::Request& request) {
    std::string_view given = request.headers.get("audit-id");
    bool sane = !given.empty() && given.size() <= 64 &&
                std::ranges::all_of(given, [](char c) { return std::isalnum(uint8_t(c)) || c == '-' || c == '_'; });
    return sane ? std::string(given) : newUid();
  }

  static flow::FlowOptions withClock(flow::FlowOptions options, const Clock* clock) {
    options.clock = clock;
    return options;
  }

  // False: the request may not go on, as it cannot be audited.
  bool audit(Exchange& exchange, bool authenticated) {
    if (!authenticated) return auditor_->unauthenticated(exchange), true;
    if (!auditor_->received(exchange)) return false;
    if (exchange.audit && flow::isLongRunning(exchange.info))
      exchange.onBegin = [this, &exchange](int status) { auditor_->started(exchange, status); };
    return true;
  }

  // Who asks, as whom, a seat, and then may they: at once where that is known, on a worker where others must be asked.
  void identify(const ExchangePtr& exchange) {
    auto known = filters_.authenticate(*exchange, Waiting::Never);
    if (known) return authenticated(exchange, *known);
    askOthers(exchange, [this, exchange] { authenticated(exchange, *filters_.authenticate(*exchange, Waiting::Allowed)); });
  }

  void authenticated(const ExchangePtr& exchange, const Status& known) {
    metrics_.authenticated(*exchange, known.ok(), options_.clock->steadyNow() - exchange->started);
    if (!auditor_ || !auditor_->waits()) return audited(exchange, known);
    askOthers(exchange, [this, exchange, known] { audited(exchange, known); });
  }

  void audited(const ExchangePtr& exchange, const Status& known) {
    if (auditor_ && !audit(*exchange, known.ok()))
      return exchange->text(500, concat("Internal Server Error: ", quoted(exchange->request().path), ": failed to store audit event\n"));
    if (!known.ok()) return refuse(*exchange, known.error());
    auto assumed = filters_.assumeUser(*exchange, Waiting::Never);
    if (assumed) return identified(exchange, *assumed);
    askOthers(exchange, [this, exchange] { identified(exchange, *filters_.assumeUser(*exchange, Waiting::Allowed)); });
  }

  void identified(const ExchangePtr& exchange, const Status& known) {
    if (!known.ok()) return refuse(*exchange, known.error());
    switch (flow_.enter(*exchange)) {
      case flow::FlowControl::Entry::Seated: return authorize(exchange);
      case flow::FlowControl::Entry::Refused: return flow::respondTooMany(*exchange);
      case flow::FlowControl::Entry::MustWait: break;
    }
    bool waits = flow_.park(*exchange, [this, exchange](flow::Outcome outcome) {
      outcome == flow::Outcome::Seated ? authorize(exchange) : flow::respondTooMany(*exchange);
    });
    if (!waits) flow::respondTooMany(*exchange);
  }

  // What comes once the request has its seat: on the caller's thread, or a worker's if it had to wait.
  void authorize(const ExchangePtr& exchange) {
    SteadyTime asked = options_.clock->steadyNow();
    auto allowed = filters_.authorize(*exchange, Waiting::Never);
    if (allowed) return authorized(exchange, *allowed, asked);
    askOthers(exchange, [this, exchange, asked] { authorized(exchange, *filters_.authorize(*exchange, Waiting::Allowed), asked); });
  }

  void authorized(const ExchangePtr& exchange, const Status& allowed, SteadyTime asked) {
    metrics_.authorized(allowed.ok(), options_.clock->steadyNow() - asked);
    if (!allowed.ok()) return refuse(*exchange, allowed.error());
    if (aggregator_.serve(exchange)) return;
    if (flow::isLongRunning(exchange->info) && exchange->info.isResource) metrics_.beginLong(*exchange, resources_);
    if (exchange->info.isResource) return rest_.serve(exchange);
    if (isHealthPath(exchange->request().path))
      return fresh_.probe([this, exchange](bool storeAnswers) { health_.serve(*exchange, storeAnswers); });
    if (!profiling_.serve(exchange) && !openApi_.serve(exchange)) serveOther(*exchange);
  }

  void askOthers(const ExchangePtr& exchange, UniqueFunction<void()> task) {
    if (askers_->submit(std::move(task))) return;
    exchange->fail(Error(Reason::TooManyRequests, "too many requests wait for authentication and authorization webhooks, please try again later",
                         ErrorDetails{.retryAfterSeconds = 1}));
  }

  // A refusal before the endpoint is known is written as the client asks, where that is possible.
  void refuse(Exchange& exchange, const Error& error) {
    if (auto out = negotiate(exchange.request(), exchange.query, exchange.info.verb, Protobuf::Offered); out.ok())
      exchange.out = std::move(out).value();
    exchange.out.shape = Shape::Whole;
    exchange.fail(error);
  }

  void serveOther(Exchange& exchange) {
    const std::string& path = exchange.request().path;
    const std::string& method = exchange.request().method;
    if (discovery_.serve(exchange)) return;
    if (path == "/version" || path == "/version/")
      return method == "GET" || method == "HEAD" ? serveVersion(exchange) : exchange.fail(methodNotAllowed());
    if (flow_.serveDebug(exchange)) return;
    if (path == "/metrics") return serveMetrics(exchange);
    if (path == "/metrics/slis") return serveText(exchange, health_.slis());
    if (status_.serve(exchange)) return;
    if (path == "/" || path.empty()) return serveIndex(exchange);
    if (path == "/.well-known/openid-configuration") return serveOpenIdConfiguration(exchange);
    if (path == "/openid/v1/jwks") return serveKeys(exchange);
    exchange.text(404, "404 page not found\n");
  }

  void serveText(Exchange& exchange, std::string text) {
    net::Response response;
    response.headers = exchange.headers("text/plain; version=0.0.4; charset=utf-8");
    response.body.emplace_back(std::move(text));
    exchange.respond(std::move(response));
  }

  void serveMetrics(Exchange& exchange) {
    std::string text;
    metrics_.write(text, *store_, resources_);
    writeMetrics_.write(text);
    webhookMetrics_.write(text);
    flow_.writeMetrics(text);
    audit::Auditor::writeMetrics(auditor_.get(), text);
    writeProcessMetrics(text, started_);
    serveText(exchange, std::move(text));
  }

  void serveIndex(Exchange& exchange) {
    std::vector<std::string> paths{"/.well-known/openid-configuration", "/metrics", "/metrics/slis", "/openapi/v2", "/openapi/v3",
                                   "/openapi/v3/", "/openid/v1/jwks", "/version", "/flagz", "/statusz"};
    for (auto& path : discovery_.paths()) paths.push_back(std::move(path));
    for (auto& path : health_.paths()) paths.push_back(std::move(path));
    std::ranges::sort(paths);
    codec::Arena arena;
    codec::Value list = codec::Value::list();
    for (const std::string& path : paths) list.push(arena, codec::Value::string(path));
    codec::Value out = codec::Value::map();
    out.set(arena, "paths", list);
    exchange.value(200, out, nullptr);
  }

  void serveOpenIdConfiguration(Exchange& exchange) {
    codec::Arena arena;
    auto listOf = [&](std::string_view text) {
      codec::Value list = codec::Value::list();
      list.push(arena, codec::Value::string(text));
      return list;
    };
    std::string keys = options_.security.serviceAccountJwksUri;
    if (keys.empty()) keys = concat("https://", options_.advertiseAddress, ':', options_.port, "/openid/v1/jwks");
    codec::Value algorithms = codec::Value::list();
    for (const std::string& algorithm : pki::jwtAlgorithms(options_.security.serviceAccountKeys))
      algorithms.push(arena, codec::Value::text(arena, algorithm));
    codec::Value out = codec::Value::map();
    out.set(arena, "issuer", codec::Value::string(options_.security.serviceAccountIssuer));
    out.set(arena, "jwks_uri", codec::Value::string(keys));
    out.set(arena, "response_types_supported", listOf("id_token"));
    out.set(arena, "subject_types_supported", listOf("public"));
    out.set(arena, "id_token_signing_alg_values_supported", algorithms);
    exchange.value(200, out, nullptr);
  }

  void serveKeys(Exchange& exchange) {
    constexpr std::string_view kType = "application/jwk-set+json";
    bool accepted = !exchange.request().headers.has("accept");
    for (const MediaClause& clause : parseAccept(exchange.request().headers.get("accept")))
      accepted |= clause.type == kType || clause.type == "*/*" || clause.type == "application/*";
    if (!accepted)
      return exchange.fail({Reason::NotAcceptable, concat("406: Not Acceptable\n\nAvailable representations: ", kType), ErrorDetails{}});
    net::Response response;
    response.headers = exchange.headers(kType);
    response.body.emplace_back(pki::jwksJson(options_.security.serviceAccountKeys));
    exchange.respond(std::move(response));
  }

  ApiServerOptions options_;
  std::shared_ptr<store::Store> store_;
  Resources resources_;
  StoreReader reader_;
  std::unique_ptr<rt::Executor> askers_;
  std::unique_ptr<Authenticator> authenticator_;
  std::unique_ptr<Authorizer> authorizer_;
  extension::WebhookMetrics webhookMetrics_;
  std::vector<std::unique_ptr<AdmissionPlugin>> admission_;
  std::unique_ptr<Strategies> strategies_;
  WriteMetrics writeMetrics_;
  std::unique_ptr<rt::Executor> writers_, waiters_;
  Registry registry_;
  std::unique_ptr<rt::Executor> converters_;
  std::unique_ptr<WatchHub> watches_;
  NodeProxy nodes_;
  CustomResources custom_;
  FlowSchemaStatus flowSchemas_;
  flow::FlowControl flow_;
  std::unique_ptr<audit::Auditor> auditor_;  // null without a policy
  Aggregator aggregator_;
  Filters filters_;
  Discovery discovery_;
  OpenApiEndpoint openApi_;
  Health health_;
  const WallTime started_;
  ComponentStatus status_;
  Profiling profiling_;
  Metrics metrics_;
  FreshRequests fresh_;
  StoreServiceClaims serviceClaims_;
  EndpointLeases endpointLeases_;
  Rest rest_;
  std::unique_ptr<ForeignWrites> foreign_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<ApiServer>> ApiServer::create(ApiServerOptions options, std::shared_ptr<store::Store> store) {
  auto server = std::make_unique<Server>(std::move(options), std::move(store));
  TRY(server->start());
  return std::unique_ptr<ApiServer>(std::move(server));
}

}  // namespace skiff::apiserver
