#include "apiserver/flow/flow_control.h"

#include <algorithm>

#include "api/scalars.h"
#include "apiserver/flow/debug_dump.h"
#include "apiserver/flow/flow_metrics.h"
#include "base/strings.h"

namespace skiff::apiserver::flow {
namespace {

// While requests wait, deadlines are looked at so often.
constexpr std::chrono::milliseconds kTick{100};
constexpr std::chrono::seconds kSharePeriod{10};
constexpr std::chrono::milliseconds kMaxWait{60000};
// Requests that waited go on here: reads are served there, writes only handed on.
constexpr size_t kResumers = 4;

bool isStream(std::string_view subresource) {
  constexpr std::string_view kStreams[] = {"attach", "exec", "proxy", "log", "portforward"};
  return std::ranges::find(kStreams, subresource) != std::end(kStreams);
}

bool isWrite(const Exchange& exchange) {
  const std::string& method = exchange.request().method;
  return method != "GET" && method != "HEAD" && method != "OPTIONS";
}

}  // namespace

struct FlowControl::State {
  State(std::vector<LevelConfig> c, std::vector<std::shared_ptr<PriorityLevel>> l, std::vector<FlowSchemaPtr> schemas)
      : configs(std::move(c)), levels(std::move(l)), classifier(std::move(schemas)) {}
  std::vector<LevelConfig> configs;                    // sorted by name
  std::vector<std::shared_ptr<PriorityLevel>> levels;  // beside configs
  Classifier classifier;
};

bool isLongRunning(const RequestInfo& request) {
  if (!request.isResource) return request.path.starts_with("/debug/pprof/");
  return request.verb == "watch" || isStream(request.subresource);
}

void respondTooMany(Exchange& exchange) {
  net::Response response;
  response.status = 429;
  response.headers = exchange.headers("text/plain; charset=utf-8");
  response.headers.add("retry-after", "1");
  response.headers.add("x-content-type-options", "nosniff");
  response.body.push_back(SharedBytes::ofStatic("Too many requests, please try again later.\n"));
  exchange.respond(std::move(response));
}

FlowControl::FlowControl(FlowOptions options, const Registry& registry, const ClusterReader& reader)
    : options_(options),
      registry_(registry),
      reader_(reader),
      estimator_(registry.store(), registry.resources(), watches_),
      resumers_(rt::Executor::create({.name = "resume", .maxThreads = kResumers})) {
  reload();
}

FlowControl::~FlowControl() { stop(); }

void FlowControl::stop() {
  if (stopped_.exchange(true)) return;
  std::vector<std::shared_ptr<PriorityLevel>> levels;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [name, level] : levels_) levels.push_back(level);
    if (loop_) loop_->stop();
  }
  for (const auto& level : levels) level->stop();
  timer_.join();
  resumers_->stop();
}

FlowControl::StatePtr FlowControl::state() const { return state_.load(std::memory_order_acquire); }

void FlowControl::load() {
  loaded_ = true;
  reload();
}

void FlowControl::written(const ServedResource& resource, const api::ObjectPtr&, bool) {
  if (loaded_ && !resource.custom && resource.info->group == kGroup) reload();
}

