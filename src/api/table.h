// Server-side printing: what `kubectl get` shows of an object (meta.k8s.io/v1 Table).
// https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "api/jsonpath.h"
#include "api/schema.h"
#include "base/clock.h"
#include "codec/value.h"

namespace skiff::api {

struct Column {
  std::string name;
  std::string type = "string";  // string, integer, number, boolean, date
  std::string format;
  std::string description;
  int priority = 0;  // above 0: `-o wide` only
};

// Columns of a built-in resource; Name and Age for those that print nothing of their own.
std::vector<Column> columnsOf(const ResourceInfo& resource);
// The cells of one object as a list, as many as there are columns. New bytes go to the arena.
void rowOf(const ResourceInfo& resource, const codec::Value& object, WallTime now,
           codec::Arena& arena, codec::Value& cells);

// Printing of a custom resource, from a version of its CustomResourceDefinition. Made once, then
// shared.
class CustomTable {
 public:
  // `version` is an element of spec.versions; columns whose path does not parse print nothing.
  explicit CustomTable(const codec::Value& version);
  const std::vector<Column>& columns() const { return columns_; }
  void row(const codec::Value& object, WallTime now, codec::Arena& arena,
           codec::Value& cells) const;

 private:
  std::vector<Column> columns_;
  std::vector<JsonPath> paths_;  // of the columns after Name
};

// "5d3h", "12m", "45s": kubectl's short form of a time span.
std::string humanDuration(std::chrono::seconds span);
// Since an RFC 3339 time; "<unknown>" when it is absent.
std::string humanAge(std::string_view time, WallTime now);

}  // namespace skiff::api
