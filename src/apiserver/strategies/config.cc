// Config maps, secrets and service accounts.
#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/strategies.h"
#include "apiserver/strategies/warnings.h"

namespace skiff::apiserver {

namespace {

using codec::Value;

constexpr int64_t kMaxBytes = 1 << 20;  // of all values together

size_t decodedSize(std::string_view base64) {
  size_t padding = base64.ends_with("==") ? 2 : base64.ends_with('=') ? 1 : 0;
  return base64.size() / 4 * 3 - (base64.empty() ? 0 : padding);
}

// What is marked immutable stays as it is, mark included.
void validateImmutable(const Field& object, const Value& old, std::initializer_list<std::string_view> parts,
                       FieldErrors& errors) {
  if (!old["immutable"].asBool()) return;
  constexpr std::string_view kWhy = "field is immutable when `immutable` is set";
  if (!object["immutable"].isTrue()) errors.forbidden("immutable", std::string(kWhy));
  for (std::string_view part : parts) {
    if (!sameValue(*object[part].value, old[part])) errors.forbidden(std::string(part), std::string(kWhy));
  }
}

class ConfigMapStrategy final : public PlainStrategy {
 public:
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field object = rootField(context.object());
    Field data = object["data"], binary = object["binaryData"];
    size_t total = 0;
    eachEntry(data, [&](std::string_view key, const Field& item) {
      addFaults(errors, item.path, key, formats::configMapKey(key));
      if (binary.value->has(key)) {
        errors.invalid(item.path, quoted(key), "duplicate of key present in binaryData");
      }
      total += item.text().size();
    });
    eachEntry(binary, [&](std::string_view key, const Field& item) {
      addFaults(errors, item.path, key, formats::configMapKey(key));
      total += decodedSize(item.text());
    });
    if (int64_t(total) > kMaxBytes) errors.tooLong("[]", kMaxBytes);  // of the whole object
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    validateImmutable(rootField(context.object()), context.old(), {"data", "binaryData"}, errors);
    validateCreate(context, errors);
  }
};

class SecretStrategy final : public PlainStrategy {
 public:
  void prepareUpdate(StrategyContext& context) override {
    // An update that states no type means the old one.
    if (context.object()["type"].asString().empty()) {
      context.object().set(context.arena(), "type", context.old()["type"].clone(context.arena()));
    }
  }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field object = rootField(context.object()), data = object["data"];
    size_t total = 0;
    eachEntry(data, [&](std::string_view key, const Field& item) {
      addFaults(errors, item.path, key, formats::configMapKey(key));
      total += decodedSize(item.text());
    });
    if (int64_t(total) > kMaxBytes) errors.tooLong("data", kMaxBytes);
    validateType(object, errors);
    warnTls(object, context.request.warnings);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    Field object = rootField(context.object());
    checkImmutable(errors, object["type"], context.old()["type"]);
    validateImmutable(object, context.old(), {"data"}, errors);
    validateCreate(context, errors);
  }

 private:
  static void warnTls(const Field& object, Warnings* out) {
    if (object["type"].text() != "kubernetes.io/tls") return;
    auto pem = base64Decode((*object["data"].value)["tls.crt"].asString());
    if (!pem || pem->find("-----BEGIN") == std::string::npos) {
      warn(out, "tls: failed to find any PEM data in certificate input");
    }
  }

  static void requireKey(const Field& data, std::string_view key, FieldErrors& errors) {
    if (!data.value->has(key)) errors.required(concat("data[", key, "]"), "");
  }

  static void validateType(const Field& object, FieldErrors& errors) {
    std::string_view type = object["type"].text();
    Field data = object["data"];
    if (type == "kubernetes.io/service-account-token") {
      std::string key = "metadata.annotations[kubernetes.io/service-account.name]";
      if ((*object["metadata"]["annotations"].value)["kubernetes.io/service-account.name"].asString().empty()) {
        errors.required(key, "");
      }
    } else if (type == "kubernetes.io/dockercfg") {
      requireKey(data, ".dockercfg", errors);
    } else if (type == "kubernetes.io/dockerconfigjson") {
      requireKey(data, ".dockerconfigjson", errors);
    } else if (type == "kubernetes.io/basic-auth") {
      if (!data.value->has("username") && !data.value->has("password")) {
        requireKey(data, "username", errors);
        requireKey(data, "password", errors);
      }
    } else if (type == "kubernetes.io/ssh-auth") {
      if ((*data.value)["ssh-privatekey"].asString().empty()) errors.required("data[ssh-privatekey]", "");
    } else if (type == "kubernetes.io/tls") {
      requireKey(data, "tls.crt", errors);
      requireKey(data, "tls.key", errors);
    }
  }
};

class ServiceAccountStrategy final : public PlainStrategy {
 public:
  void prepareCreate(StrategyContext& context) override { keepNames(context); }
  void prepareUpdate(StrategyContext& context) override { keepNames(context); }

 private:
  // Secrets lie in the account's own namespace: of a reference only the name counts.
  static void keepNames(StrategyContext& context) {
    Value* secrets = context.object().find("secrets");
    if (secrets == nullptr) return;
    for (Value& secret : secrets->items()) {
      Value name = secret["name"];
      secret = Value::map();
      if (!name.isNull()) secret.set(context.arena(), "name", name);
    }
  }
};

}  // namespace

void addConfigStrategies(const AddStrategy& add) {
  add("/configmaps", std::make_unique<ConfigMapStrategy>());
  add("/secrets", std::make_unique<SecretStrategy>());
  add("/serviceaccounts", std::make_unique<ServiceAccountStrategy>());
}

}  // namespace skiff::apiserver
