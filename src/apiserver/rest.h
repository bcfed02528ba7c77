// Requests for resources: route, then read in place or hand the write to a worker.
#pragma once
#include <memory>

#include "apiserver/exchange.h"
#include "apiserver/registry.h"
#include "apiserver/security.h"
#include "apiserver/watch.h"
#include "rt/executor.h"

namespace skiff::apiserver {

class FreshRequests;
class NodeProxy;

class Rest {
 public:
  struct Parts {
    Registry* registry = nullptr;
    WatchHub* watches = nullptr;
    rt::Executor* writers = nullptr;     // plan, and answer when the write is durable
    rt::Executor* waiters = nullptr;     // writes that wait for the disk themselves: deletions, most subresources
    rt::Executor* converters = nullptr;  // reads that take long: conversion webhooks, long lists
    Authenticator* authenticator = nullptr;
    Authorizer* authorizer = nullptr;
    const ClusterReader* cluster = nullptr;
    const SecurityOptions* security = nullptr;
    NodeProxy* nodes = nullptr;
    FreshRequests* fresh = nullptr;
  };
  explicit Rest(Parts parts) : parts_(parts) {}

  // The request is authenticated and authorized.
  void serve(ExchangePtr exchange);

 private:
  void dispatch(ExchangePtr exchange);
  void read(const ExchangePtr& exchange);
  void readSubresource(const ExchangePtr& exchange);
  void write(ExchangePtr exchange);
  void dispatchWrite(const ExchangePtr& exchange);
  void create(const ExchangePtr& exchange);
  void createVirtual(Exchange& exchange);
  void createSubresource(Exchange& exchange);
  void update(const ExchangePtr& exchange);
  void patch(const ExchangePtr& exchange);
  void change(const ExchangePtr& exchange, WriteCall call, const UpdateRules& rules, Transform transform);
  void answer(Exchange& exchange, Result<Written> written);
  void remove(const ExchangePtr& exchange);
  void answerDeleted(Exchange& exchange, Result<Written> deleted);
  void removeCollection(Exchange& exchange);

  // subresources.cc
  void getScale(Exchange& exchange);
  void updateScale(Exchange& exchange);
  void bind(Exchange& exchange, std::string_view podName);
  void evict(Exchange& exchange);
  Status spendBudget(Exchange& exchange, const api::Object& pod, bool dryRun);
  void requestToken(Exchange& exchange);
  void componentStatuses(Exchange& exchange);

  // patch.cc
  Result<Transform> patchTransform(Exchange& exchange, const WriteCall& call, const ExpectedKind& expected,
                                   bool* apply);
  // Server-side apply of a Scale: `toObject` puts what it says where the object behind it keeps it.
  using ConfigOf = std::function<codec::Value(const codec::Value& scale, codec::Arena&)>;
  Result<Transform> applyScaleTransform(Exchange& exchange, const WriteCall& call, const ExpectedKind& scale,
                                        ConfigOf toObject);

  Parts parts_;
};

// The body of a write as a tree: decoded from bytes, or cloned from an in-process caller's object.
Result<DocumentEdit> readBody(Exchange& exchange, const ExpectedKind& expected, FieldValidation validation);
bool isApplyPatch(const Exchange& exchange);
WriteCall callOf(Exchange& exchange, const std::string& fieldManager, bool dryRun);
// `object` is in the stored version; it is answered in the served one, in the negotiated form.
void respondObject(Exchange& exchange, int status, const api::ObjectPtr& object, WallTime now);
// The same for an object that is in the served version already.
void respondServed(Exchange& exchange, int status, const api::ObjectPtr& object, WallTime now);
Result<api::ObjectPtr> inServedVersion(const api::ObjectPtr& stored, const ServedResource& resource);

}  // namespace skiff::apiserver
