// HTTP messages and the meeting point of server and handlers, the same for HTTP/1.1, HTTP/2 and
// calls inside one process. RFC 9110, 9112, 9113.
#pragma once
#include <any>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_function.h"

namespace skiff::net {

// Header names are matched without regard to case and written in lower case for HTTP/2.
class Headers {
 public:
  void add(std::string_view name, std::string_view value);
  void set(std::string_view name, std::string_view value);  // replaces all of that name
  void remove(std::string_view name);
  std::string_view get(std::string_view name) const;  // first one; "" when absent
  bool has(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }
  void lowerNames();  // as HTTP/2 wants them

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

// What TLS proved about the peer. Certificates are DER.
struct PeerIdentity {
  std::vector<std::string> certificateChain;  // leaf first; empty when the client showed none
  std::string remoteAddress;                  // "10.0.0.1:4711"
};

struct Request {
  std::string method;  // "GET"
  std::string path;    // percent-decoded never: as sent, without the query: "/api/v1/pods"
  std::string query;   // as sent, without "?"
  Headers headers;   // lower-case names; HTTP/2 pseudo headers turned into `method`, `path`, "host"
  SharedBytes body;  // whole; the server enforces ServerOptions::maxBodyBytes
  int httpMajor = 2;
  PeerIdentity peer;
  // Set by an in-process transport: the caller is known and trusted, authentication is skipped.
  std::any caller;
};

struct Response {
  int status = 200;
  Headers headers;
  std::vector<SharedBytes> body;  // pieces, written one after the other
  // An in-process caller that asked for it gets the value itself instead of bytes.
  std::any value;
};

// A raw byte stream after an upgrade (101) or CONNECT-like hijack, or a plain outgoing connection.
// Blocking use from a worker thread; read and write may be on two threads at the same time.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual Result<size_t> read(char* into, size_t capacity) = 0;  // 0: end of stream
  virtual Status write(std::string_view bytes) = 0;              // all of it; waits for room
  virtual void closeWrite() = 0;                                 // half-close if the transport can
  virtual void close() = 0;                                      // ends pending reads and writes
};

// One answer. Thread safe: any thread may call, the server moves the bytes to its loop. The last
// reference gone without an answer sends 500.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  virtual void respond(Response response) = 0;  // whole answer at once

  // A streamed answer: begin, any number of writes, finish. Chunked on HTTP/1.1.
  virtual void begin(int status, Headers headers) = 0;
  virtual void write(SharedBytes piece) = 0;
  virtual void finish() = 0;
  // As finish(), with trailers after the body (gRPC). A transport without trailers drops them.
  virtual void finishWithTrailers([[maybe_unused]] Headers trailers) { finish(); }
  virtual size_t pendingBytes() const = 0;  // written but not yet taken by the socket
  // Called on the loop when pendingBytes falls to 0, and once when the peer is gone (also at once
  // if it is).
  virtual void onDrain(UniqueFunction<void()> callback) = 0;
  virtual void onClose(UniqueFunction<void()> callback) = 0;
  virtual bool closed() const = 0;

  // HTTP/1.1 only: answers with these headers (101 Switching Protocols) and hands over the raw
  // connection, with what was already read first. `then` runs on a worker thread of the server.
  virtual Status upgrade(int status, Headers headers,
                         UniqueFunction<void(std::unique_ptr<ByteStream>)> then) = 0;
};

// Why a request was answered before it was whole.
struct Refusal {
  int status = 400;       // 400, 413, 431; 500 when a handler gave no answer
  std::string_view text;  // a few words
  size_t limit = 0;       // of 413: the bytes that a body may have
};

// Called on a loop thread once the request is whole; must not block.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual void handle(std::shared_ptr<Request> request, std::shared_ptr<ResponseWriter> writer) = 0;
  // The answer to a request that handle() never sees: plain text, unless the protocol above has a form of its own.
  virtual Response refused(const Refusal& refusal);
};

// Query parameters in order, decoded.
std::vector<std::pair<std::string, std::string>> parseQuery(std::string_view query);
std::string buildQuery(const std::vector<std::pair<std::string, std::string>>& parameters);

}  // namespace skiff::net
