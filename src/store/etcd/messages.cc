#include "store/etcd/messages.h"

#include "base/strings.h"
#include "codec/wire.h"

namespace skiff::store::etcd {
namespace {

using codec::beginMessage;
using codec::endMessage;
using codec::WireReader;

void number(std::string& out, uint32_t field, int64_t value) {
  if (value != 0) codec::writeVarintField(out, field, static_cast<uint64_t>(value));
}
void flag(std::string& out, uint32_t field, bool value) { number(out, field, value ? 1 : 0); }
void text(std::string& out, uint32_t field, std::string_view value) {
  if (!value.empty()) codec::writeBytesField(out, field, value);
}

int64_t asNumber(const WireReader& reader) { return static_cast<int64_t>(reader.varint()); }

Error malformed(std::string_view what) { return internalError(concat("etcd: malformed ", what)); }

// Calls take(reader) for each field.
template <class Take>
bool read(std::string_view bytes, Take take) {
  WireReader reader(bytes);
  while (reader.next())
    if (!take(reader)) return false;
  return !reader.failed();
}

bool readKeyValue(std::string_view bytes, KeyValue& kv) {
  return read(bytes, [&](const WireReader& reader) {
    switch (reader.field()) {
      case 1: kv.key = reader.bytes(); break;
      case 2: kv.createRevision = asNumber(reader); break;
      case 3: kv.modRevision = asNumber(reader); break;
      case 4: kv.version = asNumber(reader); break;
      case 5: kv.value = reader.bytes(); break;
      case 6: kv.lease = asNumber(reader); break;
      default: break;
    }
    return true;
  });
}

bool readHeader(std::string_view bytes, int64_t& revision) {
  return read(bytes, [&](const WireReader& reader) {
    if (reader.field() == 3) revision = asNumber(reader);
    return true;
  });
}

bool readRange(std::string_view bytes, RangeResponse& range) {
  return read(bytes, [&](const WireReader& reader) {
    switch (reader.field()) {
      case 1: return readHeader(reader.bytes(), range.revision);
      case 2: return readKeyValue(reader.bytes(), range.kvs.emplace_back());
      case 3: range.more = reader.varint() != 0; break;
      default: break;
    }
    return true;
  });
}

bool readEvent(std::string_view bytes, WatchEvent& event) {
  return read(bytes, [&](const WireReader& reader) {
    if (reader.field() == 1) event.removed = reader.varint() == 1;
    return reader.field() != 2 || readKeyValue(reader.bytes(), event.kv);
  });
}

}  // namespace

std::string encode(const RangeRequest& request) {
  std::string out;
  text(out, 1, request.key);
  text(out, 2, request.end);
  number(out, 3, request.limit);
  number(out, 4, request.revision);
  flag(out, 9, request.countOnly);
  return out;
}

std::string encode(const TxnRequest& request) {
  std::string out;
  out.reserve(request.value.size() + 3 * request.key.size() + 64);
  if (request.expect != TxnRequest::Expect::Anything) {
    bool version = request.expect == TxnRequest::Expect::Version;
    size_t compare = beginMessage(out, 1);
    number(out, 2, version ? 0 : 2);  // the target; the comparison is EQUAL, which is 0
    text(out, 3, request.key);
    // A member of a oneof is written though it is 0.
    codec::writeVarintField(out, version ? 4 : 6, static_cast<uint64_t>(request.expected));
    endMessage(out, compare);
  }
  size_t success = beginMessage(out, 2);
  size_t operation = beginMessage(out, request.remove ? 3 : 2);
  text(out, 1, request.key);
  if (!request.remove) {
    text(out, 2, request.value);
    number(out, 3, request.lease);
  }
  endMessage(out, operation);
  endMessage(out, success);
  if (request.expect != TxnRequest::Expect::Anything) {
    size_t failure = beginMessage(out, 3);
    size_t range = beginMessage(out, 1);
    text(out, 1, request.key);
    endMessage(out, range);
    endMessage(out, failure);
  }
  return out;
}

std::string encode(const WatchRequest& request) {
  std::string out;
  size_t create = beginMessage(out, 1);
  text(out, 1, request.key);
  text(out, 2, request.end);
  number(out, 3, request.startRevision);
  flag(out, 4, true);  // progress_notify
  flag(out, 8, true);  // fragment: no message is larger than etcd's limit of a request
  endMessage(out, create);
  return out;
}

std::string encode(const LeaseGrantRequest& request) {
  std::string out;
  number(out, 1, request.seconds);
  return out;
}

std::string encodeProgressRequest() {
  std::string out;
  endMessage(out, beginMessage(out, 3));
  return out;
}

std::string encodeCompaction(int64_t revision) {
  std::string out;
  number(out, 1, revision);
  return out;
}

Result<RangeResponse> decodeRange(std::string_view bytes) {
  RangeResponse range;
  if (!readRange(bytes, range)) return malformed("RangeResponse");
  return range;
}

Result<TxnResponse> decodeTxn(std::string_view bytes) {
  TxnResponse txn;
  bool good = read(bytes, [&](const WireReader& reader) {
    switch (reader.field()) {
      case 1: return readHeader(reader.bytes(), txn.revision);
      case 2: txn.succeeded = reader.varint() != 0; return true;
      case 3:
        return read(reader.bytes(), [&](const WireReader& operation) {
          if (operation.field() == 3)
            return read(operation.bytes(), [&](const WireReader& removal) {
              if (removal.field() == 2) txn.removed = removal.varint() > 0;
              return true;
            });
          if (operation.field() != 1) return true;
          RangeResponse range;
          if (!readRange(operation.bytes(), range)) return false;
          txn.current = std::move(range.kvs);
          return true;
        });
      default: return true;
    }
  });
  if (!good) return malformed("TxnResponse");
  return txn;
}

Result<WatchResponse> decodeWatch(std::string_view bytes) {
  WatchResponse watch;
  bool good = read(bytes, [&](const WireReader& reader) {
    switch (reader.field()) {
      case 1: return readHeader(reader.bytes(), watch.revision);
      case 2: watch.watchId = asNumber(reader); break;
      case 3: watch.created = reader.varint() != 0; break;
      case 4: watch.canceled = reader.varint() != 0; break;
      case 5: watch.compactRevision = asNumber(reader); break;
      case 6: watch.cancelReason = reader.bytes(); break;
      case 7: watch.fragment = reader.varint() != 0; break;
      case 11: return readEvent(reader.bytes(), watch.events.emplace_back());
      default: break;
    }
    return true;
  });
  if (!good) return malformed("WatchResponse");
  return watch;
}

Result<std::string> decodeStatus(std::string_view bytes) {
  std::string version;
  bool good = read(bytes, [&](const WireReader& reader) {
    if (reader.field() == 2) version = reader.bytes();
    return true;
  });
  if (!good) return malformed("StatusResponse");
  return version;
}

Result<int64_t> decodeLeaseGrant(std::string_view bytes) {
  int64_t id = 0;
  bool good = read(bytes, [&](const WireReader& reader) {
    if (reader.field() == 2) id = asNumber(reader);
    return true;
  });
  if (!good || id == 0) return malformed("LeaseGrantResponse");
  return id;
}

}  // namespace skiff::store::etcd
