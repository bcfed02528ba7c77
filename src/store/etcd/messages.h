// The messages of etcd's v3 API that this room uses, and their protobuf form (etcd's rpc.proto and kv.proto).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::store::etcd {

struct KeyValue {
  std::string key;
  std::string value;
  int64_t createRevision = 0, modRevision = 0;
  int64_t version = 0;  // writes since it was created
  int64_t lease = 0;
};

struct RangeRequest {
  std::string key, end;  // end "": this key alone
  int64_t limit = 0;     // 0: all
  int64_t revision = 0;  // 0: now, agreed on by a quorum
  bool countOnly = false;
};
struct RangeResponse {
  int64_t revision = 0;  // the newest one, whatever was asked for
  std::vector<KeyValue> kvs;
  bool more = false;
};

// The one form of transaction that is needed: if the key is as expected change it, else say what is there.
struct TxnRequest {
  enum class Expect { Anything, ModRevision, Version };
  std::string key;
  Expect expect = Expect::Anything;
  int64_t expected = 0;  // 0: the key does not exist
  bool remove = false;
  std::string_view value;
  int64_t lease = 0;
};
struct TxnResponse {
  int64_t revision = 0;
  bool succeeded = false;
  bool removed = false;  // there was something to remove
  std::vector<KeyValue> current;  // when it did not succeed: the key, if it exists
};

struct WatchRequest {
  std::string key, end;
  int64_t startRevision = 0;
};
struct WatchEvent {
  bool removed = false;
  KeyValue kv;  // of a removal only the key and its revision
};
struct WatchResponse {
  int64_t revision = 0;
  int64_t watchId = 0;
  bool created = false, canceled = false;
  int64_t compactRevision = 0;  // canceled, since older events than this are gone
  std::string cancelReason;
  bool fragment = false;  // more of the same revisions follow
  std::vector<WatchEvent> events;
  // Sent when asked for and now and then: all events up to `revision` have been sent before it.
  bool isProgress() const { return !created && !canceled && events.empty() && !fragment; }
};

struct LeaseGrantRequest {
  int64_t seconds = 0;
};

std::string encode(const RangeRequest& request);
std::string encode(const TxnRequest& request);
std::string encode(const WatchRequest& request);
std::string encode(const LeaseGrantRequest& request);
std::string encodeProgressRequest();
std::string encodeCompaction(int64_t revision);

Result<RangeResponse> decodeRange(std::string_view bytes);
Result<TxnResponse> decodeTxn(std::string_view bytes);
Result<WatchResponse> decodeWatch(std::string_view bytes);
Result<int64_t> decodeLeaseGrant(std::string_view bytes);  // the lease's id
Result<std::string> decodeStatus(std::string_view bytes);  // the member's version: "3.4.23"

}  // namespace skiff::store::etcd
