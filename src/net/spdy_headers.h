// SPDY/3.1 header blocks: name/value pairs, compressed with zlib and a fixed dictionary. One
// compressor and one decompressor a connection, whose blocks must keep their order.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace skiff::net::spdy {

class HeaderCodec {
 public:
  HeaderCodec();
  ~HeaderCodec();
  std::string encode(const Headers& headers);
  Result<Headers> decode(std::string_view block);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skiff::net::spdy
