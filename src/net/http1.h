// HTTP/1.1 message syntax (RFC 9112), both directions: heads and chunked bodies. No sockets.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace skiff::net::http1 {

enum class Parse { Done, NeedMore, Bad };

struct RequestHead {
  std::string method, target;
  int minorVersion = 1;
  Headers headers;
};
struct ResponseHead {
  int status = 0;
  int minorVersion = 1;
  Headers headers;
};

// Looks for a whole head at the start of `bytes`; *consumed counts it with its empty line. Strict:
// CRLF only, no folded lines, no space before the colon.
Parse parseRequestHead(std::string_view bytes, RequestHead* head, size_t* consumed);
Parse parseResponseHead(std::string_view bytes, ResponseHead* head, size_t* consumed);

// How the body after a head is delimited.
struct Framing {
  enum class Kind { None, Length, Chunked, UntilClose };
  Kind kind = Kind::None;
  uint64_t length = 0;
};
// nullopt: contradicting or malformed headers, the message must be refused (request smuggling).
std::optional<Framing> requestFraming(const Headers& headers);
std::optional<Framing> responseFraming(const ResponseHead& head, std::string_view method);
bool wantsKeepAlive(int minorVersion, const Headers& headers);
bool hasToken(const Headers& headers, std::string_view name, std::string_view token);

// The chunked coding, fed with whatever arrived.
class ChunkedDecoder {
 public:
  // Takes what it can from `bytes` and appends decoded data to *out. Done: *consumed stops behind
  // the trailers.
  Parse feed(std::string_view bytes, std::string* out, size_t* consumed);

 private:
  enum class State { Size, Extension, SizeLf, Data, DataCr, DataLf, Trailer, TrailerLf, End };
  State state_ = State::Size;
  uint64_t left_ = 0;  // of this chunk
  int digits_ = 0;
  size_t lineBytes_ = 0;  // of an extension or the trailers, bounded
  bool lineEmpty_ = true;
};

std::string_view statusText(int status);
bool mayHaveBody(int status);
// "HTTP/1.1 200 OK\r\n" and the headers, with the empty line.
void writeResponseHead(std::string& out, int status, const Headers& headers);
void writeRequestHead(std::string& out, std::string_view method, std::string_view target,
                      const Headers& headers);
void writeChunkSize(std::string& out, size_t size);  // "1f\r\n"
// Neither name nor value may smuggle a line into a head.
bool validHeader(std::string_view name, std::string_view value);

}  // namespace skiff::net::http1
