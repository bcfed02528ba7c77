// Watches: every one is a cursor into the store's window and an output with a high-water mark, all driven by one loop thread.
// An event's frame is encoded once per form and shared by all who get it.
#pragma once
#include <memory>

#include "apiserver/exchange.h"
#include "apiserver/list_options.h"
#include "apiserver/registry.h"
#include "rt/executor.h"

namespace skiff::apiserver {

class WatchHub {
 public:
  // Objects of resources with a conversion webhook are converted on `converters` before the loop sends them.
  static std::unique_ptr<WatchHub> create(const Registry& registry, rt::Executor& converters);
  virtual ~WatchHub() = default;
  // From any thread. `exchange` is answered, now or as events come.
  virtual void start(ExchangePtr exchange, ListOptions options) = 0;
  virtual void stop() = 0;  // ends all watches
  virtual size_t count() const = 0;
};

}  // namespace skiff::apiserver
