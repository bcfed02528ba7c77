// From a packet to its answer: checks the question, asks the zone, else the upstream resolvers.
#pragma once
#include <string>
#include <string_view>

#include "base/unique_function.h"
#include "dns/forwarder.h"
#include "dns/zone.h"
#include "rt/executor.h"

namespace skiff::dns {

class Responder {
 public:
  enum class Carrier { Udp, Tcp };
  // Empty: no answer at all.
  using Reply = UniqueFunction<void(std::string packet)>;

  // `workers` runs what has to ask upstream; it is stopped before this is destroyed.
  Responder(const Zone& zone, const Cluster& cluster, Resolver& upstream, rt::Executor& workers)
      : zone_(zone), cluster_(cluster), upstream_(upstream), workers_(workers) {}

  // Never blocks. Replies at once for the cluster's names, from a worker for others; exactly once either way.
  void handle(std::string_view packet, Carrier carrier, Reply reply) const;

 private:
  struct Query {
    Message request;
    Carrier carrier;
  };
  void answerLocal(const Query& query, Answer answer, Reply reply) const;
  void forward(Query query, Reply reply) const;
  void chase(Query query, Answer answer, Reply reply) const;
  bool offload(UniqueFunction<void()> task) const { return workers_.submit(std::move(task)); }

  const Zone& zone_;
  const Cluster& cluster_;
  Resolver& upstream_;
  rt::Executor& workers_;
};

}  // namespace skiff::dns
