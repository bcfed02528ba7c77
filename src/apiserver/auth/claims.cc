#include "apiserver/auth/claims.h"

#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr std::string_view kCredentialId = "authentication.kubernetes.io/credential-id";

Error refused(std::string why) { return {Reason::Unauthorized, std::move(why)}; }

// One expression over one tree.
Result<cel::Value> evaluate(const Program& program, const Value& tree, codec::Arena& arena) {
  cel::Budget budget;
  std::optional<cel::Value> activation[] = {cel::Value::of(tree)};
  auto value = program->evaluate(activation, arena, budget);
  if (value.ok()) return value;
  return refused(concat("expression '", program->source(), "' resulted in error: ", value.error().message()));
}

Status check(const ClaimRule& rule, const Value& tree, std::string_view what, codec::Arena& arena) {
  if (rule.expression) {
    cel::Value value = TRY(evaluate(rule.expression, tree, arena));
    if (value.isTrue()) return okStatus();
    if (!rule.message.empty()) return refused(concat("validation expression '", rule.expression->source(), "' failed: ", rule.message));
    return refused(concat("validation expression '", rule.expression->source(), "' failed"));
  }
  const Value* claim = tree.find(rule.claim);
  if (!claim) return refused(concat("oidc: required ", what, " ", rule.claim, " not present in ID token"));
  if (claim->isString() && claim->asString() == rule.requiredValue) return okStatus();
  return refused(concat("oidc: required ", what, " ", rule.claim, " value does not match. Got = ", claim->asString(),
                        ", want = ", rule.requiredValue));
}

// A text, a list of texts, or nothing.
Result<std::vector<std::string>> textsOf(const Program& program, const Value& claims, codec::Arena& arena) {
  cel::Value value = TRY(evaluate(program, claims, arena));
  std::vector<std::string> out;
  auto wrong = [&] {
    return refused(concat("expression '", program->source(), "' must return a string or a list of strings"));
  };
  if (value.is(cel::Kind::Null)) return out;
  if (value.is(cel::Kind::String)) {
    if (!value.asText().empty()) out.emplace_back(value.asText());
    return out;
  }
  if (!value.is(cel::Kind::List)) return wrong();
  for (size_t i = 0; i < value.size(); ++i) {
    cel::Value item = value.item(i);
    if (!item.is(cel::Kind::String)) return wrong();
    if (!item.asText().empty()) out.emplace_back(item.asText());
  }
  return out;
}

Result<std::string> textOf(const Program& program, const Value& claims, codec::Arena& arena) {
  cel::Value value = TRY(evaluate(program, claims, arena));
  if (value.is(cel::Kind::String)) return std::string(value.asText());
  return refused(concat("expression '", program->source(), "' must return a string"));
}

Result<std::string> usernameOf(const ClaimSource& source, const Value& claims, codec::Arena& arena) {
  if (source.expression) {
    std::string name = TRY(textOf(source.expression, claims, arena));
    if (name.empty()) return refused("oidc: empty username via CEL expression is not allowed");
    return name;
  }
  const Value* claim = claims.find(source.claim);
  if (!claim || !claim->isString()) return refused(concat("oidc: parse username claims ", quoted(source.claim), ": claim not present"));
  // An unverified address may be anybody's.
  if (source.claim == "email")
    if (const Value* verified = claims.find("email_verified"); verified && !verified->asBool()) return refused("oidc: email not verified");
  return concat(source.prefix, claim->asString());
}

Result<std::vector<std::string>> groupsOf(const ClaimSource& source, const Value& claims, codec::Arena& arena) {
  if (source.expression) return textsOf(source.expression, claims, arena);
  std::vector<std::string> out;
  const Value* claim = source.claim.empty() ? nullptr : claims.find(source.claim);
  if (!claim) return out;
  if (claim->isString()) {
    out.push_back(concat(source.prefix, claim->asString()));
    return out;
  }
  if (!claim->isList()) return refused(concat("oidc: parse groups claim ", quoted(source.claim), ": not a string or a list of strings"));
  for (const Value& group : claim->items()) {
    if (!group.isString()) return refused(concat("oidc: parse groups claim ", quoted(source.claim), ": not a list of strings"));
    out.push_back(concat(source.prefix, group.asString()));
  }
  return out;
}

// The tree that user rules see: `user.username`, `user.groups` ...
Value userTree(const UserInfo& user, codec::Arena& arena) {
  auto texts = [&](const std::vector<std::string>& items) {
    Value list = Value::list();
    for (const std::string& item : items) list.push(arena, Value::text(arena, item));
    return list;
  };
  Value extra = Value::map();
  for (const auto& [key, values] : user.extra) extra.set(arena, key, texts(values));
  Value out = Value::map();
  out.set(arena, "username", Value::text(arena, user.name));
  out.set(arena, "uid", Value::text(arena, user.uid));
  out.set(arena, "groups", texts(user.groups));
  out.set(arena, "extra", extra);
  return out;
}

}  // namespace

Result<Program> compileOver(std::string_view variable, std::string_view source) {
  cel::Environment environment;
  environment.variables = {std::string(variable)};
  auto program = cel::Program::compile(source, environment);
  if (program.ok()) return program;
  return Error(Reason::Invalid, concat("compilation failed: ", program.error().message()));
}

Result<UserInfo> userFromClaims(const ClaimMapping& mapping, const Value& claims) {
  codec::Arena arena;
  for (const ClaimRule& rule : mapping.claimRules) TRY(check(rule, claims, "claim", arena));
  UserInfo user;
  user.name = TRY(usernameOf(mapping.username, claims, arena));
  user.groups = TRY(groupsOf(mapping.groups, claims, arena));
  if (mapping.uid.expression) user.uid = TRY(textOf(mapping.uid.expression, claims, arena));
  else if (const Value* uid = mapping.uid.claim.empty() ? nullptr : claims.find(mapping.uid.claim)) user.uid = uid->str();
  if (!mapping.uid.claim.empty() && user.uid.empty()) return refused(concat("oidc: parse uid claim ", quoted(mapping.uid.claim), ": claim not present"));
  for (const ExtraSource& extra : mapping.extra) {
    auto values = TRY(textsOf(extra.value, claims, arena));
    if (!values.empty()) user.extra[extra.key] = std::move(values);
  }
  if (!mapping.userRules.empty()) {
    Value tree = userTree(user, arena);
    for (const ClaimRule& rule : mapping.userRules) TRY(check(rule, tree, "user", arena));
  }
  if (std::string id = claims["jti"].str(); !id.empty()) user.extra[std::string(kCredentialId)] = {"JTI=" + id};
  return user;
}

}  // namespace skiff::apiserver
