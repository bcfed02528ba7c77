#include "apiserver/auth/authentication_configuration.h"

#include <algorithm>
#include <set>

#include "apiserver/auth/config_file.h"
#include "base/read_file.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr size_t kMaxIssuers = 64;

// Expressions that read `claims.email`, and those that look at `claims.email_verified`.
bool mentions(const Program& program, std::string_view field) {
  if (!program) return false;
  const std::string& source = program->source();
  for (size_t at = source.find(field); at != std::string::npos; at = source.find(field, at + 1)) {
    size_t end = at + field.size();
    if (end == source.size() || !(std::isalnum(uint8_t(source[end])) || source[end] == '_')) return true;
  }
  return false;
}

class Parser {
 public:
  Parser(FieldErrors& errors, const std::vector<std::string>& ownIssuers) : errors_(errors), ownIssuers_(ownIssuers) {}

  JwtIssuer issuer(const Value& jwt, const std::string& path) {
    checkFields(jwt, path, {"issuer", "claimValidationRules", "claimMappings", "userValidationRules"}, errors_);
    JwtIssuer out;
    issuerServer(jwt["issuer"], path + ".issuer", out);
    out.mapping.claimRules = claimRules(jwt["claimValidationRules"], path + ".claimValidationRules");
    mappings(jwt["claimMappings"], path + ".claimMappings", out.mapping);
    out.mapping.userRules = userRules(jwt["userValidationRules"], path + ".userValidationRules");
    checkEmail(out.mapping, path + ".claimMappings.username.expression");
    return out;
  }

  AnonymousRule anonymous(const Value& value) {
    checkFields(value, "anonymous", {"enabled", "conditions"}, errors_);
    AnonymousRule rule{.enabled = value["enabled"].asBool(), .paths = {}};
    if (!rule.enabled && !value["conditions"].empty())
      errors_.invalid("anonymous.conditions", codec::toJson(value["conditions"]), "enabled should be set to true when conditions are defined");
    for (size_t i = 0; i < value["conditions"].size(); ++i) {
      const Value& condition = value["conditions"].at(i);
      std::string path = concat("anonymous.conditions[", i, "]");
      checkFields(condition, path, {"path"}, errors_);
      rule.paths.push_back(condition["path"].str());
      if (rule.paths.back().empty()) errors_.required(path + ".path", "");
    }
    return rule;
  }

 private:
  void issuerServer(const Value& issuer, const std::string& path, JwtIssuer& out) {
    checkFields(issuer, path, {"url", "discoveryURL", "certificateAuthority", "audiences", "audienceMatchPolicy", "egressSelectorType"}, errors_);
    out.url = issuer["url"].str();
    checkUrl(out.url, path + ".url");
    if (!seen_.insert(out.url).second) errors_.duplicate(path + ".url", quoted(out.url));
    if (std::ranges::find(ownIssuers_, out.url) != ownIssuers_.end())
      errors_.invalid(path + ".url", quoted(out.url), "URL must not overlap with disallowed issuers");
    if (issuer.has("discoveryURL")) {
      out.discoveryUrl = issuer["discoveryURL"].str();
      if (!out.discoveryUrl.empty()) checkUrl(out.discoveryUrl, path + ".discoveryURL");
      if (!out.discoveryUrl.empty() && out.discoveryUrl == out.url)
        errors_.invalid(path + ".discoveryURL", quoted(out.discoveryUrl), "discoveryURL must be different from URL");
    }
    out.caPem = issuer["certificateAuthority"].str();
    for (const Value& audience : issuer["audiences"].items()) {
      out.audiences.push_back(audience.str());
      if (out.audiences.back().empty()) errors_.required(path + ".audiences", "audience can't be empty");
    }
    std::string_view policy = issuer["audienceMatchPolicy"].asString();
    if (out.audiences.empty()) errors_.required(path + ".audiences", "at least one " + path + ".audiences is required");
    if (out.audiences.size() > 1 && policy != "MatchAny")
      errors_.invalid(path + ".audienceMatchPolicy", quoted(policy), "audienceMatchPolicy must be MatchAny for multiple audiences");
    if (out.audiences.size() <= 1 && !policy.empty() && policy != "MatchAny")
      errors_.invalid(path + ".audienceMatchPolicy", quoted(policy), "audienceMatchPolicy must be empty or MatchAny for single audience");
  }

  void checkUrl(const std::string& url, const std::string& path) {
    if (url.empty()) return errors_.required(path, "URL is required");
    if (!url.starts_with("https://")) return errors_.invalid(path, quoted(url), "URL scheme must be https");
    if (url.find('@') != std::string::npos) errors_.invalid(path, quoted(url), "URL must not contain a username or password");
    if (url.find('?') != std::string::npos) errors_.invalid(path, quoted(url), "URL must not contain a query");
    if (url.find('#') != std::string::npos) errors_.invalid(path, quoted(url), "URL must not contain a fragment");
  }