void FlowControl::reload() {
  std::lock_guard lock(mutex_);
  FlowConfig config = loaded_ ? readConfig(reader_.list(kGroup, kLevels, ""), reader_.list(kGroup, kSchemas, "")) : readConfig({}, {});
  std::map<std::string, std::shared_ptr<PriorityLevel>, std::less<>> levels;
  std::vector<std::shared_ptr<PriorityLevel>> ordered;
  for (const LevelConfig& level : config.levels) {
    auto old = levels_.find(level.name);
    // The executor is shared: a level lives as long as the last request in it.
    auto kept = old != levels_.end() ? old->second : std::make_shared<PriorityLevel>(level, [pool = resumers_](UniqueFunction<void()> task) {
      auto shared = std::make_shared<UniqueFunction<void()>>(std::move(task));
      if (!pool->submit([shared] { (*shared)(); })) (*shared)();
    });
    kept->configure(level);
    ordered.push_back(levels.emplace(level.name, kept).first->second);
  }
  std::vector<FlowSchemaPtr> schemas;
  for (SchemaConfig& schema : config.schemas) {
    auto at = std::ranges::find(config.levels, schema.level, &LevelConfig::name);
    if (at == config.levels.end()) continue;  // dangling
    auto made = std::make_shared<FlowSchema>();
    made->level = levels.find(schema.level)->second;
    made->levelUid = at->uid;
    made->queues = at->queues;
    made->handSize = at->handSize;
    auto& stats = stats_[concat(schema.name, '\0', schema.level)];
    // Stats are guarded by one level's lock: a level that was made anew has its own.
    if (!stats || stats->owner != made->level.get())
      stats = std::make_shared<FlowStats>(FlowStats{.schema = schema.name, .level = schema.level, .owner = made->level.get()});
    made->stats = stats;
    made->config = std::move(schema);
    schemas.push_back(std::move(made));
  }
  levels_ = std::move(levels);
  seats_ = nominalSeats(config.levels, options_.maxReads + options_.maxWrites);
  SteadyTime now = options_.clock->steadyNow();
  for (size_t i = 0; i < ordered.size(); ++i) ordered[i]->setLimit(seats_[i].current, now);
  state_.store(std::make_shared<const State>(std::move(config.levels), std::move(ordered), std::move(schemas)),
               std::memory_order_release);
}

FlowControl::Entry FlowControl::enter(Exchange& exchange) {
  if (exchange.info.verb == "watch" && exchange.info.isResource) {
    exchange.watching = true;
    watches_.add(exchange.info, 1);
  }
  if (exchange.inProcess()) return Entry::Seated;
  if (isLongRunning(exchange.info) && exchange.info.verb != "watch") return Entry::Seated;
  if (!options_.fair) return enterUnfair(exchange);
  Flow flow;
  state()->classifier.classify(exchange.user, exchange.info, flow);
  Work work = estimator_.estimate(exchange.info, exchange.request().query);
  bool entered = flow.schema()->level->enter(exchange.seat, flow, &exchange, work, options_.clock->steadyNow());
  return entered ? Entry::Seated : Entry::MustWait;
}

bool FlowControl::park(Exchange& exchange, PriorityLevel::Resume resume) {
  SteadyTime now = options_.clock->steadyNow();
  bool due = false;
  {
    std::lock_guard lock(mutex_);
    due = shared_ == SteadyTime{} || now - shared_ >= kSharePeriod;
  }
  // Levels keep their own seats while nobody asks for more; the first who does starts the lending.
  if (due) shareSeats(now);
  Flow flow;
  StatePtr current = state();
  current->classifier.classify(exchange.user, exchange.info, flow);
  Work work = estimator_.estimate(exchange.info, exchange.request().query);
  bool parked = flow.schema()->level->park(exchange.seat, flow, &exchange, work, now, now + waitLimit(exchange), std::move(resume));
  armTick();
  return parked;
}

// A quarter of the time that the request has for all.
std::chrono::milliseconds FlowControl::waitLimit(const Exchange& exchange) const {
  auto whole = options_.requestTimeout;
  if (auto given = api::parseDuration(exchange.query.get("timeout")); given && exchange.info.verb != "watch") {
    auto asked = std::chrono::duration_cast<std::chrono::milliseconds>(*given);
    if (asked.count() > 0) whole = std::min(whole, asked);
  }
  return std::min(whole / 4, kMaxWait);
}

FlowControl::Entry FlowControl::enterUnfair(Exchange& exchange) {
  if (exchange.info.verb == "watch") return Entry::Seated;
  if (std::ranges::find(exchange.user.groups, "system:masters") != exchange.user.groups.end()) return Entry::Seated;
  bool write = isWrite(exchange);
  int limit = write ? options_.maxWrites : options_.maxReads;
  std::atomic<int>& count = write ? writes_ : reads_;
  if (limit == 0) return Entry::Seated;
  if (count.fetch_add(1) >= limit) {
    count.fetch_sub(1);
    return Entry::Refused;
  }
  exchange.counted = true;
  return Entry::Seated;
}

