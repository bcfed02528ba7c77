// The blocks of equal size in a range of IPv4 addresses, and which are given away.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace skiff::controllers {

class CidrBlocks {
 public:
  // "10.244.0.0/16" in blocks of /24.
  static std::optional<CidrBlocks> parse(std::string_view cidr, int nodeBits);
  std::optional<std::string> take();  // the next free one after the last taken
  void occupy(const std::string& block) { used_.insert(block); }
  void release(const std::string& block) { used_.erase(block); }

 private:
  std::string at(uint32_t index) const;
  uint32_t base_ = 0, count_ = 0, next_ = 0;
  int nodeBits_ = 24;
  std::set<std::string> used_;
};

}  // namespace skiff::controllers
