// An etcd in memory, with faults: for tests.
#pragma once
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "store/etcd/api.h"

namespace skiff::store::etcd {

class FakeEtcd {
 public:
  enum class Fault {
    LoseRequest,  // the transaction is not done, and the caller cannot know
    LoseAnswer,   // it is done, and the caller cannot know
    Refuse,       // it is not done, and the caller knows
  };
  void failNextTxn(Fault fault) {
    std::lock_guard lock(mutex_);
    faults_.push_back(fault);
  }
  // Runs when a fault has struck, before the caller is told.
  void afterFault(UniqueFunction<void()> action) {
    std::lock_guard lock(mutex_);
    afterFault_ = std::move(action);
  }
  void setDown(bool down) {
    {
      std::lock_guard lock(mutex_);
      down_ = down;
    }
    changed_.notify_all();
  }
  void cutWatches() {
    {
      std::lock_guard lock(mutex_);
      ++watchEra_;
    }
    changed_.notify_all();
  }
  void sendFragments(bool on) {
    std::lock_guard lock(mutex_);
    fragments_ = on;
  }
  // As older members: a watch tells of progress before it has sent what happened before.
  void lieAboutProgress() {
    std::lock_guard lock(mutex_);
    lies_ = true;
  }
  // Watches first send what they have sent before, once more.
  void repeatOnWatch(int64_t revisions) {
    std::lock_guard lock(mutex_);
    repeat_ = revisions;
  }

  // As another client of the cluster.
  int64_t put(const std::string& key, std::string value) {
    std::lock_guard lock(mutex_);
    return putLocked(key, std::move(value), 0);
  }
  void putTogether(const std::vector<std::pair<std::string, std::string>>& writes) {
    {
      std::lock_guard lock(mutex_);
      ++revision_;
      for (const auto& [key, value] : writes) writeLocked(key, value, 0);
    }
    changed_.notify_all();
  }
  int64_t remove(const std::string& key) {
    std::lock_guard lock(mutex_);
    return removeLocked(key);
  }
  void compact(int64_t revision) {
    std::lock_guard lock(mutex_);
    compacted_ = revision;
    std::erase_if(history_, [&](const auto& item) { return item.first < revision; });
  }

  int64_t revision() const {
    std::lock_guard lock(mutex_);
    return revision_;
  }
  int64_t compacted() const {
    std::lock_guard lock(mutex_);
    return compacted_;
  }
  std::optional<KeyValue> get(const std::string& key) const {
    std::lock_guard lock(mutex_);
    auto found = keys_.find(key);
    return found == keys_.end() ? std::nullopt : std::optional(found->second);
  }
  int leases() const {
    std::lock_guard lock(mutex_);
    return leases_;
  }
  int watches() const {
    std::lock_guard lock(mutex_);
    return watches_;
  }
  std::unique_ptr<Api> connect() { return std::make_unique<Client>(*this); }

 private:
  class Watch final : public WatchStream {
   public:
    Watch(FakeEtcd& etcd, WatchRequest request) : etcd_(etcd), request_(std::move(request)) {
      std::lock_guard lock(etcd_.mutex_);
      era_ = etcd_.watchEra_;
      next_ = request_.startRevision - std::exchange(etcd_.repeat_, 0);
      ++etcd_.watches_;
    }
    Result<WatchResponse> next(milliseconds timeout) override {
      std::unique_lock lock(etcd_.mutex_);
      bool some = etcd_.changed_.wait_for(lock, timeout, [&] {
        return cancelled_ || era_ != etcd_.watchEra_ || etcd_.down_ || progress_ || !rest_.empty() || next_ <= etcd_.revision_;
      });
      if (cancelled_ || era_ != etcd_.watchEra_ || etcd_.down_) return Error(Reason::ServiceUnavailable, "the stream is lost");
      if (!some) return Error(Reason::Timeout, "nothing yet");
      WatchResponse response{.revision = etcd_.revision_};
      if (etcd_.lies_ && !std::exchange(lied_, true)) return response;
      if (!rest_.empty()) {
        response.events.swap(rest_);
        return response;
      }
      if (next_ <= etcd_.compacted_ && next_ <= etcd_.revision_) {
        response.canceled = true;
        response.compactRevision = etcd_.compacted_;
        return response;
      }
      for (auto item = etcd_.history_.lower_bound(next_); item != etcd_.history_.end(); ++item) {
        const std::string& key = item->second.kv.key;
        if (key >= request_.key && (request_.end.empty() ? key == request_.key : key < request_.end))
          response.events.push_back(item->second);
      }
      next_ = etcd_.revision_ + 1;
      if (response.events.empty()) {
        if (std::exchange(progress_, false)) return response;
        return Error(Reason::Timeout, "nothing of this range");
      }
      if (etcd_.fragments_ && response.events.size() > 1) {
        rest_.assign(response.events.begin() + 1, response.events.end());
        response.events.resize(1);
        response.fragment = true;
      }
      return response;
    }
    bool provesProgress() const override {
      std::lock_guard lock(etcd_.mutex_);
      return !etcd_.lies_;
    }
    void requestProgress() override {
      {
        std::lock_guard lock(etcd_.mutex_);
        progress_ = true;
      }
      etcd_.changed_.notify_all();
    }
    void cancel() override {
      {
        std::lock_guard lock(etcd_.mutex_);
        cancelled_ = true;
      }
      etcd_.changed_.notify_all();
    }

