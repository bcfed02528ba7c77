#include "cel/program.h"

#include <re2/re2.h>

#include <algorithm>

#include "base/strings.h"
#include "cel/checker.h"
#include "cel/evaluator.h"
#include "cel/parser.h"

namespace skiff::cel {

Program::~Program() = default;

Result<std::shared_ptr<const Program>> Program::compile(std::string_view source, const Environment& environment) {
  std::shared_ptr<Program> program(new Program());
  program->source_ = source;
  Parser parser(program->source_, program->arena_);
  Expr* root = parser.parse();
  if (!root) return badRequest(describeError(source, parser.error()));
  Checker checker(environment, program->arena_);
  if (!checker.check(*root)) {
    std::vector<std::string> errors;
    for (const SourceError& error : checker.errors()) errors.push_back(describeError(source, error));
    return badRequest(join(errors, "\n"));
  }
  program->root_ = root;
  program->type_ = root->type->kind;
  program->locals_ = checker.locals();
  program->patterns_ = checker.takePatterns();
  program->used_ = checker.takeUsed();
  return std::shared_ptr<const Program>(std::move(program));
}

Result<Value> Program::evaluate(std::span<const std::optional<Value>> activation, codec::Arena& arena,
                                Budget& budget) const {
  Evaluator evaluator(activation, locals_, arena, budget.remaining);
  Value value = evaluator.evaluate(*root_);
  if (evaluator.exhausted()) return Error(Reason::Invalid, std::string(kCostExceeded));
  if (value.isError()) return Error(Reason::Invalid, std::string(value.asText()));
  return value;
}

uint64_t Program::estimateCost(const SizeHints& hints) const { return cel::estimateCost(*root_, hints); }

bool Program::uses(std::string_view variable) const {
  return std::ranges::find(used_, variable) != used_.end();
}

}  // namespace skiff::cel
