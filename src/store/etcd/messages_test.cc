#include "store/etcd/messages.h"

#include <doctest/doctest.h>

#include "base/strings.h"
#include "codec/wire.h"

using namespace skiff;
using namespace skiff::store::etcd;

// Field numbers and wire types are those of rpc.proto.
TEST_CASE("requests are written as etcd reads them") {
  CHECK(hexEncode(encode(RangeRequest{.key = "a", .end = "b", .limit = 5, .revision = 7, .countOnly = true})) ==
        "0a01611201621805200748" "01");
  CHECK(hexEncode(encode(TxnRequest{.key = "k", .expect = TxnRequest::Expect::ModRevision, .expected = 0, .value = "v"})) ==
        "0a07" "1002" "1a016b" "3000" "1208" "1206" "0a016b" "120176" "1a05" "0a03" "0a016b");
  CHECK(hexEncode(encode(TxnRequest{.key = "k", .remove = true})) == "12051a030a016b");
  CHECK(hexEncode(encode(WatchRequest{.key = "a", .end = "b", .startRevision = 3})) == "0a0c0a0161120162180320014001");
  CHECK(hexEncode(encodeProgressRequest()) == "1a00");
}

TEST_CASE("answers are read, and broken ones refused") {
  std::string kv, header, event, response;
  codec::writeBytesField(kv, 1, "k");
  codec::writeVarintField(kv, 3, 9);
  codec::writeVarintField(event, 1, 1);
  codec::writeBytesField(event, 2, kv);
  codec::writeVarintField(header, 3, 12);
  codec::writeBytesField(response, 1, header);
  codec::writeVarintField(response, 7, 1);
  codec::writeBytesField(response, 11, event);
  auto watch = decodeWatch(response);
  REQUIRE(watch.ok());
  CHECK(watch->revision == 12);
  CHECK(watch->fragment);
  REQUIRE(watch->events.size() == 1);
  CHECK(watch->events[0].removed);
  CHECK(watch->events[0].kv.key == "k");
  CHECK(watch->events[0].kv.modRevision == 9);
  CHECK_FALSE(decodeWatch(response.substr(0, response.size() - 1)).ok());
  CHECK_FALSE(decodeLeaseGrant("").ok());
  CHECK_FALSE(decodeTxn("\x1a\x05").ok());
}
