// /healthz, /livez and /readyz with their single checks, /version, and the index of paths.
#pragma once
#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/exchange.h"
#include "store/store.h"

namespace skiff::apiserver {

bool isHealthPath(std::string_view path);

class Health {
 public:
  explicit Health(const store::Store& store) : store_(store) {}
  // `storeAnswers`: asked just now, where it is another process.
  void serve(Exchange& exchange, bool storeAnswers = true);
  void stopping() { stopping_ = true; }
  static std::vector<std::string> paths();

 private:
  bool passes(std::string_view check, bool storeAnswers) const;
  const store::Store& store_;
  std::atomic<bool> stopping_ = false;
};

void serveVersion(Exchange& exchange);

}  // namespace skiff::apiserver
