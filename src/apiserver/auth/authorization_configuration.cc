#include "apiserver/auth/authorization_configuration.h"

#include <algorithm>
#include <set>

#include "api/names.h"
#include "api/scalars.h"
#include "apiserver/auth/config_file.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

const std::vector<std::string> kTypes{"ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"};
constexpr milliseconds kMaxTimeout{30000};
constexpr size_t kMaxConditions = 64;

class Parser {
 public:
  explicit Parser(FieldErrors& errors) : errors_(errors) {}

  AuthorizerSpec authorizer(const Value& value, const std::string& path) {
    checkFields(value, path, {"type", "name", "webhook"}, errors_);
    AuthorizerSpec out;
    out.type = value["type"].str();
    out.name = value["name"].str();
    if (out.type.empty()) errors_.required(path + ".type", "");
    else if (std::ranges::find(kTypes, out.type) == kTypes.end()) errors_.notSupported(path + ".type", quoted(out.type), kTypes);
    else if (out.type != "Webhook" && !types_.insert(out.type).second) errors_.duplicate(path + ".type", quoted(out.type));
    if (out.name.empty()) errors_.required(path + ".name", "");
    else if (!names_.insert(out.name).second) errors_.duplicate(path + ".name", quoted(out.name));
    else if (!api::dns1123SubdomainErrors(out.name).empty()) errors_.invalid(path + ".name", quoted(out.name), "authorizer name is invalid");
    const Value& webhook = value["webhook"];
    if (out.type == "Webhook") {
      if (webhook.isMap()) parseWebhook(webhook, path + ".webhook", out);
      else errors_.required(path + ".webhook", "required when type=Webhook");
    } else if (webhook.isMap()) {
      errors_.invalid(path + ".webhook", "{}", "may only be specified when type=Webhook");
    }
    return out;
  }

 private:
  void parseWebhook(const Value& webhook, const std::string& path, AuthorizerSpec& out) {
    checkFields(webhook, path,
                {"authorizedTTL", "cacheAuthorizedRequests", "unauthorizedTTL", "cacheUnauthorizedRequests", "timeout",
                 "subjectAccessReviewVersion", "matchConditionSubjectAccessReviewVersion", "failurePolicy", "connectionInfo",
                 "matchConditions"},
                errors_);
    milliseconds authorized = duration(webhook["authorizedTTL"], path + ".authorizedTTL", milliseconds(300000));
    milliseconds unauthorized = duration(webhook["unauthorizedTTL"], path + ".unauthorizedTTL", milliseconds(30000));
    bool keepsGood = !webhook.has("cacheAuthorizedRequests") || webhook["cacheAuthorizedRequests"].asBool();
    bool keepsBad = !webhook.has("cacheUnauthorizedRequests") || webhook["cacheUnauthorizedRequests"].asBool();
    out.webhook.authorizedTtl = keepsGood ? std::chrono::duration_cast<seconds>(authorized) : seconds(0);
    out.webhook.unauthorizedTtl = keepsBad ? std::chrono::duration_cast<seconds>(unauthorized) : seconds(0);
    if (!webhook.has("timeout")) errors_.required(path + ".timeout", "");
    out.timeout = duration(webhook["timeout"], path + ".timeout", milliseconds(1));
    if (out.timeout > kMaxTimeout) errors_.invalid(path + ".timeout", quoted(webhook["timeout"].asString()), "must be <= 30s");
    out.webhook.version = webhook["subjectAccessReviewVersion"].str();
    oneOf(out.webhook.version, path + ".subjectAccessReviewVersion", {"v1", "v1beta1"});
    std::string policy = webhook["failurePolicy"].str();
    oneOf(policy, path + ".failurePolicy", {"Deny", "NoOpinion"});
    out.webhook.onFailure = policy == "Deny" ? Decision::Deny : Decision::NoOpinion;
    connection(webhook["connectionInfo"], path + ".connectionInfo", out);
    if (!webhook["matchConditions"].empty() || webhook.has("matchConditionSubjectAccessReviewVersion"))
      oneOf(webhook["matchConditionSubjectAccessReviewVersion"].str(), path + ".matchConditionSubjectAccessReviewVersion", {"v1"});
    conditions(webhook["matchConditions"], path + ".matchConditions", out);
  }

