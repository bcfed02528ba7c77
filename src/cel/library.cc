#include "cel/library.h"

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_map>

namespace skiff::cel {

Value Context::list(std::span<const Value> items) {
  if (items.empty()) return Value::list({});
  Value* kept = arena.array<Value>(items.size());
  std::uninitialized_copy(items.begin(), items.end(), kept);
  return Value::list({kept, items.size()});
}

Value Context::map(std::span<const Entry> entries) {
  if (entries.empty()) return Value::map({});
  Entry* kept = arena.array<Entry>(entries.size());
  std::uninitialized_copy(entries.begin(), entries.end(), kept);
  return Value::map({kept, entries.size()});
}

Value Context::some(const Value& value) {
  return Value::some(*new (arena.allocate(sizeof(Value), alignof(Value))) Value(value));
}

namespace {

using Index = std::unordered_map<std::string_view, std::vector<const Function*>>;

Index makeIndex() {
  Index index;
  const std::span<const Function> libraries[] = {
      operatorFunctions(), conversionFunctions(), stringFunctions(),     listFunctions(),
      timeFunctions(),     networkFunctions(),    kubernetesFunctions(), authorizerFunctions()};
  for (std::span<const Function> library : libraries)
    for (const Function& function : library) index[function.name].push_back(&function);
  return index;
}

}  // namespace

FunctionMatch findFunction(std::string_view name, Style style, size_t args) {
  static const Index kIndex = makeIndex();  // constant once made
  auto found = kIndex.find(name);
  if (found == kIndex.end()) return {};
  for (const Function* function : found->second)
    if (function->style == style && args >= function->minArgs && args <= function->maxArgs) return {function, true};
  return {nullptr, true};
}

}  // namespace skiff::cel
