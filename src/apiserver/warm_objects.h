// Which objects have a decoded form that the store holds on to, so that it can let go of it: what nobody has asked for in
// a while is bytes again. A thread that sleeps for good while nothing is warm.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "rt/executor.h"
#include "rt/parker.h"

namespace skiff::apiserver {

class Coolable {
 public:
  virtual ~Coolable() = default;
  // True: it was asked for since the last call, and stays warm. False: it has let go of all that can be made again.
  virtual bool coolUnlessUsed() const = 0;
};

class WarmObjects {
 public:
  explicit WarmObjects(std::chrono::milliseconds period = std::chrono::seconds(5));
  ~WarmObjects();
  void add(std::weak_ptr<const Coolable> object);  // once each time it becomes warm

 private:
  enum class Word { Work, Stop };
  void run();
  void coolOnce();

  const std::chrono::milliseconds period_;
  std::mutex mutex_;  // guards the two below
  std::vector<std::weak_ptr<const Coolable>> objects_;
  bool asleep_ = true;
  rt::Parker<Word> wake_;
  rt::Thread thread_;
};

}  // namespace skiff::apiserver
