#include "fuzz/http_peer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "base/result.h"
#include "base/strings.h"
#include "net/server.h"
#include "net/socket.h"

namespace skiff::fuzz {
namespace {

constexpr int kAnswerMs = 4000;

// Answers in every way that there is; the request's path says which.
class Echo final : public net::Handler {
 public:
  void handle(std::shared_ptr<net::Request> request, std::shared_ptr<net::ResponseWriter> writer) override {
    (void)net::parseQuery(request->query);
    net::Headers headers;
    headers.add("content-type", "text/plain");
    if (request->path.starts_with("/stream")) {
      writer->begin(200, std::move(headers));
      writer->write(SharedBytes(std::string("a piece")));
      writer->write(request->body);
      writer->finish();
    } else if (request->path.starts_with("/up")) {
      headers.add("upgrade", "echo");
      auto upgraded = writer->upgrade(101, std::move(headers), [](std::unique_ptr<net::ByteStream> stream) {
        char buffer[256];
        auto count = stream->read(buffer, sizeof buffer);
        if (count.ok()) (void)stream->write({buffer, *count}).ok();
      });
      if (!upgraded.ok()) writer->respond({.status = 400});
    } else if (!request->path.starts_with("/none")) {
      writer->respond({.status = request->path == "/204" ? 204 : 200, .headers = std::move(headers), .body = {request->body}});
    }
  }
};

struct Running {
  Echo echo;
  std::string path = concat("/tmp/skiff-fuzz-", int(getpid()), ".sock");
  std::unique_ptr<net::Server> server =
      net::Server::start({.unixPath = path, .maxBodyBytes = 4096, .maxHeaderBytes = 4096, .maxConcurrentStreams = 10}, echo)
          .value();
  ~Running() { unlink(path.c_str()); }
};

net::Fd connectTo(const std::string& path) {
  net::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  MUST(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace

std::string exchange(std::string_view bytes, size_t step) {
  static Running running;
  net::Fd fd = connectTo(running.path);
  step = std::max<size_t>(step, 1);
  while (!bytes.empty()) {
    auto piece = bytes.substr(0, step);
    ssize_t sent = send(fd.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) break;  // the server has hung up already
    bytes.remove_prefix(size_t(sent));
  }
  shutdown(fd.get(), SHUT_WR);
  std::string answer;
  char buffer[16384];
  for (;;) {
    pollfd ready{fd.get(), POLLIN, 0};
    int polled = poll(&ready, 1, kAnswerMs);
    if (polled < 0 && errno == EINTR) continue;  // libFuzzer's own alarm
    MUST(polled == 1);                           // else a connection hangs
    ssize_t count = recv(fd.get(), buffer, sizeof buffer, 0);
    if (count <= 0) return answer;
    answer.append(buffer, size_t(count));
  }
}

}  // namespace skiff::fuzz
