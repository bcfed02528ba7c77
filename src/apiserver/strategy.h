// What a kind needs beyond data: registered by group and resource; everything else is the generic registry's.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema.h"
#include "apiserver/request.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::apiserver {

// Collects all causes with field paths before it answers, as upstream's field.ErrorList.
class FieldErrors {
 public:
  void required(std::string path, std::string detail);        // FieldValueRequired "Required value: detail"
  void invalid(std::string path, std::string value, std::string detail);  // FieldValueInvalid `Invalid value: VALUE: detail`
  void notSupported(std::string path, std::string value, const std::vector<std::string>& supported);
  void duplicate(std::string path, std::string value);
  void forbidden(std::string path, std::string detail);
  void tooLong(std::string path, int64_t maxLength);
  void tooMany(std::string path, int64_t actual, int64_t max);
  void notFound(std::string path, std::string value);
  void typeInvalid(std::string path, std::string value, std::string detail);
  void internal(std::string path, std::string detail);
  void add(Cause cause) { causes_.push_back(std::move(cause)); }
  bool empty() const { return causes_.empty(); }
  const std::vector<Cause>& causes() const { return causes_; }
  // Status 422: `Pod "a" is invalid: spec.containers: Required value`, several as `[a, b]`.
  Error error(std::string_view group, std::string_view kind, std::string_view name) const;

 private:
  std::vector<Cause> causes_;
};

struct StrategyContext {
  AdmissionRequest& request;
  const ClusterReader& cluster;
  codec::Arena& arena() { return *request.arena; }
  codec::Value& object() { return *request.object; }
  const codec::Value& old() const { return *request.oldObject; }
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  // Before admission: server-set fields (status wiped, generation is generic), dropped fields, computed defaults that
  // tables cannot say.
  virtual void prepareCreate(StrategyContext&) {}
  virtual void prepareUpdate(StrategyContext&) {}  // also for subresources (request.subresource)
  virtual void applyDefaults(codec::Value& object, codec::Arena&) { (void)object; }  // after the tables' defaults
  // After mutating admission. The generic registry has validated metadata and the tables' own rules.
  virtual void validateCreate(StrategyContext&, FieldErrors&) {}
  virtual void validateUpdate(StrategyContext&, FieldErrors&) {}
  // Just before the write (cluster IPs, node ports): may allocate; release() undoes it when the write fails or for a
  // dry run, and is called when an object is gone.
  virtual Status allocate(StrategyContext&) { return okStatus(); }
  virtual bool allocates() const { return false; }  // true: allocate() edits the object
  virtual void release(const codec::Value& object) { (void)object; }
  // After an update of one that allocates: what `before` held and `now` does not is free. After its dry run the other way round.
  virtual void replaced(const codec::Value& before, const codec::Value& now) { (void)before, (void)now; }
  // The live object as the ownership of an update's fields is judged by: with what it has lost for a while only.
  virtual codec::Value asOwned(const codec::Value& live, codec::Arena&) const { return live; }
  // True: spec changes bump metadata.generation.
  virtual bool hasGeneration() const { return true; }
  virtual bool hasStatus() const { return true; }
  // Deletion: grace in seconds for this object (pods); nullopt: at once.
  virtual std::optional<int64_t> gracePeriod(const codec::Value& object, std::optional<int64_t> asked) {
    (void)object, (void)asked;
    return std::nullopt;
  }
  // Dependents outlive the object unless its deletion says otherwise. Kinds older than garbage collection promise so.
  virtual bool orphansByDefault() const { return false; }
  // Told to who deletes without saying what becomes of dependents; "": nothing.
  virtual std::string_view silentDeletionWarning() const { return {}; }
  // May an update create the object if it is absent (PUT)?
  virtual bool allowCreateOnUpdate() const { return false; }
  virtual bool allowUnconditionalUpdate() const { return true; }
};

// Keyed by "group/resource"; absent means the default Strategy.
struct Strategies {
  virtual ~Strategies() = default;
  virtual Strategy& of(const api::ResourceInfo& resource) = 0;
};

}  // namespace skiff::apiserver