  void connection(const Value& info, const std::string& path, AuthorizerSpec& out) {
    checkFields(info, path, {"type", "kubeConfigFile"}, errors_);
    std::string type = info["type"].str();
    oneOf(type, path + ".type", {"InClusterConfig", "KubeConfigFile"});
    out.kubeconfig = info["kubeConfigFile"].str();
    if (type == "KubeConfigFile") {
      if (out.kubeconfig.empty()) errors_.required(path + ".kubeConfigFile", "");
      else if (!out.kubeconfig.starts_with('/')) errors_.invalid(path + ".kubeConfigFile", quoted(out.kubeconfig), "must be an absolute path");
    } else if (!out.kubeconfig.empty()) {
      errors_.invalid(path + ".kubeConfigFile", quoted(out.kubeconfig), "can only be set when type=KubeConfigFile");
    }
  }

  void conditions(const Value& list, const std::string& path, AuthorizerSpec& out) {
    if (list.size() > kMaxConditions) errors_.tooMany(path, int64_t(list.size()), kMaxConditions);
    for (size_t i = 0; i < list.size(); ++i) {
      std::string at = concat(path, "[", i, "]");
      checkFields(list.at(i), at, {"expression"}, errors_);
      std::string_view source = trim(list.at(i)["expression"].asString());
      if (source.empty()) {
        errors_.required(at + ".expression", "");
        continue;
      }
      auto program = compileOver("request", source);
      if (!program.ok()) errors_.invalid(at + ".expression", quoted(source), program.error().message());
      else if (!(*program)->mayBe(cel::StaticType::Bool)) errors_.invalid(at + ".expression", quoted(source), "must evaluate to bool");
      else out.webhook.matchConditions.push_back(*program);
    }
  }

  milliseconds duration(const Value& value, const std::string& path, milliseconds otherwise) {
    if (value.isNull()) return otherwise;
    auto parsed = api::parseDuration(value.asString());
    if (!parsed) errors_.invalid(path, quoted(value.asString()), "not a duration");
    else if (*parsed <= std::chrono::nanoseconds(0)) errors_.invalid(path, quoted(value.asString()), "must be > 0s");
    return parsed ? std::chrono::duration_cast<milliseconds>(*parsed) : otherwise;
  }

  void oneOf(const std::string& text, const std::string& path, const std::vector<std::string>& known) {
    if (text.empty()) errors_.required(path, "");
    else if (std::ranges::find(known, text) == known.end()) errors_.notSupported(path, quoted(text), known);
  }

  FieldErrors& errors_;
  std::set<std::string> types_, names_;
};

}  // namespace

Result<std::vector<AuthorizerSpec>> parseAuthorizationConfiguration(std::string_view text) {
  constexpr std::string_view kKind = "AuthorizationConfiguration";
  auto document = TRY(parseConfig(text, kKind, {"apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1", "apiserver.config.k8s.io/v1alpha1"}));
  const Value& root = document->root;
  FieldErrors errors;
  checkFields(root, "", {"apiVersion", "kind", "authorizers"}, errors);
  if (root["authorizers"].empty()) errors.required("authorizers", "at least one authorization mode must be defined");
  std::vector<AuthorizerSpec> out;
  Parser parser(errors);
  for (size_t i = 0; i < root["authorizers"].size(); ++i) out.push_back(parser.authorizer(root["authorizers"].at(i), concat("authorizers[", i, "]")));
  TRY(configStatus(errors, kKind));
  return out;
}

std::vector<AuthorizerSpec> authorizersOfFlags(const SecurityOptions& options) {
  std::vector<AuthorizerSpec> out;
  for (const std::string& mode : options.authorizationModes) {
    AuthorizerSpec spec;
    spec.type = mode;
    spec.name = toLower(mode);
    spec.kubeconfig = options.authorization.webhookConfigFile;
    spec.webhook.version = options.authorization.webhookVersion;
    spec.webhook.authorizedTtl = options.authorization.webhookAuthorizedTtl;
    spec.webhook.unauthorizedTtl = options.authorization.webhookUnauthorizedTtl;
    out.push_back(std::move(spec));
  }
  return out;
}

}  // namespace skiff::apiserver
