#include "base/subprocess.h"

#include <doctest/doctest.h>

using namespace skiff;

TEST_CASE("a process gets its input and gives its output, errors and exit code") {
  std::string big(300000, 'x');
  auto echoed = runProcess({"cat"}, big, std::chrono::seconds(10));
  REQUIRE(echoed.ok());
  CHECK(echoed->output == big);
  auto failed = runProcess({"sh", "-c", "echo oops >&2; exit 3"}, "", std::chrono::seconds(10));
  REQUIRE(failed.ok());
  CHECK(failed->exitCode == 3);
  CHECK(failed->errors == "oops\n");
}

TEST_CASE("a missing program and a hanging one are errors") {
  CHECK(runProcess({"no-such-program-here"}, "", std::chrono::seconds(1)).failedWith(Reason::NotFound));
  CHECK(runProcess({"sleep", "60"}, "", std::chrono::milliseconds(50)).failedWith(Reason::Timeout));
}
