// etcd's v3 API as this room calls it. The real one goes over gRPC (grpc_api.h); tests have one in memory.
#pragma once
#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "store/etcd/messages.h"

namespace skiff::store::etcd {

// One watch of a range of keys.
class WatchStream {
 public:
  virtual ~WatchStream() = default;
  // Reason::Timeout: nothing yet. Any other error: the stream is lost.
  virtual Result<WatchResponse> next(milliseconds timeout) = 0;
  // Whether this member's word of progress can be trusted. Older ones give it before they have sent all events
  // (fixed in 3.4.25 and 3.5.8).
  virtual bool provesProgress() const = 0;
  // From any thread.
  virtual void requestProgress() = 0;
  virtual void cancel() = 0;
};

// What is known of a call that failed.
enum class Effect {
  None,     // it had none: the server refused it, or never saw it
  Unknown,  // it may have been done, or may still be done later
};

// Thread safe. Every call has a deadline; those that only read are made again at other members until then.
class Api {
 public:
  virtual ~Api() = default;
  virtual Result<RangeResponse> range(const RangeRequest& request, milliseconds timeout) = 0;
  virtual Result<TxnResponse> txn(const TxnRequest& request, milliseconds timeout, Effect& effect) = 0;
  virtual Result<int64_t> grantLease(seconds timeToLive, milliseconds timeout) = 0;  // its id
  virtual Status compact(int64_t revision, milliseconds timeout) = 0;
  virtual Result<std::unique_ptr<WatchStream>> watch(const WatchRequest& request) = 0;
  // Whether the key's value would be encrypted otherwise now.
  virtual bool isStale([[maybe_unused]] std::string_view key) const { return false; }
};

}  // namespace skiff::store::etcd