  Program expression(std::string_view variable, const Value& source, const std::string& path,
                     std::initializer_list<cel::StaticType> types) {
    if (source.asString().empty()) return nullptr;
    auto program = compileOver(variable, source.asString());
    if (!program.ok()) {
      errors_.invalid(path, quoted(source.asString()), program.error().message());
      return nullptr;
    }
    if (std::ranges::none_of(types, [&](cel::StaticType type) { return (*program)->mayBe(type); }))
      errors_.invalid(path, quoted(source.asString()), types.begin()[0] == cel::StaticType::Bool ? "must evaluate to bool" : "must evaluate to string or list");
    return *program;
  }

  std::vector<ClaimRule> claimRules(const Value& list, const std::string& base) {
    std::vector<ClaimRule> out;
    std::set<std::string> seen;
    for (size_t i = 0; i < list.size(); ++i) {
      const Value& rule = list.at(i);
      std::string path = concat(base, "[", i, "]");
      checkFields(rule, path, {"claim", "requiredValue", "expression", "message"}, errors_);
      ClaimRule parsed{rule["claim"].str(), rule["requiredValue"].str(), nullptr, rule["message"].str()};
      std::string source = rule["expression"].str();
      if (parsed.claim.empty() == source.empty()) {
        errors_.required(path, parsed.claim.empty() ? "claim or expression is required" : "claim and expression can't both be set");
        continue;
      }
      if (!parsed.claim.empty() && !parsed.message.empty()) errors_.invalid(path + ".message", quoted(parsed.message), "message can't be set when claim is set");
      if (!source.empty() && !parsed.requiredValue.empty())
        errors_.invalid(path + ".requiredValue", quoted(parsed.requiredValue), "requiredValue can't be set when expression is set");
      if (!seen.insert(parsed.claim.empty() ? "e:" + source : "c:" + parsed.claim).second) errors_.duplicate(path, quoted(parsed.claim.empty() ? source : parsed.claim));
      parsed.expression = expression("claims", rule["expression"], path + ".expression", {cel::StaticType::Bool});
      if (parsed.expression || !parsed.claim.empty()) out.push_back(std::move(parsed));
    }
    return out;
  }

  std::vector<ClaimRule> userRules(const Value& list, const std::string& base) {
    std::vector<ClaimRule> out;
    std::set<std::string> seen;
    for (size_t i = 0; i < list.size(); ++i) {
      const Value& rule = list.at(i);
      std::string path = concat(base, "[", i, "]");
      checkFields(rule, path, {"expression", "message"}, errors_);
      if (rule["expression"].asString().empty()) errors_.required(path + ".expression", "expression is required");
      else if (!seen.insert(rule["expression"].str()).second) errors_.duplicate(path + ".expression", quoted(rule["expression"].asString()));
      if (auto program = expression("user", rule["expression"], path + ".expression", {cel::StaticType::Bool}))
        out.push_back({"", "", std::move(program), rule["message"].str()});
    }
    return out;
  }

  ClaimSource prefixed(const Value& source, const std::string& path, bool isRequired) {
    checkFields(source, path, {"claim", "prefix", "expression"}, errors_);
    ClaimSource out{source["claim"].str(), source["prefix"].str(), nullptr};
    std::string text = source["expression"].str();
    if (!out.claim.empty() && !text.empty()) errors_.invalid(path, "", "claim and expression can't both be set");
    if (isRequired && out.claim.empty() && text.empty()) errors_.required(path, "claim or expression is required");
    if (!out.claim.empty() && !source.has("prefix")) errors_.required(path + ".prefix", "prefix is required when claim is set. It can be set to an empty string to disable prefixing");
    if (out.claim.empty() && source.has("prefix")) errors_.invalid(path + ".prefix", quoted(out.prefix), "prefix can't be set when claim is not set");
    out.expression = isRequired ? expression("claims", source["expression"], path + ".expression", {cel::StaticType::String})
                                : expression("claims", source["expression"], path + ".expression",
                                             {cel::StaticType::String, cel::StaticType::List, cel::StaticType::Null});
    return out;
  }

  void mappings(const Value& value, const std::string& path, ClaimMapping& out) {
    checkFields(value, path, {"username", "groups", "uid", "extra"}, errors_);
    out.username = prefixed(value["username"], path + ".username", true);
    out.groups = prefixed(value["groups"], path + ".groups", false);
    const Value& uid = value["uid"];
    checkFields(uid, path + ".uid", {"claim", "expression"}, errors_);
    out.uid.claim = uid["claim"].str();
    out.uid.expression = expression("claims", uid["expression"], path + ".uid.expression", {cel::StaticType::String});
    if (!out.uid.claim.empty() && out.uid.expression) errors_.invalid(path + ".uid", "", "claim and expression can't both be set");
    std::set<std::string> seen;
    for (size_t i = 0; i < value["extra"].size(); ++i) {
      const Value& extra = value["extra"].at(i);
      std::string at = concat(path, ".extra[", i, "]");
      checkFields(extra, at, {"key", "valueExpression"}, errors_);
      std::string key = extra["key"].str();
      checkExtraKey(key, at + ".key");
      if (!seen.insert(key).second) errors_.duplicate(at + ".key", quoted(key));
      if (extra["valueExpression"].asString().empty()) errors_.required(at + ".valueExpression", "valueExpression is required");
      if (auto program = expression("claims", extra["valueExpression"], at + ".valueExpression",
                                    {cel::StaticType::String, cel::StaticType::List, cel::StaticType::Null}))
        out.extra.push_back({std::move(key), std::move(program)});
    }
  }

