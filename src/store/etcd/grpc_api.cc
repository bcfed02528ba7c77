#include "store/etcd/grpc_api.h"

#include <atomic>

#include "base/strings.h"
#include "net/grpc.h"

namespace skiff::store::etcd {
namespace {

// Members that are tried in turn before a read gives up waiting for the first to come back.
constexpr milliseconds kReadAttempt{3000};

// A member that knows no leader refuses at once instead of letting the call run into its deadline.
net::Headers requireLeader() {
  net::Headers metadata;
  metadata.add("hasleader", "true");
  return metadata;
}

bool isNoLeader(const Error& error) { return error.message().ends_with("desc = etcdserver: no leader"); }

// Whether the server said no, rather than not knowing what became of the call.
bool isRefusal(const Error& error) {
  switch (error.reason()) {
    case Reason::BadRequest:
    case Reason::NotFound:
    case Reason::Forbidden:
    case Reason::TooManyRequests:
    case Reason::Conflict:
    case Reason::Expired:
    case Reason::MethodNotAllowed:
    case Reason::Unauthorized: return true;
    default: return isNoLeader(error);
  }
}

// What a client of the API is to see.
Error told(Error error) {
  std::string message = concat("etcd: ", error.message());
  if (error.message().find("request is too large") != std::string::npos)
    return {Reason::RequestEntityTooLarge, std::move(message)};
  if (error.message().find("database space exceeded") != std::string::npos)
    return {Reason::ServiceUnavailable, std::move(message)};
  switch (error.reason()) {
    case Reason::Timeout:
    case Reason::Expired:
    case Reason::NotFound:
    case Reason::TooManyRequests: return {error.reason(), std::move(message)};
    case Reason::ServiceUnavailable: return {Reason::ServiceUnavailable, std::move(message)};
    default: return internalError(std::move(message));
  }
}

// https://etcd.io/docs: the order of progress and events is kept since 3.4.25 and 3.5.8.
bool ordersProgress(std::string_view version) {
  auto parts = split(version, '.');
  if (parts.size() < 3) return false;
  auto number = [&](size_t i) { return parseUint(parts[i].substr(0, parts[i].find('-'))).value_or(0); };
  if (number(0) != 3) return number(0) > 3;
  if (number(1) == 4) return number(2) >= 25;
  if (number(1) == 5) return number(2) >= 8;
  return number(1) > 5;
}

class GrpcWatch final : public WatchStream {
 public:
  GrpcWatch(std::unique_ptr<net::GrpcStream> stream, bool provesProgress)
      : stream_(std::move(stream)), provesProgress_(provesProgress) {}
  bool provesProgress() const override { return provesProgress_; }
  Result<WatchResponse> next(milliseconds timeout) override {
    auto message = stream_->next(timeout);
    if (!message.ok()) {
      if (!stream_->ended()) return Error(Reason::Timeout, "nothing yet");
      return Error(Reason::ServiceUnavailable, message.error().message());
    }
    if (message->empty() && stream_->ended()) return Error(Reason::ServiceUnavailable, "the watch has ended");
    return decodeWatch(*message);
  }
  void requestProgress() override { stream_->send(encodeProgressRequest()); }
  void cancel() override { stream_->cancel(); }

 private:
  const std::unique_ptr<net::GrpcStream> stream_;
  const bool provesProgress_;
};

class GrpcApi final : public Api {
 public:
  explicit GrpcApi(std::vector<net::Endpoint> members) {
    for (net::Endpoint& member : members)
      channels_.push_back(net::GrpcChannel::create(std::move(member), requireLeader()));
  }

  Result<RangeResponse> range(const RangeRequest& request, milliseconds timeout) override {
    return decodeRange(TRY(read("/etcdserverpb.KV/Range", encode(request), timeout)));
  }

  Result<TxnResponse> txn(const TxnRequest& request, milliseconds timeout, Effect& effect) override {
    effect = Effect::None;
    return decodeTxn(TRY(write("/etcdserverpb.KV/Txn", encode(request), timeout, effect)));
  }

