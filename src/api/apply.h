// Server-side apply and the tracking of who owns which field.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/
//
//   live object, managedFields --+
//   config or proposed object ---+--> FieldManager --> new object with new managedFields, or a Conflict
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "api/apply_schema.h"
#include "api/field_set.h"
#include "api/managed_fields.h"
#include "api/schema.h"
#include "base/clock.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// One resource's view of an object: its type, its version, and for a subresource its name. Holds no state of objects;
// may be shared by threads. Inputs are never changed, results are whole in the given arena; the caller conforms,
// defaults and validates them.
class FieldManager {
 public:
  // The object in the form of another version of its group, for managers that wrote at that version. Nullopt when the
  // version is no longer served: its manager is forgotten.
  struct AtVersion {
    codec::Value value;
    const TypeInfo* type = nullptr;
  };
  using Converter = std::function<std::optional<AtVersion>(const codec::Value& object, std::string_view apiVersion,
                                                           codec::Arena& arena)>;
  struct Options {
    const TypeInfo* type = nullptr;  // null: no schema (maps granular, lists atomic)
    std::string apiVersion, kind;
    std::string subresource;
    // Paths that this endpoint does not let a request set (status on the main resource, all but status on its
    // subresource). They are never owned through it.
    FieldSet ignored;
    bool timed = true;  // false: what is owned through this endpoint carries no time
    Converter convert;  // may be empty: sets of other versions are then read as if of this one
  };
  explicit FieldManager(Options options) : options_(std::move(options)) {}

  struct ApplyRequest {
    std::string_view manager;
    bool force = false;
    WallTime now;
  };
  // `live` is null for an object that does not exist yet.
  Result<codec::Value> apply(const codec::Value* live, const codec::Value& config, const ApplyRequest& request,
                             codec::Arena& arena) const;

  // The managedFields after a create (live null), an update or another patch; an empty list: nobody owns anything. Never
  // fails: an object that cannot be tracked keeps its owners.
  codec::Value update(const codec::Value* live, const codec::Value& proposed, std::string_view manager, WallTime now,
                      codec::Arena& arena) const;

 private:
  struct Conflict {
    ManagerId manager;
    FieldSet set;
  };
  struct Outcome {
    codec::Value object;
    Managers managers;
    std::vector<Conflict> conflicts;  // when not empty, nothing else counts
  };

  Result<Outcome> applyOnce(const codec::Value& live, const codec::Value& config, Managers managers,
                            const ApplyRequest& request, bool force, codec::Arena& arena) const;
  codec::Value prune(const codec::Value& merged, const Managers& managers, const FieldSet& last,
                     codec::Arena& arena) const;
  void trackUpdate(const codec::Value& live, const codec::Value& proposed, Managers& managers, std::string_view manager,
                   WallTime now, codec::Arena& arena) const;
  std::vector<Conflict> takeFields(const codec::Value& before, const codec::Value& after, const ManagerId* self,
                                   bool force, Managers& managers, FieldSet* taken, codec::Arena& arena) const;
  struct Difference {
    FieldSet changed;  // added or modified
    FieldSet removed;
  };
  std::optional<Difference> compareAt(const codec::Value& before, const codec::Value& after,
                                      std::string_view apiVersion, codec::Arena& arena) const;
  FieldSet allowedByLastApplied(const codec::Value& live) const;
  FieldSet ownable(FieldSet set) const;
  ManagerId idOf(std::string_view manager, bool applied) const;
  Status checkConfig(const codec::Value& config) const;
  static Error conflictError(const std::vector<Conflict>& conflicts);

  Options options_;
};

}  // namespace skiff::api
