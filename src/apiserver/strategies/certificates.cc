// Certificate signing requests, and kinds that only need to be told apart by their metadata.
#include "apiserver/strategies/certificate_checks.h"
#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/strategies.h"
#include "pki/x509.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

class SigningRequestStrategy final : public StatusStrategy {
 public:
  explicit SigningRequestStrategy(const Clock& clock) : clock_(clock) {}
  bool hasGeneration() const override { return false; }

  // Who asks is the server's knowledge.
  void prepareCreate(StrategyContext& context) override {
    StatusStrategy::prepareCreate(context);
    Arena& arena = context.arena();
    Value& spec = context.object().child(arena, "spec");
    const UserInfo& user = *context.request.user;
    for (std::string_view name : {"username", "uid", "groups", "extra"}) spec.erase(name);
    spec.set(arena, "username", Value::text(arena, user.name));
    if (!user.uid.empty()) spec.set(arena, "uid", Value::text(arena, user.uid));
    for (const std::string& group : user.groups) spec.child(arena, "groups").push(arena, Value::text(arena, group));
    for (const auto& [key, values] : user.extra) {
      Value& list = spec.child(arena, "extra").set(arena, key, Value::list());
      for (const std::string& value : values) list.push(arena, Value::text(arena, value));
    }
  }

  void prepareUpdate(StrategyContext& context) override {
    Value& object = context.object();
    Arena& arena = context.arena();
    const Value& old = context.old();
    object.set(arena, "spec", old["spec"].clone(arena));
    std::string_view sub = context.request.subresource;
    // status: the certificate; approval: the conditions Approved and Denied.
    if (sub == "approval") {
      Value conditions = object["status"]["conditions"];
      Value status = old["status"].isMap() ? old["status"].clone(arena) : Value::map();
      if (!conditions.isNull()) status.set(arena, "conditions", conditions);
      stamp(status, context);
      object.set(arena, "status", status);
    }
  }

  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    validateRequest(spec["request"], errors);
    if (spec["usages"].size() == 0) errors.required(spec["usages"].path, "");
    validateSignerName(spec["signerName"], errors);
    Field expiration = spec["expirationSeconds"];
    if (expiration.has() && expiration.number() < 600) {
      errors.invalid(expiration.path, shown(*expiration.value), "may not specify a duration less than 600 seconds (10 minutes)");
    }
  }

  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    Field status = rootField(context.object())["status"];
    bool approved = false, denied = false;
    for (const Value& condition : status["conditions"].value->items()) {
      approved |= condition["type"].asString() == "Approved";
      denied |= condition["type"].asString() == "Denied";
    }
    if (approved && denied) {
      errors.invalid(status["conditions"].path, "\"Denied\"", "Approved and Denied conditions are mutually exclusive");
    }
    const Value& before = context.old()["status"]["certificate"];
    if (!before.isNull() && before != *status["certificate"].value) {
      errors.forbidden(status["certificate"].path, "updates may not set or modify existing certificate content");
    }
  }

 private:
  void stamp(Value& status, const StrategyContext& context) const {
    Value* conditions = status.find("conditions");
    if (conditions == nullptr) return;
    std::string now = formatRfc3339(clock_.now());
    for (Value& condition : conditions->items()) {
      for (std::string_view name : {"lastUpdateTime", "lastTransitionTime"}) {
        if (condition[name].isNull()) {
          condition.set(*context.request.arena, name, Value::text(*context.request.arena, now));
        }
      }
    }
  }

  static void validateRequest(const Field& request, FieldErrors& errors) {
    auto pem = base64Decode(request.text());
    std::string value = quoted(request.text());
    if (!pem || pem->find("-----BEGIN CERTIFICATE REQUEST-----") == std::string::npos) {
      errors.invalid(request.path, value, "PEM block type must be CERTIFICATE REQUEST");
    } else if (auto parsed = pki::parseCsrPem(*pem); !parsed.ok()) {
      errors.invalid(request.path, value, parsed.error().message());
    }
  }

  const Clock& clock_;
};

class UncountedStatusStrategy final : public StatusStrategy {
 public:
  bool hasGeneration() const override { return false; }
};

}  // namespace

void addCertificateStrategies(const AddStrategy& add, const Clock& clock) {
  add("certificates.k8s.io/certificatesigningrequests", std::make_unique<SigningRequestStrategy>(clock));
  add("certificates.k8s.io/podcertificaterequests", podCertificateRequestStrategy(clock));
  add("certificates.k8s.io/clustertrustbundles", std::make_unique<PlainStrategy>());
  add("node.k8s.io/runtimeclasses", std::make_unique<PlainStrategy>());
  add("storagemigration.k8s.io/storageversionmigrations", std::make_unique<UncountedStatusStrategy>());
}

}  // namespace skiff::apiserver
