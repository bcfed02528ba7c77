// The suites of golden_codec. Each prints what differs and counts.
#pragma once
#include <string>
#include <string_view>

namespace skiff::golden {

struct Tally {
  int passed = 0, failed = 0;
  std::string only;  // a case's name, or "" for all
  void pass() { ++passed; }
  void fail(std::string_view name, std::string_view what);
};

std::string readFile(const std::string& path);
// True when the case is asked for.
bool wanted(const Tally& tally, std::string_view name);

void runCodec(const std::string& facts, Tally& tally);
void runDefaults(const std::string& facts, Tally& tally);
void runTables(const std::string& facts, Tally& tally);
void runOpenApi(const std::string& facts, Tally& tally);

}  // namespace skiff::golden
