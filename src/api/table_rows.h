// Inside of table.h: what the printers of the groups share.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "codec/value.h"

namespace skiff::api {

// Collects the cells of one object.
class Row {
 public:
  Row(const codec::Value& object, WallTime now, codec::Arena& arena, codec::Value& cells)
      : object_(object), now_(now), arena_(arena), cells_(cells) {}

  const codec::Value& operator[](std::string_view field) const { return object_[field]; }
  const codec::Value& object() const { return object_; }
  WallTime now() const { return now_; }

  void name() { text(object_["metadata"]["name"].asString()); }
  void age() { text(ageOf(object_["metadata"]["creationTimestamp"])); }
  void createdAt() { text(object_["metadata"]["creationTimestamp"].asString()); }
  void text(std::string_view value) { cells_.push(arena_, codec::Value::text(arena_, value)); }
  void text(const codec::Value& value) { text(value.asString()); }
  void textOr(const codec::Value& value, std::string_view absent) {
    text(value.asString().empty() ? absent : value.asString());
  }
  void number(int64_t value) { cells_.push(arena_, codec::Value::integer(value)); }
  void number(const codec::Value& value) { number(value.asInt()); }
  void boolean(bool value) { cells_.push(arena_, codec::Value::boolean(value)); }
  std::string ageOf(const codec::Value& time) const;
  bool deleting() const { return !object_["metadata"]["deletionTimestamp"].isNull(); }

 private:
  const codec::Value& object_;
  WallTime now_;
  codec::Arena& arena_;
  codec::Value& cells_;
};

struct TablePrinter {
  std::string_view group, plural;
  // "Name:name Desired:int IP*": spaces in names are "_"; "*" marks columns of `-o wide`.
  std::string_view columns;
  void (*print)(Row& row);
};
std::span<const TablePrinter> corePrinters();
std::span<const TablePrinter> workloadPrinters();
std::span<const TablePrinter> otherPrinters();

// "a=b,c=d" or "<none>".
std::string labelsText(const codec::Value& labels);
// metav1.LabelSelector as text: "a=b,c in (d)" or "<none>".
std::string selectorText(const codec::Value& selector);
void containerColumns(Row& row, const codec::Value& podSpec);  // names, images
// The first `limit` parts, and how many more there are.
std::string joinedWithMore(const std::vector<std::string>& parts, size_t limit,
                           std::string_view separator);
std::string joinTexts(const codec::Value& list, std::string_view separator);
// The condition of that type, or Null.
const codec::Value& conditionOf(const codec::Value& status, std::string_view type);
// IPs or host names of a load balancer's ingress points.
std::string loadBalancerText(const codec::Value& loadBalancer);
std::string numberText(const codec::Value& value);  // integers and strings as they are
void printPod(Row& row);

}  // namespace skiff::api
