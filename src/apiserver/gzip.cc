#include "apiserver/gzip.h"

#include <zlib.h>

#include "base/result.h"

namespace skiff::apiserver {
namespace {

// The fastest level: a LIST is read once, on a network that is faster than any better level.
constexpr int kLevel = 1;
constexpr int kGzipWindowBits = 15 + 16;
constexpr size_t kPieceBytes = 64 * 1024;

class Deflater {
 public:
  Deflater() { MUST(deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK); }
  ~Deflater() { deflateEnd(&stream_); }

  void feed(std::string_view bytes, int flush) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = uInt(bytes.size());
    int result = Z_OK;
    do {
      buffer_.resize(kPieceBytes);
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data() + used_);
      stream_.avail_out = uInt(kPieceBytes - used_);
      result = deflate(&stream_, flush);
      used_ = kPieceBytes - stream_.avail_out;
      if (used_ == kPieceBytes) flushPiece();
    } while (flush == Z_FINISH ? result != Z_STREAM_END : stream_.avail_in > 0);
  }
  std::vector<SharedBytes> finish() {
    feed({}, Z_FINISH);
    if (used_ > 0) flushPiece();
    return std::move(pieces_);
  }

 private:
  void flushPiece() {
    buffer_.resize(used_);
    pieces_.emplace_back(std::move(buffer_));
    buffer_ = {};
    used_ = 0;
  }
  z_stream stream_{};
  std::string buffer_;
  size_t used_ = 0;
  std::vector<SharedBytes> pieces_;
};

}  // namespace

std::vector<SharedBytes> gzip(const std::vector<SharedBytes>& pieces) {
  Deflater deflater;
  // Pieces above 1 GiB do not occur: bodies and objects are limited far below.
  for (const SharedBytes& piece : pieces) deflater.feed(piece.view(), Z_NO_FLUSH);
  return deflater.finish();
}

}  // namespace skiff::apiserver
