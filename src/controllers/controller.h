// The frame of a controller: informers feed keys into a queue, workers call reconcile(key). Level-triggered: the key
// says what to look at, never what happened.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "client/client.h"
#include "client/events.h"
#include "client/informer.h"
#include "client/workqueue.h"
#include "controllers/controllers.h"
#include "rt/executor.h"

namespace skiff::controllers {

// What every controller is made from. Outlives all of them.
struct Context {
  std::shared_ptr<client::Client> client;
  client::InformerFactory& informers;
  const ControllersOptions& options;
  rt::Executor& executor;  // for bursts of writes: see runParallel
  const Clock& clock;
  Rng& rng;
  // The recorder of a component ("replicaset-controller"), made on first use.
  std::function<client::EventRecorder&(std::string_view component)> recorder;
};

class Controller {
 public:
  virtual ~Controller() = default;  // stopped before
  virtual void start() { loop_.start(); }
  virtual void stop() { loop_.stop(); }
  virtual Result<client::Requeue> reconcile(const std::string& key) = 0;
  client::WorkQueue& queue() { return loop_.queue(); }

 protected:
  // Constructors ask for informers and add handlers; keys wait in the queue until start().
  Controller(Context& context, std::string name, int workers, client::WorkQueue::Backoff backoff = {})
      : ctx_(context),
        loop_(std::move(name), workers, [this](const std::string& key) { return reconcile(key); }, backoff) {}

  // A handler that puts the key of whatever changed in the queue.
  template <class T>
  void enqueueOwnKeys(client::Informer<T> informer) {
    informer.addHandler([this](const std::shared_ptr<const T>& object) { queue().add(keyOf(*object)); });
  }
  template <class T>
  static std::string keyOf(const T& object) {
    return object.metadata.namespace_.empty() ? object.metadata.name
                                              : object.metadata.namespace_ + "/" + object.metadata.name;
  }

  Context& ctx_;

 private:
  client::ReconcileLoop loop_;
};

struct Key {
  std::string ns, name;
};
Key splitKey(std::string_view key);  // "ns/name" or "name"

inline client::Requeue done() { return {}; }
inline client::Requeue again(milliseconds after) { return {after}; }
// Not found, or gone already, is as good as done.
Status ignoreNotFound(Status status);
// Create refused because the namespace is being deleted: trying again is of no use.
bool isNamespaceTerminating(const Error& error);

}  // namespace skiff::controllers