void FlowControl::leave(Exchange& exchange, SteadyTime now) {
  if (std::exchange(exchange.watching, false)) watches_.add(exchange.info, -1);
  if (std::exchange(exchange.counted, false)) (isWrite(exchange) ? writes_ : reads_).fetch_sub(1);
  exchange.seat.release(now);
}

void FlowControl::shareSeats(SteadyTime now) {
  std::lock_guard lock(mutex_);
  StatePtr current = state();
  shared_ = now;
  for (size_t i = 0; i < seats_.size(); ++i) smoothDemand(seats_[i], current->levels[i]->finishPeriod(now));
  fairFraction_ = flow::shareSeats(seats_, options_.maxReads + options_.maxWrites);
  for (size_t i = 0; i < seats_.size(); ++i) current->levels[i]->setLimit(seats_[i].current, now);
}

void FlowControl::tick() {
  SteadyTime now = options_.clock->steadyNow();
  StatePtr current = state();
  bool busy = false;
  std::vector<std::shared_ptr<PriorityLevel>> levels;
  {
    std::lock_guard lock(mutex_);
    levels = current->levels;
    ticking_ = false;  // from here on, who comes to wait arms the timer itself
    for (size_t i = 0; i < seats_.size(); ++i) busy |= levels[i]->wants(seats_[i].nominal);
  }
  for (const auto& level : levels) busy |= level->sweep(now, [](const Exchange& exchange) { return exchange.writer()->closed(); });
  if (!busy) {
    // Nobody needs more than their own: back to that, so that the next demand finds fair bounds.
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < seats_.size(); ++i) {
      seats_[i].current = seats_[i].nominal;
      levels[i]->setLimit(seats_[i].current, now);
    }
    shared_ = {};
    return;
  }
  bool due = false;
  {
    std::lock_guard lock(mutex_);
    due = now - shared_ >= kSharePeriod;
  }
  if (due) shareSeats(now);
  armTick();
}

void FlowControl::armTick() {
  if (ticking_.exchange(true) || stopped_) return;
  std::lock_guard lock(mutex_);
  if (!loop_) {
    loop_ = rt::EventLoop::create();
    timer_ = rt::Thread("flow", [loop = loop_.get()] { loop->run(); });
  }
  loop_->post([this] { loop_->after(kTick, [this] { tick(); }); });
}

int FlowControl::limitOf(std::string_view level) const {
  std::lock_guard lock(mutex_);
  auto found = levels_.find(level);
  return found == levels_.end() ? -1 : found->second->report().limit;
}

bool FlowControl::serveDebug(Exchange& exchange) const {
  constexpr std::string_view kPrefix = "/debug/api_priority_and_fairness/";
  std::string_view path = exchange.info.path;
  if (!path.starts_with(kPrefix)) return false;
  StatePtr current = state();
  auto table = dumpTable(path.substr(kPrefix.size()), current->levels, exchange.query.has("includeRequestDetails"), *options_.clock);
  if (!table) return false;
  net::Response response;
  response.headers = exchange.headers("text/plain; charset=utf-8");
  response.body.emplace_back(std::move(*table));
  exchange.respond(std::move(response));
  return true;
}

void FlowControl::writeMetrics(std::string& out) const {
  StatePtr current = state();
  std::lock_guard lock(mutex_);
  FlowMetricsInput input;
  for (size_t i = 0; i < seats_.size(); ++i) input.levels.push_back({current->levels[i].get(), seats_[i]});
  for (const auto& [key, stats] : stats_) {
    auto level = levels_.find(stats->level);
    if (level != levels_.end() && level->second.get() == stats->owner) input.stats.push_back({stats.get(), level->second.get()});
  }
  input.fairFraction = fairFraction_;
  writeFlowMetrics(input, out);
}

}  // namespace skiff::apiserver::flow
