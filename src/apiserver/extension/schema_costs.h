// What a schema lets its values grow to, as far as rules care: sizes, and how many values of a level one object can hold.
// Bytes that a request may have bound what the schema leaves open.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cel/cost_estimate.h"
#include "codec/value.h"

namespace skiff::apiserver {

class FieldErrors;

class SchemaSizes : public cel::SizeHints {
 public:
  SchemaSizes(const codec::Value& schema, bool isRoot) : schema_(schema), isRoot_(isRoot) {}
  std::optional<uint64_t> maxSizeAt(std::span<const std::string_view> path) const override;

 private:
  const codec::Value& schema_;
  bool isRoot_;
};

// How often a level can occur in an object.
class Cardinality {
 public:
  // Of the level's items or values; of a property it is the level's own.
  Cardinality below(const codec::Value& level) const;
  uint64_t of(const codec::Value& level) const;

 private:
  std::optional<uint64_t> count_ = 1;  // nothing: a list or map on the way has no bound
};

// Collects the estimated costs of a definition's rules and refuses what is too dear, in upstream's words.
class RuleCosts {
 public:
  explicit RuleCosts(FieldErrors& errors) : errors_(errors) {}
  void rule(std::string path, uint64_t cost);
  void messageExpression(std::string path, uint64_t cost);
  // At the end: all rules together. `path` is the schema's.
  void checkTotal(const std::string& path);

 private:
  struct Expensive {
    std::string path;
    uint64_t cost;
  };
  void add(std::string path, std::string_view what, uint64_t cost);

  FieldErrors& errors_;
  uint64_t total_ = 0;
  std::vector<Expensive> mostExpensive_;  // the dearest first
};

}  // namespace skiff::apiserver
