#include "base/flags.h"

#include <doctest/doctest.h>

using namespace skiff;

namespace {
struct Sample {
  std::string ns = "default";
  bool tty = false, stdinOn = false;
  int tail = -1;
  std::vector<std::string> names;
  Flags flags;
  Sample() {
    flags.text("namespace", &ns, "namespace", 'n')
        .boolean("tty", &tty, "tty", 't')
        .boolean("stdin", &stdinOn, "stdin", 'i')
        .integer("tail", &tail, "tail")
        .list("names", &names, "names");
  }
};
}  // namespace

TEST_CASE("flags and arguments may be mixed, in all of pflag's forms") {
  Sample s;
  auto rest = s.flags.parse({"exec", "-it", "pod", "-nkube-system", "--tail=5", "--names", "a,b", "--names=c"});
  REQUIRE(rest.ok());
  CHECK(*rest == std::vector<std::string>{"exec", "pod"});
  CHECK(s.tty);
  CHECK(s.stdinOn);
  CHECK(s.ns == "kube-system");
  CHECK(s.tail == 5);
  CHECK(s.names == std::vector<std::string>{"a", "b", "c"});
  CHECK(s.flags.changed("tail"));
}

TEST_CASE("a double dash ends the flags") {
  Sample s;
  auto rest = s.flags.parse({"pod", "--", "ls", "-l"});
  REQUIRE(rest.ok());
  CHECK(*rest == std::vector<std::string>{"pod", "ls", "-l"});
  CHECK(s.flags.dashAt() == 1);
}

TEST_CASE("errors are in pflag's words") {
  CHECK(Sample().flags.parse({"--nope"}).error().message() == "unknown flag: --nope");
  CHECK(Sample().flags.parse({"--tail"}).error().message() == "flag needs an argument: --tail");
  CHECK(Sample().flags.parse({"-z"}).error().message() == "unknown shorthand flag: 'z' in -z");
  CHECK_FALSE(Sample().flags.parse({"--tail=x"}).ok());
}

TEST_CASE("values are as given, or the default") {
  std::string text = "x";
  int number = 1;
  bool on = false;
  Flags flags;
  flags.text("text", &text, "").integer("number", &number, "").boolean("on", &on, "");
  REQUIRE(flags.parse({"--number", "5", "--on"}).ok());
  auto values = flags.values();
  REQUIRE(values.size() == 3);
  CHECK(values[0] == std::pair<std::string, std::string>("number", "5"));
  CHECK(values[1] == std::pair<std::string, std::string>("on", "true"));
  CHECK(values[2] == std::pair<std::string, std::string>("text", "x"));
}
