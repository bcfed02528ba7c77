#include "apiserver/profiling.h"

#include <doctest/doctest.h>

#include "apiserver/pprof.h"
#include "apiserver/test_server.h"
#include "codec/wire.h"

namespace skiff::apiserver {
namespace {

TEST_CASE("a profile is a message that pprof reads") {
  rt::Symbols symbols;
  uintptr_t code = symbols.mappings().at(0).start;
  std::map<rt::Stack, uint64_t> samples{{{code, code + 16}, 3}};
  std::string text = profileText("goroutine", samples, symbols);
  CHECK(text.starts_with("goroutine profile: total 3\n3 @ 0x"));
  auto pieces = encodeProfile(samples, {.values = {{"samples", "count", 1}, {"cpu", "nanoseconds", 10}}, .timeNanos = 5}, symbols);
  REQUIRE(!pieces.empty());
  CHECK(pieces[0].view().starts_with("\x1f\x8b"));
}

TEST_CASE("the debug endpoints answer as Go's") {
  TestServer server;
  auto index = server.call("GET", "/debug/pprof/");
  CHECK(index.status == 200);
  CHECK(index.body.find("goroutine") != std::string::npos);
  CHECK(server.call("GET", "/debug/pprof").status == 302);
  CHECK(server.call("GET", "/debug/pprof/heap").body == "Unknown profile\n");
  CHECK(server.call("GET", "/debug/pprof/cmdline").body.find("apiserver_test") != std::string::npos);
  auto threads = server.call("GET", "/debug/pprof/goroutine?debug=1");
  CHECK(threads.body.starts_with("goroutine profile: total "));
  auto profile = server.call("GET", "/debug/pprof/goroutine");
  CHECK(profile.headers.get("content-type") == "application/octet-stream");
  CHECK(server.call("GET", "/debug/pprof/profile?seconds=61").status == 400);
  CHECK(server.call("POST", "/debug/pprof/symbol", "0x1+0x2").body == "num_symbols: 1\n");
  CHECK(server.call("GET", "/debug/flags/v").status == 406);
  CHECK(server.call("PUT", "/debug/flags/v", "x").body == "strconv.ParseUint: parsing \"x\": invalid syntax\n");
}

}  // namespace
}  // namespace skiff::apiserver
