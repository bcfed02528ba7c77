// A peer that has said everything in advance: reads give the input in steps of a chosen size, then the end.
#pragma once
#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>

#include "net/http.h"

namespace skiff::fuzz {

class MemoryStream final : public net::ByteStream {
 public:
  // Reads wait until our side has written `awaited` (an answer comes after its question).
  MemoryStream(std::string_view input, size_t step, std::string awaited = {})
      : input_(input), step_(std::max<size_t>(step, 1)), awaited_(std::move(awaited)) {}

  Result<size_t> read(char* into, size_t capacity) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || awaited_.empty(); });
    if (closed_) return Error(Reason::ServiceUnavailable, "closed");
    size_t count = std::min({capacity, step_, input_.size()});
    std::memcpy(into, input_.data(), count);
    input_.remove_prefix(count);
    return count;
  }
  Status write(std::string_view bytes) override {
    std::lock_guard lock(mutex_);
    if (closed_) return Error(Reason::ServiceUnavailable, "closed");
    written_ += bytes.size();
    if (!awaited_.empty() && bytes.find(awaited_) != bytes.npos) awaited_.clear();
    changed_.notify_all();
    return okStatus();
  }
  void closeWrite() override {}
  void close() override {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;  // guards all
  std::condition_variable changed_;
  std::string_view input_;
  const size_t step_;
  std::string awaited_;
  size_t written_ = 0;
  bool closed_ = false;
};

inline std::string readAll(net::ByteStream& stream) {
  std::string all;
  char buffer[4096];
  for (;;) {
    auto count = stream.read(buffer, sizeof buffer);
    if (!count.ok() || *count == 0) return all;
    all.append(buffer, *count);
  }
}

}  // namespace skiff::fuzz
