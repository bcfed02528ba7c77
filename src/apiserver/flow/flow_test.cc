// The parts of priority and fairness by themselves, with a clock that stands still.
#include <doctest/doctest.h>

#include <deque>
#include <set>

#include "apiserver/flow/borrowing.h"
#include "apiserver/flow/classifier.h"
#include "apiserver/flow/priority_level.h"
#include "apiserver/flow/shuffle_shard.h"
#include "base/strings.h"
#include "codec/yaml.h"

using namespace skiff;
using namespace skiff::apiserver;
using namespace skiff::apiserver::flow;

namespace {

codec::DocumentPtr yaml(std::string_view text) {
  auto document = std::make_shared<codec::Document>();
  auto parsed = codec::parseYaml(text, document->arena);
  REQUIRE(parsed.ok());
  document->root = *parsed;
  return document;
}

// One level with the schemas that lead to it, and a list of what was let go on.
struct Bench {
  explicit Bench(LevelConfig config, Distinguisher by = Distinguisher::ByUser) {
    level = std::make_shared<PriorityLevel>(config, [this](UniqueFunction<void()> task) { tasks.push_back(std::move(task)); });
    auto schema = std::make_shared<FlowSchema>();
    schema->config.name = "s";
    schema->config.distinguisher = by;
    schema->level = level;
    schema->queues = config.queues;
    schema->handSize = config.handSize;
    schema->stats = std::make_shared<FlowStats>();
    classifier = std::make_unique<Classifier>(std::vector<FlowSchemaPtr>{schema});
    stats = schema->stats.get();
  }
  Flow flowOf(const std::string& user) {
    users.push_back({user, "", {}, {}});
    Flow flow;
    classifier->classify(users.back(), request, flow);
    return flow;
  }
  // A request that runs at once or waits; false when it is refused.
  bool send(const std::string& user, Seat& seat, int seats = 1) {
    Flow flow = flowOf(user);
    if (level->enter(seat, flow, nullptr, {.seats = seats}, now)) {
      running.push_back({user, &seat});
      return true;
    }
    return level->park(seat, flow, nullptr, {.seats = seats}, now, now + std::chrono::seconds(15), [this, user, at = &seat](Outcome outcome) {
      outcomes.push_back(outcome);
      if (outcome == Outcome::Seated) running.push_back({user, at});
    });
  }
  void settle() {
    while (!tasks.empty()) {
      auto task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }
  // The oldest running request ends after `took`.
  std::string finishOne(milliseconds took) {
    auto [user, seat] = running.front();
    running.pop_front();
    now += took;
    seat->release(now);
    settle();
    return user;
  }

  RequestInfo request;
  SteadyTime now{std::chrono::hours(1)};
  std::deque<UserInfo> users;
  std::shared_ptr<PriorityLevel> level;
  std::unique_ptr<Classifier> classifier;
  FlowStats* stats = nullptr;
  std::deque<UniqueFunction<void()>> tasks;
  std::deque<std::pair<std::string, Seat*>> running;
  std::vector<Outcome> outcomes;
};

LevelConfig queued(int queues, int hand, int length) {
  LevelConfig config;
  config.name = "l";
  config.queues = queues;
  config.handSize = hand;
  config.queueLengthLimit = length;
  return config;
}

}  // namespace

TEST_CASE("flow: a hand is of distinct queues, and other flows get others") {
  std::set<std::set<uint32_t>> hands;
  for (int i = 0; i < 200; ++i) {
    Hand hand = dealHand(fnv64a(concat("flow", i)), 64, 6);
    std::set<uint32_t> queues(hand.queues().begin(), hand.queues().end());
    CHECK(queues.size() == 6);
    CHECK(*queues.rbegin() < 64);
    hands.insert(queues);
  }
  CHECK(hands.size() == 200);
  Hand all = dealHand(12345, 4, 4);
  CHECK(std::set<uint32_t>(all.queues().begin(), all.queues().end()).size() == 4);
}

TEST_CASE("flow: the schema of the lowest precedence that matches is taken") {
  std::vector<codec::DocumentPtr> schemas{
      yaml("metadata: {name: wide}\nspec: {matchingPrecedence: 500, priorityLevelConfiguration: {name: l}, rules: [{subjects: [{kind: "
           "Group, group: {name: dev}}], resourceRules: [{verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*']}]}]}"),
      yaml("metadata: {name: logs}\nspec: {matchingPrecedence: 400, priorityLevelConfiguration: {name: l}, rules: [{subjects: [{kind: "
           "ServiceAccount, serviceAccount: {namespace: kube-system, name: '*'}}, {kind: User, user: {name: ann}}], resourceRules: "
           "[{verbs: [get], apiGroups: [''], resources: [pods/log], namespaces: [a]}], nonResourceRules: [{verbs: [get], "
           "nonResourceURLs: [/metrics, '/x/*']}]}]}")};
  FlowConfig config = readConfig({}, schemas);
  REQUIRE(config.schemas.size() == 4);
  CHECK(config.schemas[0].name == "exempt");
  CHECK(config.schemas[1].name == "logs");
  CHECK(config.schemas[3].name == "catch-all");
  CHECK(config.levels.size() == 2);
  std::vector<FlowSchemaPtr> made;
  for (auto& schema : config.schemas) {
    auto one = std::make_shared<FlowSchema>();
    one->config = schema;
    made.push_back(one);
  }
  Classifier classifier(made);
  UserInfo ann{"ann", "", {"dev", "system:authenticated"}, {}}, dns{"system:serviceaccount:kube-system:dns", "", {}, {}};
  UserInfo root{"root", "", {"dev", "system:masters"}, {}}, stranger{"x", "", {}, {}};
  auto schemaOf = [&](const UserInfo& user, RequestInfo info) {
    Flow flow;
    classifier.classify(user, info, flow);
    return flow.schema()->config.name;
  };
  RequestInfo log;
  log.isResource = true;
  log.verb = "get", log.resource = "pods", log.subresource = "log", log.ns = "a";
  CHECK(schemaOf(ann, log) == "logs");
  CHECK(schemaOf(ann, log) == "logs");
  CHECK(schemaOf(dns, log) == "logs");
  CHECK(schemaOf(root, log) == "exempt");
  CHECK(schemaOf(stranger, log) == "catch-all");
  log.ns = "b";
  CHECK(schemaOf(ann, log) == "wide");
  log.ns = "";  // the rule of `wide` is not for what lies in no namespace
  CHECK(schemaOf(ann, log) == "catch-all");
  RequestInfo path;
  path.verb = "get", path.path = "/x/y";
  CHECK(schemaOf(ann, path) == "logs");
  path.path = "/x";
  CHECK(schemaOf(ann, path) == "catch-all");
}

TEST_CASE("flow: what finds no seat waits, then is seated in turn; seats come back once") {
  Bench bench(queued(8, 2, 10));
  bench.level->setLimit(2, bench.now);
  std::deque<Seat> seats(4);
  for (Seat& seat : seats) CHECK(bench.send("a", seat));
  bench.settle();
  CHECK(bench.running.size() == 2);
  CHECK(bench.level->report().waiting == 2);
  Seat* first = bench.running.front().second;
  bench.finishOne(milliseconds(1));
  first->release(bench.now);  // a second time: nothing
  CHECK(bench.running.size() == 2);
  CHECK(bench.level->report().seats == 2);
  while (!bench.running.empty()) bench.finishOne(milliseconds(1));
  CHECK(bench.level->report().seats == 0);
  CHECK(bench.stats->dispatched == 4);
}

TEST_CASE("flow: a level without queues refuses, a full queue refuses, a deadline ends the waiting") {
  Bench none(queued(0, 0, 0));
  none.level->setLimit(1, none.now);
  std::deque<Seat> seats(6);
  CHECK(none.send("a", seats[0]));
  CHECK_FALSE(none.send("a", seats[1]));
  CHECK(none.stats->noSeat == 1);

  Bench bench(queued(1, 1, 2));
  bench.level->setLimit(1, bench.now);
  CHECK(bench.send("a", seats[2]));
  CHECK(bench.send("a", seats[3]));
  CHECK(bench.send("a", seats[4]));
  CHECK_FALSE(bench.send("a", seats[5]));
  CHECK(bench.stats->queueFull == 1);
  bench.now += std::chrono::seconds(14);
  CHECK(bench.level->sweep(bench.now, [](const Exchange&) { return false; }));
  bench.now += std::chrono::seconds(1);
  CHECK_FALSE(bench.level->sweep(bench.now, [](const Exchange&) { return false; }));
  bench.settle();
  CHECK(bench.outcomes == std::vector{Outcome::TimedOut, Outcome::TimedOut});
  CHECK(bench.level->report().timedOut == 2);
  bench.finishOne(milliseconds(1));
  none.finishOne(milliseconds(1));
}

TEST_CASE("flow: two flows share seats by time, not by the number of their requests") {
  Bench bench(queued(64, 1, 1000));
  bench.level->setLimit(4, bench.now);
  std::deque<Seat> seats(1200);
  // `many` sends ten times as many requests, and each takes three times as long.
  size_t at = 0;
  for (int i = 0; i < 1000; ++i) REQUIRE(bench.send("many", seats[at++]));
  for (int i = 0; i < 100; ++i) REQUIRE(bench.send("few", seats[at++]));
  bench.settle();
  REQUIRE(bench.level->report().activeQueues == 2);
  double many = 0, few = 0;
  int fewLeft = 100;
  while (fewLeft > 0) {
    bool isMany = bench.running.front().first == "many";
    double took = isMany ? 0.030 : 0.010;
    bench.finishOne(milliseconds(isMany ? 30 : 10));
    (isMany ? many : few) += took;
    fewLeft -= !isMany;
  }
  // While both had work, neither got more than a little over half of the seat-seconds.
  CHECK(many / few > 0.7);
  CHECK(many / few < 2.0);  // first come first served would be 30
  while (!bench.running.empty()) bench.finishOne(milliseconds(1));
}

TEST_CASE("flow: a wide request waits for its seats and is let into an empty level") {
  Bench bench(queued(4, 1, 10));
  bench.level->setLimit(4, bench.now);
  std::deque<Seat> seats(4);
  CHECK(bench.send("a", seats[0], 3));
  CHECK(bench.send("a", seats[1], 10));
  CHECK(bench.send("a", seats[2], 1));  // behind the wide one
  bench.settle();
  CHECK(bench.running.size() == 1);
  bench.finishOne(milliseconds(5));
  CHECK(bench.running.size() == 1);
  CHECK(bench.level->report().seats == 10);
  bench.finishOne(milliseconds(5));
  bench.finishOne(milliseconds(5));
  CHECK(bench.level->report().executing == 0);
}

TEST_CASE("flow: requests that wait survive a change of their level's queues") {
  Bench bench(queued(8, 1, 10));
  bench.level->setLimit(1, bench.now);
  std::deque<Seat> seats(5);
  for (size_t i = 0; i < 5; ++i) CHECK(bench.send(concat("user", i), seats[i]));
  bench.level->configure(queued(2, 1, 10));
  CHECK(bench.level->report().waiting == 4);
  bench.level->configure(queued(0, 0, 0));
  CHECK(bench.level->report().waiting == 4);
  while (!bench.running.empty()) bench.finishOne(milliseconds(1));
  CHECK(bench.stats->dispatched == 5);
  CHECK(bench.level->report().waiting == 0);
}

TEST_CASE("flow: stopping ends all waiting") {
  Bench bench(queued(2, 1, 10));
  bench.level->setLimit(1, bench.now);
  std::deque<Seat> seats(3);
  for (Seat& seat : seats) CHECK(bench.send("a", seat));
  bench.level->stop();
  bench.settle();
  CHECK(bench.outcomes == std::vector{Outcome::Cancelled, Outcome::Cancelled});
  bench.finishOne(milliseconds(1));
}

TEST_CASE("flow: idle levels lend, up to what they may, and take back") {
  std::vector<LevelConfig> configs{{.name = "exempt", .uid = "", .exempt = true},
                                   {.name = "a", .uid = "", .shares = 30, .lendablePercent = 50},
                                   {.name = "b", .uid = "", .shares = 10, .lendablePercent = 0, .borrowingLimitPercent = 100},
                                   {.name = "c", .uid = "", .shares = 60, .lendablePercent = 90}};
  auto seats = nominalSeats(configs, 600);
  CHECK(seats[1].nominal == 180);
  CHECK(seats[1].lower == 90);
  CHECK(seats[2].upper == 120);
  CHECK(seats[3].upper == 960);
  for (LevelSeats& level : seats) smoothDemand(level, {});
  smoothDemand(seats[3], {.average = 550, .deviation = 10, .high = 600});
  shareSeats(seats, 600);
  CHECK(seats[1].current >= 90);
  CHECK(seats[3].current > 360);
  CHECK(seats[1].current + seats[2].current + seats[3].current == doctest::Approx(600).epsilon(0.01));
  // Demand everywhere: everybody has their own again.
  for (size_t i = 1; i < seats.size(); ++i) smoothDemand(seats[i], {.average = 900, .deviation = 0, .high = 900});
  shareSeats(seats, 600);
  CHECK(seats[1].current >= 180);
  CHECK(seats[2].current >= 60);
  CHECK(seats[3].current >= 360);
}

TEST_CASE("flow: demand is averaged over time") {
  SteadyTime start{std::chrono::hours(1)};
  SeatDemand demand;
  demand.change(start, 0);
  demand.change(start + std::chrono::seconds(5), 10);
  auto period = demand.finish(start + std::chrono::seconds(10));
  CHECK(period.average == doctest::Approx(5));
  CHECK(period.deviation == doctest::Approx(5));
  CHECK(period.high == 10);
  CHECK(demand.finish(start + std::chrono::seconds(20)).average == doctest::Approx(10));
}
