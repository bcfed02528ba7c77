// /openapi/v2 and /openapi/v3: the documents of api/openapi.h for what is served now. They are made when they are asked for, on
// a worker; clients keep them by their hash.
#pragma once
#include <string>
#include <vector>

#include "api/openapi.h"
#include "apiserver/aggregation/aggregator.h"
#include "apiserver/exchange.h"
#include "apiserver/resource_map.h"
#include "rt/executor.h"

namespace skiff::apiserver {

class OpenApiEndpoint {
 public:
  OpenApiEndpoint(const Resources& resources, Aggregator& aggregator, rt::Executor& workers)
      : resources_(resources), aggregator_(aggregator), workers_(workers) {}
  // True when the path is one of these; it is answered then, now or later.
  bool serve(const ExchangePtr& exchange);

 private:
  void serveV2(Exchange& exchange, std::string_view form);
  void serveIndex(Exchange& exchange);
  void serveV3(Exchange& exchange, const std::string& name);

  const Resources& resources_;
  Aggregator& aggregator_;
  rt::Executor& workers_;
};

}  // namespace skiff::apiserver