   private:
    FakeEtcd& etcd_;
    const WatchRequest request_;
    int era_ = 0;
    int64_t next_ = 0;
    bool progress_ = false, cancelled_ = false, lied_ = false;
    std::vector<WatchEvent> rest_;
  };

  class Client final : public Api {
   public:
    explicit Client(FakeEtcd& etcd) : etcd_(etcd) {}
    Result<RangeResponse> range(const RangeRequest& request, milliseconds) override {
      std::lock_guard lock(etcd_.mutex_);
      if (etcd_.down_) return Error(Reason::ServiceUnavailable, "etcd is down");
      RangeResponse response{.revision = etcd_.revision_};
      if (request.countOnly) return response;
      // Past states are not kept: pages are read without writes in between.
      auto item = etcd_.keys_.lower_bound(request.key);
      for (; item != etcd_.keys_.end(); ++item) {
        if (request.end.empty() ? item->first != request.key : item->first >= request.end) break;
        if (request.limit != 0 && static_cast<int64_t>(response.kvs.size()) == request.limit) {
          response.more = true;
          break;
        }
        response.kvs.push_back(item->second);
      }
      return response;
    }
    Result<TxnResponse> txn(const TxnRequest& request, milliseconds, Effect& effect) override {
      std::unique_lock lock(etcd_.mutex_);
      effect = Effect::None;
      if (etcd_.down_) return Error(Reason::ServiceUnavailable, "etcd is down");
      if (etcd_.faults_.empty()) return etcd_.txnLocked(request);
      Fault fault = etcd_.faults_.front();
      etcd_.faults_.pop_front();
      if (fault == Fault::Refuse) return Error(Reason::ServiceUnavailable, "database space exceeded");
      if (fault == Fault::LoseAnswer) (void)etcd_.txnLocked(request);
      effect = Effect::Unknown;
      auto action = std::exchange(etcd_.afterFault_, nullptr);
      lock.unlock();
      if (action) action();
      return Error(Reason::ServiceUnavailable, "the connection is lost");
    }
    Result<int64_t> grantLease(seconds, milliseconds) override {
      std::lock_guard lock(etcd_.mutex_);
      return ++etcd_.leases_;
    }
    Status compact(int64_t revision, milliseconds) override {
      etcd_.compact(revision);
      return okStatus();
    }
    Result<std::unique_ptr<WatchStream>> watch(const WatchRequest& request) override {
      return std::unique_ptr<WatchStream>(std::make_unique<Watch>(etcd_, request));
    }

   private:
    FakeEtcd& etcd_;
  };

  TxnResponse txnLocked(const TxnRequest& request) {
    auto found = keys_.find(request.key);
    bool there = found != keys_.end();
    int64_t modified = there ? found->second.modRevision : 0, version = there ? found->second.version : 0;
    bool holds = request.expect == TxnRequest::Expect::Anything ||
                 request.expected == (request.expect == TxnRequest::Expect::Version ? version : modified);
    TxnResponse response{.succeeded = holds};
    if (!holds) {
      if (there) response.current.push_back(found->second);
    } else if (request.remove) {
      response.removed = there;
      removeLocked(request.key);
    } else {
      putLocked(request.key, std::string(request.value), request.lease);
    }
    response.revision = revision_;
    return response;
  }
  void writeLocked(const std::string& key, std::string value, int64_t lease) {
    KeyValue& kv = keys_[key];
    if (kv.createRevision == 0) kv.createRevision = revision_;
    kv = {key, std::move(value), kv.createRevision, revision_, kv.version + 1, lease};
    history_.emplace(revision_, WatchEvent{false, kv});
  }
  int64_t putLocked(const std::string& key, std::string value, int64_t lease) {
    ++revision_;
    writeLocked(key, std::move(value), lease);
    changed_.notify_all();
    return revision_;
  }
  int64_t removeLocked(const std::string& key) {
    if (keys_.erase(key) == 0) return revision_;
    ++revision_;
    history_.emplace(revision_, WatchEvent{true, {.key = key, .modRevision = revision_}});
    changed_.notify_all();
    return revision_;
  }

  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  int64_t revision_ = 1, compacted_ = 0;
  std::map<std::string, KeyValue> keys_;
  std::multimap<int64_t, WatchEvent> history_;
  std::deque<Fault> faults_;
  UniqueFunction<void()> afterFault_;
  bool down_ = false, fragments_ = false, lies_ = false;
  int64_t repeat_ = 0;
  int watchEra_ = 0, leases_ = 0, watches_ = 0;
};

}  // namespace skiff::store::etcd
