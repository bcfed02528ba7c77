// /healthz, /livez and /readyz with their single checks, /version, and the index of paths.
#pragma once
#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/exchange.h"
#include "store/store.h"

namespace skiff::apiserver {

bool isHealthPath(std::string_view path);

class Health {
 public:
  // `keyServices`: of encryption at rest; empty when there is none.
  Health(const store::Store& store, std::function<Status()> keyServices) : store_(store), keyServices_(std::move(keyServices)) {}
  // `storeAnswers`: asked just now, where it is another process.
  void serve(Exchange& exchange, bool storeAnswers = true);
  void stopping() { stopping_ = true; }
  std::vector<std::string> paths() const;
  // Results of the single checks as metrics: /metrics/slis.
  std::string slis() const;

 private:
  static constexpr size_t kEndpointCount = 3, kMaxChecks = 8;
  struct Counts {
    std::atomic<uint64_t> success = 0, error = 0;
    std::atomic<bool> good = true;  // the last time
  };
  bool run(std::string_view endpoint, std::string_view check, bool storeAnswers);
  bool passes(std::string_view check, bool storeAnswers) const;
  std::vector<std::string_view> checksOf(std::string_view endpoint) const;
  const store::Store& store_;
  std::function<Status()> keyServices_;
  std::atomic<bool> stopping_ = false;
  std::array<std::array<Counts, kMaxChecks>, kEndpointCount> counts_;
};

void serveVersion(Exchange& exchange);

}  // namespace skiff::apiserver
