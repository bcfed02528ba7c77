#include "cel/authorizer.h"
#include "cel/library.h"

namespace skiff::cel {
namespace {

using Args = std::span<const Value>;

struct Access {
  AccessOracle* oracle;
  AccessQuery query, requestResource;
};
struct Decision {
  bool allowed;
  std::string_view reason, error;
};

bool stringAt(Args args, size_t index) { return index < args.size() && args[index].is(Kind::String); }

// A step of the chain: the query so far, with one more field.
Value refine(Context& context, Args args, Kind from, Kind to, std::string_view AccessQuery::*field) {
  if (!args[0].is(from) || !stringAt(args, 1)) return context.noOverload();
  Access access = args[0].payload<Access>();
  access.query.*field = args[1].asText();
  access.query.isResource = to != Kind::PathCheck;
  return context.opaque(to, access);
}

Value path(Context& c, Args a) { return refine(c, a, Kind::Authorizer, Kind::PathCheck, &AccessQuery::path); }
Value group(Context& c, Args a) { return refine(c, a, Kind::Authorizer, Kind::GroupCheck, &AccessQuery::group); }
Value resource(Context& c, Args a) { return refine(c, a, Kind::GroupCheck, Kind::ResourceCheck, &AccessQuery::resource); }
Value subresource(Context& c, Args a) {
  return refine(c, a, Kind::ResourceCheck, Kind::ResourceCheck, &AccessQuery::subresource);
}
Value ns(Context& c, Args a) { return refine(c, a, Kind::ResourceCheck, Kind::ResourceCheck, &AccessQuery::ns); }
Value objectName(Context& c, Args a) { return refine(c, a, Kind::ResourceCheck, Kind::ResourceCheck, &AccessQuery::name); }
Value fieldSelector(Context& c, Args a) {
  return refine(c, a, Kind::ResourceCheck, Kind::ResourceCheck, &AccessQuery::fieldSelector);
}
Value labelSelector(Context& c, Args a) {
  return refine(c, a, Kind::ResourceCheck, Kind::ResourceCheck, &AccessQuery::labelSelector);
}

Value serviceAccount(Context& context, Args args) {
  if (!args[0].is(Kind::Authorizer) || !stringAt(args, 1) || !stringAt(args, 2)) return context.noOverload();
  Access access = args[0].payload<Access>();
  access.query.serviceAccountNamespace = args[1].asText();
  access.query.serviceAccountName = args[2].asText();
  return context.opaque(Kind::Authorizer, access);
}

Value check(Context& context, Args args) {
  bool checkable = args[0].is(Kind::PathCheck) || args[0].is(Kind::ResourceCheck);
  if (!checkable || !stringAt(args, 1)) return context.noOverload();
  if (!context.charge(350'000)) return {};  // upstream's price of an authorization
  Access access = args[0].payload<Access>();
  access.query.verb = args[1].asText();
  AccessDecision decision = access.oracle->check(access.query);
  return context.opaque(Kind::Decision, Decision{decision.allowed, context.arena.copy(decision.reason),
                                                 context.arena.copy(decision.error)});
}

Value allowed(Context& context, Args args) {
  return args[0].is(Kind::Decision) ? Value::boolean(args[0].payload<Decision>().allowed) : context.noOverload();
}
Value reason(Context& context, Args args) {
  return args[0].is(Kind::Decision) ? Value::string(args[0].payload<Decision>().reason) : context.noOverload();
}
Value errored(Context& context, Args args) {
  return args[0].is(Kind::Decision) ? Value::boolean(!args[0].payload<Decision>().error.empty()) : context.noOverload();
}
Value errorText(Context& context, Args args) {
  return args[0].is(Kind::Decision) ? Value::string(args[0].payload<Decision>().error) : context.noOverload();
}

constexpr std::string_view kOfResource =
    "kubernetes.authorization.ResourceCheck string -> kubernetes.authorization.ResourceCheck";

constexpr Function kFunctions[] = {
    {"path", Style::Member, 2, 2, path, "kubernetes.authorization.Authorizer string -> kubernetes.authorization.PathCheck"},
    {"group", Style::Member, 2, 2, group, "kubernetes.authorization.Authorizer string -> kubernetes.authorization.GroupCheck"},
    {"resource", Style::Member, 2, 2, resource,
     "kubernetes.authorization.GroupCheck string -> kubernetes.authorization.ResourceCheck"},
    {"subresource", Style::Member, 2, 2, subresource, kOfResource},
    {"namespace", Style::Member, 2, 2, ns, kOfResource},
    {"name", Style::Member, 2, 2, objectName, kOfResource},
    {"fieldSelector", Style::Member, 2, 2, fieldSelector, kOfResource},
    {"labelSelector", Style::Member, 2, 2, labelSelector, kOfResource},
    {"serviceAccount", Style::Member, 3, 3, serviceAccount,
     "kubernetes.authorization.Authorizer string string -> kubernetes.authorization.Authorizer"},
    {"check", Style::Member, 2, 2, check,
     "kubernetes.authorization.PathCheck string -> kubernetes.authorization.Decision | "
     "kubernetes.authorization.ResourceCheck string -> kubernetes.authorization.Decision"},
    {"allowed", Style::Member, 1, 1, allowed, "kubernetes.authorization.Decision -> bool"},
    {"reason", Style::Member, 1, 1, reason, "kubernetes.authorization.Decision -> string"},
    {"errored", Style::Member, 1, 1, errored, "kubernetes.authorization.Decision -> bool"},
    {"error", Style::Member, 1, 1, errorText, "kubernetes.authorization.Decision -> string"},
};

}  // namespace

std::span<const Function> authorizerFunctions() { return kFunctions; }

Value authorizerValue(AccessOracle& oracle, const AccessQuery& requestResource, codec::Arena& arena) {
  return Value::opaque(Kind::Authorizer, new (arena.allocate(sizeof(Access))) Access{&oracle, {}, requestResource});
}

Value requestResource(Context& context, const Value& authorizer) {
  Access access = authorizer.payload<Access>();
  access.query = access.requestResource;
  return context.opaque(Kind::ResourceCheck, access);
}

}  // namespace skiff::cel
