// Starts the controllers of the registry over one informer factory; with leader election only while leading.
#include "base/log.h"
#include "client/leader.h"
#include "controllers/registry.h"
#include "rt/stop.h"

namespace skiff::controllers {
namespace {

// One term of office: informers and controllers that live and end together.
class Term {
 public:
  Term(const ControllersOptions& options, std::shared_ptr<client::Client> client)
      : client_(std::move(client)),
        informers_(client::InformerFactory::create(client_)),
        executor_(rt::Executor::create({.name = "ctl-writes", .maxThreads = 16})),
        context_{client_, *informers_, options, *executor_, Clock::real(), Rng::real(),
                 [this](std::string_view component) -> client::EventRecorder& { return recorder(component); }} {
    for (const RegistryEntry& entry : registry())
      if (isEnabled(options.enabled, entry.name)) controllers_.push_back(entry.create(context_));
  }

  // False when told to stop before the caches were filled.
  bool start(const rt::StopSignal& stop) {
    informers_->start();
    while (!informers_->waitForSync(milliseconds(500)))
      if (stop.raised()) return false;
    for (auto& controller : controllers_) controller->start();
    log::info("Started controllers", {{"count", controllers_.size()}});
    return true;
  }

  ~Term() {
    for (auto& controller : controllers_) controller->stop();
    informers_->stop();  // no handler runs after this
    executor_->stop();
    controllers_.clear();
  }

 private:
  client::EventRecorder& recorder(std::string_view component) {
    std::lock_guard lock(mutex_);
    auto& made = recorders_[std::string(component)];
    if (!made) made = client::EventRecorder::create(client_, std::string(component));
    return *made;
  }

  std::shared_ptr<client::Client> client_;
  std::mutex mutex_;  // guards recorders_
  std::map<std::string, std::unique_ptr<client::EventRecorder>> recorders_;
  std::unique_ptr<client::InformerFactory> informers_;
  std::unique_ptr<rt::Executor> executor_;
  Context context_;
  std::vector<std::unique_ptr<Controller>> controllers_;
};

class ControllerManager final : public client::Role {
 public:
  explicit ControllerManager(ControllersOptions options)
      : options_(std::move(options)),
        client_(std::make_shared<client::Client>(options_.transport, "kube-controller-manager")) {}
  ~ControllerManager() override { stop(); }

  Status start() override {
    thread_ = rt::Thread("controllers", [this] { run(); });
    return okStatus();
  }

  void stop() override {
    stop_.raise();
    // The lease is given up after the last controller has ended: the next leader never works beside us.
    endTerm();
    electionStop_.raise();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    if (!options_.leaderElect) {
      Term term(options_, client_);
      if (term.start(stop_)) stop_.wait();
      return;
    }
    client::LeaderElection election{.name = "kube-controller-manager", .identity = options_.identity};
    while (!electionStop_.raised()) {
      client::runLeaderElection(*client_, election, electionStop_, [this] { beginTerm(); });
      endTerm();
    }
  }

  void beginTerm() {
    std::lock_guard lock(mutex_);
    if (stop_.raised()) return;
    termEnd_ = std::make_unique<rt::StopSignal>();
    term_ = std::make_unique<Term>(options_, client_);
    // Filling the caches may take longer than the lease lasts: not on the thread that renews it.
    starter_ = rt::Thread("ctl-start", [term = term_.get(), end = termEnd_.get()] { term->start(*end); });
  }

  void endTerm() {
    std::lock_guard lock(mutex_);
    if (!term_) return;
    termEnd_->raise();
    starter_.join();
    term_.reset();
  }

  ControllersOptions options_;
  std::shared_ptr<client::Client> client_;
  rt::StopSignal stop_, electionStop_;
  std::mutex mutex_;  // guards the term
  std::unique_ptr<rt::StopSignal> termEnd_;
  std::unique_ptr<Term> term_;
  rt::Thread starter_;
  rt::Thread thread_;
};

}  // namespace

std::unique_ptr<client::Role> createControllerManager(ControllersOptions options) {
  return std::make_unique<ControllerManager>(std::move(options));
}

}  // namespace skiff::controllers
