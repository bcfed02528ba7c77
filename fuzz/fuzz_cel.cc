// An expression is refused, or has an estimated cost and gives the same result each time it is evaluated, within the budget of an API server:
// -timeout finds work that costs more than it says.
#include "base/result.h"
#include "cel/authorizer.h"
#include "cel/program.h"
#include "codec/json.h"

using namespace skiff;
using namespace skiff::cel;

namespace {

const codec::Document& object() {
  static const auto document = *codec::parseJsonDocument(
      R"({"metadata":{"name":"web","labels":{"a/b":"w"},"creationTimestamp":"2026-01-02T03:04:05Z"},
          "spec":{"replicas":3,"none":null,"ratio":0.5,"on":true,"dash-ed":1,"cpu":"100m","ip":"10.0.0.1","cidr":"10.0.0.0/8",
                  "url":"https://a.b:8/c?d=e","version":"1.2.3-rc.1","list":[3,1,2],"words":["b","a","b"],
                  "containers":[{"name":"one","image":"a:1","ports":[80]},{"name":"two","image":"b:1"}]}})");
  return *document;
}

class Oracle final : public AccessOracle {
 public:
  AccessDecision check(const AccessQuery& query) override { return {query.verb == "get", "because", ""}; }
};

// Some members have a limit, some none, and some are not known.
class Sizes final : public SizeHints {
 public:
  std::optional<uint64_t> maxSizeAt(std::span<const std::string_view> path) const override {
    if (path.size() < 2) return std::nullopt;
    return path.back().size() % 2 == 0 ? std::optional<uint64_t>(path.back().size()) : std::nullopt;
  }
};

struct Outcome {
  std::string text;
  int64_t left = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome evaluate(const Program& program) {
  codec::Arena arena;
  Oracle oracle;
  AccessQuery query{.isResource = true, .group = "apps", .resource = "deployments", .ns = "default", .verb = "create"};
  const std::optional<Value> activation[] = {Value::of(object().root), Value::of(object().root["spec"]),
                                             Value::of(object().root["spec"]), std::nullopt,
                                             authorizerValue(oracle, query, arena)};
  Budget budget;
  auto result = program.evaluate(activation, arena, budget);
  if (!result.ok()) return {result.error().message(), budget.remaining};
  auto tree = toTree(*result, arena);
  return {tree ? codec::toJson(*tree) : std::string(typeName(result->kind())), budget.remaining};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Environment environment{.variables = {"object", "self", "oldSelf", "params", "authorizer"},
                                       .objectConstruction = true};
  auto program = Program::compile({reinterpret_cast<const char*>(data), size}, environment);
  if (!program.ok()) return 0;
  MUST((*program)->estimateCost(Sizes()) == (*program)->estimateCost(Sizes()));
  auto first = evaluate(**program);
  MUST(first == evaluate(**program));
  return 0;
}
