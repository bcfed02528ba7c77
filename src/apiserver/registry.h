// The generic registry: create, read, update, delete and list objects of every resource the same way, over the store.
// Every write is planned by a worker as plain code, and then either blocks until it is durable or calls back; reads come
// straight from memory.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "apiserver/object_codec.h"
#include "apiserver/request.h"
#include "apiserver/resource_map.h"
#include "apiserver/strategy.h"
#include "base/clock.h"
#include "rt/executor.h"
#include "store/store.h"

namespace skiff::apiserver {

// The server as a user: what it writes by itself.
const UserInfo& serverUser();

// What a write is about and how it is to be done.
struct WriteCall {
  const UserInfo* user = nullptr;
  ServedPtr resource;
  std::string ns, name, subresource;
  bool dryRun = false;
  std::string fieldManager;  // resolved: the client's or the first word of its user agent
  const codec::Value* options = nullptr;
  std::vector<std::string>* warnings = nullptr;
  std::string_view traceparent;
  std::map<std::string, std::string>* auditAnnotations = nullptr;  // null when nobody wants them
  bool admit = true;    // false: the server itself
  bool tracked = true;   // false: managedFields are set already (apply), or the write is the server's own and nobody's
};

struct Written {
  api::ObjectPtr object;  // in the stored version
  bool created = false;
  bool deleted = false;  // it is gone: nothing held up the delete, or the update removed the last finalizer
};

enum class Propagation { Default, Orphan, Background, Foreground };
struct DeleteCall {
  std::optional<int64_t> gracePeriodSeconds;
  Propagation propagation = Propagation::Default;
  std::string uid, resourceVersion;  // preconditions; "": none
};

// The new tree from the live one, in the served version, made in `arena`. Called again after a conflict with another
// writer. Null stands for "no such object" if the update may create.
using Transform = std::function<Result<codec::Value>(const codec::Value* live, codec::Arena& arena)>;

// How an update treats the resourceVersion that its object carries.
struct UpdateRules {
  bool mayCreate = false;      // PUT and apply of some kinds
  bool patch = false;          // the object derives from the live one: a conflict is retried
};

class WriteMetrics;  // write_metrics.h

class Registry {
 public:
  struct Parts {
    store::Store* store = nullptr;
    Resources* resources = nullptr;
    Strategies* strategies = nullptr;
    const std::vector<std::unique_ptr<AdmissionPlugin>>* admission = nullptr;
    const ClusterReader* cluster = nullptr;
    const Clock* clock = nullptr;
    WriteMetrics* metrics = nullptr;  // may be null
    rt::Executor* writers = nullptr;  // plans again what lost a race; null: there is no updateThen()
  };
  explicit Registry(Parts parts);
  ~Registry();

  // In the served version; NotFound with upstream's words.
  Result<api::ObjectPtr> get(const ServedResource& resource, std::string_view ns, std::string_view name) const;

  // `document` is decoded, conformed and defaulted, in the served version.
  Result<Written> create(const WriteCall& call, DocumentEdit document);
  Result<Written> update(const WriteCall& call, const UpdateRules& rules, const Transform& transform);
  Result<Written> remove(const WriteCall& call, const DeleteCall& how);
  // The same without waiting for the disk: `done` is called once, on this thread or on that of a later writer. What the call
  // points to must live until then.
  using Done = UniqueFunction<void(Result<Written>)>;
  void createThen(const WriteCall& call, DocumentEdit document, Done done);
  void updateThen(WriteCall call, const UpdateRules& rules, Transform transform, Done done);
  void removeThen(WriteCall call, DeleteCall how, Done done);
  void drain();  // returns when all of them are done

  Strategy& strategyOf(const ServedResource& resource) const;
  // Runs admission for what writes nothing of its own (bindings, evictions, token requests, connect).
  Status admit(const WriteCall& call, Operation operation, codec::Value* object, const codec::Value* old,
               codec::Arena& arena) const;
  store::Store& store() const { return *parts_.store; }
  const Clock& clock() const { return *parts_.clock; }
  Resources& resources() const { return *parts_.resources; }

