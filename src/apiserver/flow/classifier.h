// Which flow a request belongs to: the first FlowSchema that matches it, and the queues that its flow may wait in.
// The rules whose subjects a user is are found once per user; a request then asks only those. Immutable but for that cache:
// a new configuration makes a new classifier.
#pragma once
#include <array>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "apiserver/flow/config.h"
#include "apiserver/flow/flow_stats.h"
#include "apiserver/flow/shuffle_shard.h"
#include "apiserver/request.h"

namespace skiff::apiserver::flow {

class PriorityLevel;

// A FlowSchema in force with its level.
struct FlowSchema {
  SchemaConfig config;
  std::shared_ptr<PriorityLevel> level;
  std::string levelUid;
  int queues = 0, handSize = 0;
  std::shared_ptr<FlowStats> stats;  // outlives configurations
};
using FlowSchemaPtr = std::shared_ptr<const FlowSchema>;

// What classify() found: schema and hand live as long as the view that is held here.
class Flow {
 public:
  const FlowSchemaPtr& schema() const { return *schema_; }
  const Hand& hand() const { return shared_ ? *shared_ : own_; }
  std::string_view distinguisher() const { return distinguisher_; }

 private:
  friend class Classifier;
  std::shared_ptr<const void> keep_;
  const FlowSchemaPtr* schema_ = nullptr;
  const Hand* shared_ = nullptr;
  Hand own_;
  std::string_view distinguisher_;  // points into the user or the request
};

class Classifier {
 public:
  // In the order in which they are asked. The last is what everybody falls to whom none matches.
  explicit Classifier(std::vector<FlowSchemaPtr> schemas);
  void classify(const UserInfo& user, const RequestInfo& request, Flow& flow) const;
  const std::vector<FlowSchemaPtr>& schemas() const { return schemas_; }

 private:
  struct Candidate {
    const FlowSchemaPtr* schema;
    const PolicyRule* rule;
    Hand hand;  // but for flows by namespace
  };
  struct View {
    std::string name;
    std::vector<std::string> groups;
    std::vector<Candidate> candidates;
  };
  using ViewPtr = std::shared_ptr<const View>;
  // Bounded: the users of a cluster are few, and a view is made in microseconds.
  static constexpr size_t kShards = 16, kMaxViews = 512;
  struct Shard {
    std::mutex mutex;  // guards views
    std::unordered_map<size_t, ViewPtr> views;
  };

  ViewPtr viewOf(const UserInfo& user) const;
  ViewPtr makeView(const UserInfo& user) const;

  std::vector<FlowSchemaPtr> schemas_;
  PolicyRule everything_;
  mutable std::array<Shard, kShards> shards_;
};

// Exposed for tests.
bool isSubject(const Subject& subject, const UserInfo& user);
bool matches(const PolicyRule& rule, const RequestInfo& request);

}  // namespace skiff::apiserver::flow
