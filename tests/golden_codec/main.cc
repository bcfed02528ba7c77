#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/strings.h"
#include "suites.h"

namespace skiff::golden {

void Tally::fail(std::string_view name, std::string_view what) {
  ++failed;
  std::printf("FAIL %.*s: %.*s\n", int(name.size()), name.data(), int(what.size()), what.data());
}

std::string readFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

bool wanted(const Tally& tally, std::string_view name) {
  return tally.only.empty() || tally.only == name;
}

}  // namespace skiff::golden

int main(int argc, char** argv) {
  using namespace skiff::golden;
  if (argc < 2) {
    std::fprintf(stderr, "usage: golden_codec API_FACTS_DIR [case]\n");
    return 2;
  }
  struct Suite {
    const char* name;
    void (*run)(const std::string&, Tally&);
  };
  int failed = 0;
  for (const Suite& suite : {Suite{"codec", runCodec}, Suite{"defaults", runDefaults},
                             Suite{"tables", runTables}, Suite{"openapi", runOpenApi}}) {
    Tally tally{.only = argc > 2 ? argv[2] : ""};
    suite.run(argv[1], tally);
    std::printf("%s: %d passed, %d failed\n", suite.name, tally.passed, tally.failed);
    failed += tally.failed;
  }
  return failed == 0 ? 0 : 1;
}