  // Told of every change that is written, before the call returns; of a key that several write, last of what is there.
  void onWritten(std::function<void(const ServedResource&, const api::ObjectPtr&, bool removed)> listener);

 private:
  // A write that is decided on: what is missing is the store's word.
  struct Plan {
    std::string_view operation;      // create, update or delete
    ServedPtr resource;
    std::string name;
    bool mustBeNew = false;          // who finds the key taken has failed; others plan again
    std::optional<Written> written;  // there is nothing to commit, or it has been committed
    store::Write write;
    DocumentEdit document;           // becomes `object` when the write has its revision
    api::ObjectPtr object;           // of a delete: as it is shown
    api::ObjectPtr replaced;         // by an update, for the same strategies
    DocumentEdit allocated;          // its first form, for strategies that must release what they gave to it
  };
  using PlanPtr = std::unique_ptr<Plan>;  // null: somebody wrote in between, plan again
  using Outcome = Result<std::optional<Written>>;  // nullopt: the same
  using Planner = std::function<Result<PlanPtr>(const WriteCall&)>;
  struct Attempts;  // at a write that nobody waits for
  Result<Written> createOnce(const WriteCall& call, DocumentEdit document);
  Result<PlanPtr> planCreate(const WriteCall& call, DocumentEdit document);
  Result<PlanPtr> planNew(const WriteCall& call, DocumentEdit document, Strategy& strategy);
  Result<PlanPtr> planUpsert(const WriteCall& call, const UpdateRules& rules, const Transform& transform, DocumentEdit document);
  Result<PlanPtr> planUpdate(const WriteCall& call, const UpdateRules& rules, const Transform& transform);
  Result<PlanPtr> planChange(const WriteCall& call, const store::RecordPtr& record, const api::ObjectPtr& live,
                             DocumentEdit document, Strategy& strategy);
  Result<PlanPtr> planRemove(const WriteCall& call, const DeleteCall& how);
  PlanPtr planErase(const WriteCall& call, const store::RecordPtr& record, api::ObjectPtr shown) const;
  void planWrite(Plan& plan, std::string key, store::Revision expected, std::string bytes) const;
  Outcome carryOut(Plan& plan) const;
  void carryOutThen(PlanPtr plan, UniqueFunction<void(Outcome)> then);
  Outcome finish(Plan& plan, Result<store::WriteResult> result) const;
  // Until nobody wrote in between.
  Result<Written> attempt(const WriteCall& call, const Planner& planner) const;
  void attemptThen(WriteCall call, Planner planner, Done done);
  void goOn(const std::shared_ptr<Attempts>& attempts);
  AdmissionRequest admissionOf(const WriteCall& call, Operation operation, codec::Value* object,
                               const codec::Value* old, codec::Arena& arena) const;
  Status mutate(AdmissionRequest& request) const;
  Status validateAdmission(const AdmissionRequest& request) const;
  Status normalize(codec::Value& object, const ServedResource& resource, codec::Arena& arena) const;
  // Durable when it returns; its time is counted. `operation`: create, update or delete.
  Result<store::WriteResult> commit(std::string_view operation, const ServedResource& resource, store::Write write) const;
  store::Write writeOf(const ServedResource& resource, std::string key, store::Revision expected) const;
  void announce(const ServedResource& resource, api::ObjectPtr object, bool removed) const;

  Parts parts_;
  std::unique_ptr<Strategy> customStrategy_;
  std::mutex mutex_;  // guards unfinished_
  std::condition_variable drained_;
  size_t unfinished_ = 0;  // writes that nobody waits for
  std::function<void(const ServedResource&, const api::ObjectPtr&, bool)> listener_;
};

// metadata.generation is one more when anything but metadata and status differs; of deployments, annotations count too.
bool changesGeneration(const codec::Value& object, const codec::Value& old, const api::ResourceInfo& resource);

}  // namespace skiff::apiserver