  void checkExtraKey(const std::string& key, const std::string& path) {
    if (key.empty()) return errors_.required(path, "");
    auto parts = cut(key, "/");
    if (!parts || parts->first.empty() || parts->second.empty())
      return errors_.invalid(path, quoted(key), "must be a domain-prefixed path (such as \"acme.io/foo\")");
    if (key != toLower(key)) errors_.invalid(path, quoted(key), "must be lowercase");
    std::string_view domain = parts->first;
    for (std::string_view reserved : {"k8s.io", "kubernetes.io"})
      if (domain == reserved || domain.ends_with(concat(".", reserved)))
        errors_.invalid(path, quoted(key), concat(reserved, " is reserved for Kubernetes use"));
  }

  // A name taken from an address that nobody has verified could be anyone's.
  void checkEmail(const ClaimMapping& mapping, const std::string& path) {
    if (!mentions(mapping.username.expression, "claims.email")) return;
    bool verified = mentions(mapping.username.expression, "claims.email_verified");
    for (const ClaimRule& rule : mapping.claimRules) verified |= mentions(rule.expression, "claims.email_verified");
    for (const ExtraSource& extra : mapping.extra) verified |= mentions(extra.value, "claims.email_verified");
    if (!verified)
      errors_.invalid(path, quoted(mapping.username.expression->source()),
                      "claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression "
                      "or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression");
  }

  FieldErrors& errors_;
  const std::vector<std::string>& ownIssuers_;
  std::set<std::string> seen_;
};

}  // namespace

bool AnonymousRule::allows(std::string_view path) const {
  return enabled && (paths.empty() || std::ranges::find(paths, path) != paths.end());
}

Result<AuthenticationConfiguration> parseAuthenticationConfiguration(std::string_view text, const std::vector<std::string>& ownIssuers) {
  constexpr std::string_view kKind = "AuthenticationConfiguration";
  auto document = TRY(parseConfig(text, kKind, {"apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1", "apiserver.config.k8s.io/v1alpha1"}));
  const Value& root = document->root;
  FieldErrors errors;
  checkFields(root, "", {"apiVersion", "kind", "jwt", "anonymous"}, errors);
  AuthenticationConfiguration out;
  Parser parser(errors, ownIssuers);
  if (root["jwt"].size() > kMaxIssuers) errors.tooMany("jwt", int64_t(root["jwt"].size()), kMaxIssuers);
  for (size_t i = 0; i < root["jwt"].size() && errors.empty(); ++i) out.issuers.push_back(parser.issuer(root["jwt"].at(i), concat("jwt[", i, "]")));
  if (root["anonymous"].isMap()) out.anonymous = parser.anonymous(root["anonymous"]);
  TRY(configStatus(errors, kKind));
  return out;
}

Result<std::optional<JwtIssuer>> issuerOfFlags(const OidcFlags& flags) {
  std::optional<JwtIssuer> none;
  if (flags.issuerUrl.empty() && flags.clientId.empty()) return none;
  if (flags.issuerUrl.empty() || flags.clientId.empty())
    return Error(Reason::Invalid, "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set");
  if (!flags.issuerUrl.starts_with("https://")) return Error(Reason::Invalid, concat("oidc-issuer-url ", quoted(flags.issuerUrl), " must use https"));
  JwtIssuer issuer;
  issuer.url = flags.issuerUrl;
  issuer.audiences = {flags.clientId};
  issuer.algorithms = flags.signingAlgs;
  if (!flags.caFile.empty()) issuer.caPem = TRY(readFile(flags.caFile));
  ClaimSource& username = issuer.mapping.username;
  username.claim = flags.usernameClaim;
  // Names of several issuers must not meet, so by default they carry their issuer; addresses are unique by themselves.
  if (flags.usernamePrefix.empty() && flags.usernameClaim != "email") username.prefix = flags.issuerUrl + "#";
  else if (flags.usernamePrefix != "-") username.prefix = flags.usernamePrefix;
  issuer.mapping.groups = {flags.groupsClaim, flags.groupsPrefix, nullptr};
  for (const std::string& required : flags.requiredClaims) {
    auto parts = cut(required, "=");
    if (!parts) return Error(Reason::Invalid, concat("oidc-required-claim ", quoted(required), " must be of the form key=value"));
    issuer.mapping.claimRules.push_back({std::string(parts->first), std::string(parts->second), nullptr, ""});
  }
  return std::optional(std::move(issuer));
}

}  // namespace skiff::apiserver
