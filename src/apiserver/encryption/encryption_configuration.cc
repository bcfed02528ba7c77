// EncryptionConfiguration of apiserver.config.k8s.io/v1, checked as upstream checks it.
#include <set>

#include "api/scalars.h"
#include "apiserver/encryption/encryption_at_rest.h"
#include "apiserver/encryption/kms_provider.h"
#include "base/strings.h"

namespace skiff::apiserver::encryption {
namespace {

using codec::Value;

class Parser {
 public:
  Parser(FieldErrors& errors, const Clock& clock) : errors_(errors), clock_(clock) {}

  Rule rule(const Value& value, const std::string& path) {
    checkFields(value, path, {"resources", "providers"}, errors_);
    Rule out;
    for (size_t i = 0; i < value["resources"].size(); ++i) resource(value["resources"].at(i).str(), concat(path, ".resources[", i, "]"), out);
    if (out.resources.empty()) errors_.required(path + ".resources", "resources not set");
    for (size_t i = 0; i < value["providers"].size(); ++i)
      if (auto made = provider(value["providers"].at(i), concat(path, ".providers[", i, "]"))) out.providers.push_back(std::move(made));
    if (value["providers"].empty()) errors_.required(path + ".providers", "at least one provider must be set");
    return out;
  }

  // Key services that are to be started once all is well.
  const std::vector<std::shared_ptr<KmsProvider>>& services() const { return services_; }

 private:
  void resource(std::string name, const std::string& path, Rule& rule) {
    if (name.empty()) return errors_.required(path, "resource not set");
    if (name != toLower(name)) errors_.invalid(path, quoted(name), "resource name should be lower case");
    if (name == "*") errors_.invalid(path, quoted(name), "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources");
    else if (name.find('*') != std::string::npos && !name.starts_with("*.")) errors_.invalid(path, quoted(name), "wildcards stand for whole resources or groups only");
    if (name == "apiserveripinfo" || name.starts_with("serviceipallocations") || name.starts_with("servicenodeportallocations"))
      errors_.invalid(path, quoted(name), "encryption is not supported for this resource");
    rule.resources.push_back(std::move(name));
  }

  std::shared_ptr<Provider> provider(const Value& value, const std::string& path) {
    checkFields(value, path, {"aesgcm", "aescbc", "secretbox", "identity", "kms"}, errors_);
    if (value.size() != 1) {
      errors_.invalid(path, "{}", value.empty() ? "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity"
                                                : "more than one provider specified in a single element, should split into different list elements");
      return nullptr;
    }
    const codec::Member& member = value.members()[0];
    std::string at = concat(path, ".", member.key);
    if (member.key == "identity") return makeIdentityProvider();
    if (member.key == "aesgcm") return keyed(Cipher::AesGcm, member.value, at, {16, 24, 32});
    if (member.key == "aescbc") return keyed(Cipher::AesCbc, member.value, at, {16, 24, 32});
    if (member.key == "secretbox") return keyed(Cipher::Secretbox, member.value, at, {32});
    if (member.key == "kms") return kms(member.value, at);
    return nullptr;
  }

  std::shared_ptr<Provider> keyed(Cipher cipher, const Value& value, const std::string& path, const std::set<size_t>& sizes) {
    checkFields(value, path, {"keys"}, errors_);
    std::vector<NamedKey> keys;
    std::set<std::string> names;
    for (size_t i = 0; i < value["keys"].size(); ++i) {
      const Value& key = value["keys"].at(i);
      std::string at = concat(path, ".keys[", i, "]");
      checkFields(key, at, {"name", "secret"}, errors_);
      NamedKey named{key["name"].str(), base64Decode(key["secret"].asString()).value_or("")};
      if (named.name.empty()) errors_.required(at + ".name", "a key name must be set");
      if (named.name.find(':') != std::string::npos) errors_.invalid(at + ".name", quoted(named.name), "must not contain a colon");
      if (!names.insert(named.name).second) errors_.duplicate(at + ".name", quoted(named.name));
      // Secrets are not told.
      if (named.secret.empty()) errors_.invalid(at + ".secret", "REDACTED", "secrets must be base64 encoded");
      else if (!sizes.contains(named.secret.size())) errors_.invalid(at + ".secret", "REDACTED", concat("secret is not of the expected length, got ", named.secret.size()));
      keys.push_back(std::move(named));
    }
    if (!keys.empty()) return makeKeyedProvider(cipher, std::move(keys));
    errors_.required(path + ".keys", "at least one key must be set");
    return nullptr;
  }

  std::shared_ptr<Provider> kms(const Value& value, const std::string& path) {
    checkFields(value, path, {"apiVersion", "name", "cachesize", "endpoint", "timeout"}, errors_);
    KmsProvider::Options options;
    options.clock = &clock_;
    options.name = value["name"].str();
    if (value["apiVersion"].asString() != "v2") errors_.notSupported(path + ".apiVersion", quoted(value["apiVersion"].asString()), {"v2"});
    if (options.name.empty()) errors_.required(path + ".name", "name is a required field");
    if (options.name.find(':') != std::string::npos) errors_.invalid(path + ".name", quoted(options.name), "invalid KMS provider name, must not contain ':'");
    if (!kmsNames_.insert(options.name).second) errors_.invalid(path + ".name", quoted(options.name), "duplicate KMS provider name");
    if (value.has("cachesize")) errors_.invalid(path + ".cachesize", "", "cachesize is not supported in v2");
    std::string endpoint = value["endpoint"].str();
    constexpr std::string_view kScheme = "unix://";
    if (!endpoint.starts_with(kScheme)) errors_.invalid(path + ".endpoint", quoted(endpoint), "unsupported scheme for KMS provider, supported: unix");
    else options.socketPath = endpoint.substr(kScheme.size());
    if (value.has("timeout")) {
      auto timeout = api::parseDuration(value["timeout"].asString());
      if (!timeout || *timeout <= std::chrono::nanoseconds(0)) errors_.invalid(path + ".timeout", quoted(value["timeout"].asString()), "should be a positive value");
      else options.timeout = std::chrono::duration_cast<milliseconds>(*timeout);
    }
    if (!errors_.empty()) return nullptr;
    services_.push_back(std::make_shared<KmsProvider>(std::move(options)));
    return services_.back();
  }

  FieldErrors& errors_;
  const Clock& clock_;
  std::set<std::string> kmsNames_;
  std::vector<std::shared_ptr<KmsProvider>> services_;
};

}  // namespace

Result<Rules> parseEncryptionConfiguration(std::string_view text, const Clock& clock) {
  constexpr std::string_view kKind = "EncryptionConfiguration";
  auto document = TRY(parseConfig(text, kKind, {"apiserver.config.k8s.io/v1"}));
  const Value& root = document->root;
  FieldErrors errors;
  checkFields(root, "", {"apiVersion", "kind", "resources"}, errors);
  Parser parser(errors, clock);
  Rules rules;
  for (size_t i = 0; i < root["resources"].size(); ++i) rules.push_back(parser.rule(root["resources"].at(i), concat("resources[", i, "]")));
  if (rules.empty()) errors.required("resources", "at least one resource must be set");
  TRY(configStatus(errors, kKind));
  for (const auto& service : parser.services()) TRY(service->start());
  return rules;
}

}  // namespace skiff::apiserver::encryption