  // Made twice, it leaves a lease that nothing hangs on.
  Result<int64_t> grantLease(seconds timeToLive, milliseconds timeout) override {
    LeaseGrantRequest request{timeToLive.count()};
    return decodeLeaseGrant(TRY(read("/etcdserverpb.Lease/LeaseGrant", encode(request), timeout)));
  }

  Status compact(int64_t revision, milliseconds timeout) override {
    TRY(read("/etcdserverpb.KV/Compact", encodeCompaction(revision), timeout));
    return okStatus();
  }

  Result<std::unique_ptr<WatchStream>> watch(const WatchRequest& request) override {
    size_t member = preferred_;
    auto version = versionOf(member);
    if (!version.ok()) {
      leave(member);
      return told(std::move(version).error());
    }
    auto opened = channels_[member]->bidirectional("/etcdserverpb.Watch/Watch");
    if (!opened.ok()) {
      leave(member);
      return told(std::move(opened).error());
    }
    (*opened)->send(encode(request));
    return std::unique_ptr<WatchStream>(std::make_unique<LeavingWatch>(*this, member, std::move(*opened), ordersProgress(*version)));
  }

 private:
  // A watch that ends with an error moves everybody on to the next member.
  class LeavingWatch final : public WatchStream {
   public:
    LeavingWatch(GrpcApi& api, size_t member, std::unique_ptr<net::GrpcStream> stream, bool provesProgress)
        : api_(api), member_(member), watch_(std::move(stream), provesProgress) {}
    bool provesProgress() const override { return watch_.provesProgress(); }
    Result<WatchResponse> next(milliseconds timeout) override {
      auto response = watch_.next(timeout);
      if (!response.ok() && !response.failedWith(Reason::Timeout)) api_.leave(member_);
      return response;
    }
    void requestProgress() override { watch_.requestProgress(); }
    void cancel() override { watch_.cancel(); }

   private:
    GrpcApi& api_;
    const size_t member_;
    GrpcWatch watch_;
  };

  // Asked each time: a member may have been replaced by a newer one.
  Result<std::string> versionOf(size_t member) {
    return decodeStatus(TRY(channels_[member]->call("/etcdserverpb.Maintenance/Status", "", kReadAttempt)));
  }

  // The next member is asked first from now on, unless another caller has seen to that.
  void leave(size_t member) {
    size_t expected = member;
    preferred_.compare_exchange_strong(expected, (member + 1) % channels_.size());
  }

  // Each member once, and again from the first while there is time; a refusal is an answer.
  Result<std::string> read(std::string_view path, const std::string& message, milliseconds timeout) {
    SteadyTime deadline = Clock::real().steadyNow() + timeout;
    for (size_t attempt = 1;; ++attempt) {
      size_t member = preferred_;
      milliseconds left = std::chrono::ceil<milliseconds>(deadline - Clock::real().steadyNow());
      auto answer = channels_[member]->call(path, message, std::min(left, kReadAttempt));
      if (answer.ok()) return answer;
      if (isRefusal(answer.error()) && !isNoLeader(answer.error())) return told(std::move(answer).error());
      leave(member);
      bool all = attempt >= channels_.size();
      if (all || Clock::real().steadyNow() >= deadline) return told(std::move(answer).error());
    }
  }

  // One attempt that may have an effect; members that surely did nothing are passed by.
  Result<std::string> write(std::string_view path, const std::string& message, milliseconds timeout, Effect& effect) {
    for (size_t attempt = 1;; ++attempt) {
      size_t member = preferred_;
      bool untouched = false;
      auto answer = channels_[member]->call(path, message, timeout, &untouched);
      if (answer.ok()) return answer;
      untouched = untouched || isRefusal(answer.error());
      bool another = untouched && (!isRefusal(answer.error()) || isNoLeader(answer.error()));
      if (!untouched || another) leave(member);
      if (another && attempt < channels_.size()) continue;
      effect = untouched ? Effect::None : Effect::Unknown;
      return told(std::move(answer).error());
    }
  }

  std::vector<std::unique_ptr<net::GrpcChannel>> channels_;  // one a member
  std::atomic<size_t> preferred_ = 0;
};

}  // namespace

std::unique_ptr<Api> makeGrpcApi(std::vector<net::Endpoint> members) {
  return std::make_unique<GrpcApi>(std::move(members));
}

}  // namespace skiff::store::etcd
