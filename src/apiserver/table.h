// Objects as rows for people: metav1.Table with the columns that kubectl prints.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
#pragma once
#include <span>
#include <string_view>

#include "api/object.h"
#include "apiserver/resource_map.h"
#include "base/clock.h"
#include "codec/value.h"

namespace skiff::apiserver {

struct Column {
  std::string_view name, type = "string", format = "";
  int priority = 0;
};
// Writes an object's cells, one per column.
class Cells {
 public:
  Cells(codec::Arena& arena, WallTime now) : arena_(arena), now_(now) {}
  void text(std::string_view text) { list_.push(arena_, codec::Value::text(arena_, text)); }
  void number(int64_t number) { list_.push(arena_, codec::Value::integer(number)); }
  void value(codec::Value value) { list_.push(arena_, value); }
  void age(const codec::Value& timestamp);  // "5m", "<unknown>"
  codec::Value take() { return list_; }
  WallTime now() const { return now_; }
  codec::Arena& arena() { return arena_; }

 private:
  codec::Arena& arena_;
  WallTime now_;
  codec::Value list_ = codec::Value::list();
};
struct Printer {
  std::string_view group, plural;  // also of other versions
  std::span<const Column> columns;
  void (*print)(const codec::Value& object, Cells& cells);
};
const Printer* findPrinter(std::string_view group, std::string_view plural);

// apiVersion, kind, columnDefinitions and rows; metadata is the caller's. `includeObject`: "", "Metadata", "Object", "None".
codec::Value tableOf(const ServedResource& resource, std::span<const api::ObjectPtr> objects,
                     std::string_view includeObject, std::string_view metaVersion, WallTime now, codec::Arena& arena);

std::string humanDuration(seconds duration);  // "5m30s", "3d", as kubectl shows ages

}  // namespace skiff::apiserver
