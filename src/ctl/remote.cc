// logs, exec, port-forward: streams to a pod through the API server.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "api/scalars.h"
#include "base/strings.h"
#include "codec/json.h"
#include "ctl/commands.h"
#include "net/streams.h"
#include "rt/executor.h"

namespace skiff::ctl {
namespace {

using codec::Value;

constexpr milliseconds kPieceTimeout{3600000};

// A pod by "name", "pod/name", or the first pod that a workload selects ("deploy/web").
Result<std::string> podNameOf(Session& session, const std::string& arg) {
  auto pair = cut(arg, "/");
  if (!pair || pair->first == "pod" || pair->first == "pods" || pair->first == "po")
    return std::string(pair ? pair->second : arg);
  auto resource = TRY(session.find(pair->first));
  auto object = TRY(session.get(resource.path(session.ns(), pair->second)));
  const auto& selector = object->root["spec"]["selector"];
  const auto& labels = selector.has("matchLabels") ? selector["matchLabels"] : selector;
  std::vector<std::string> parts;
  for (const auto& label : labels.members()) parts.push_back(concat(label.key, "=", label.value.asString()));
  auto pods = TRY(session.get(concat("/api/v1/namespaces/", session.ns(), "/pods"),
                              {{"labelSelector", join(parts, ",")}}));
  for (const auto& pod : pods->root["items"].items())
    if (pod["status"]["phase"].asString() == "Running") return pod["metadata"]["name"].str();
  return badRequest(concat("no running pod found for ", arg));
}

std::string podPath(Session& session, std::string_view name, std::string_view subresource) {
  return concat("/api/v1/namespaces/", percentEncode(session.ns()), "/pods/", percentEncode(name), "/", subresource);
}

std::string randomWebSocketKey() {
  std::string bytes;
  for (int i = 0; i < 2; ++i) {
    uint64_t n = Rng::real().next();
    bytes.append(reinterpret_cast<const char*>(&n), sizeof n);
  }
  return base64Encode(bytes);
}

Result<std::unique_ptr<net::WebSocket>> openWebSocket(Session& session, const std::string& path, Query query,
                                                      const std::string& protocols) {
  net::Headers headers;
  headers.set("connection", "Upgrade");
  headers.set("upgrade", "websocket");
  headers.set("sec-websocket-version", "13");
  headers.set("sec-websocket-key", randomWebSocketKey());
  headers.set("sec-websocket-protocol", protocols);
  net::Response answer;
  auto stream = TRY(session.transport().upgrade({.method = "GET", .path = path, .query = std::move(query)}, headers,
                                                &answer));
  return std::make_unique<net::WebSocket>(std::move(stream), net::WebSocket::Side::Client);
}

Status copyOut(net::ByteStream& from, int fd) {
  char buffer[32768];
  for (;;) {
    auto n = TRY(from.read(buffer, sizeof buffer));
    if (n == 0) return okStatus();
    for (size_t at = 0; at < n;) {
      ssize_t written = ::write(fd, buffer + at, n - at);
      if (written <= 0) return internalError("cannot write");
      at += size_t(written);
    }
  }
}

// Raw mode while it lives, so that keys reach the remote terminal.
class RawTerminal {
 public:
  explicit RawTerminal(bool wanted) : active_(wanted && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &kept_) == 0) {
    if (!active_) return;
    termios raw = kept_;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  ~RawTerminal() {
    if (active_) tcsetattr(STDIN_FILENO, TCSANOW, &kept_);
  }

 private:
  termios kept_{};
  bool active_;
};

// The exit code in the "error" channel's Status: 0, or cause ExitCode.
int exitCodeOf(const std::string& text) {
  auto status = codec::parseJsonDocument(text);
  if (!status.ok() || (*status)->root["status"].asString() == "Success") return 0;
  for (const auto& cause : (*status)->root["details"]["causes"].items())
    if (cause["reason"].asString() == "ExitCode")
      if (auto code = parseInt(cause["message"].asString())) {
        std::fprintf(stderr, "command terminated with exit code %d\n", int(*code));
        return int(*code);
      }
  std::fprintf(stderr, "error: %s\n", (*status)->root["message"].str().c_str());
  return 1;
}

std::string readAll(net::ByteStream& stream) {
  std::string out;
  char buffer[4096];
  for (;;) {
    auto n = stream.read(buffer, sizeof buffer);
    if (!n.ok() || *n == 0) return out;
    out.append(buffer, *n);
  }
}

Result<std::unique_ptr<net::ByteStream>> openChannel(net::StreamConnection& connection, const char* type) {
  net::Headers headers;
  headers.set("streamtype", type);
  return connection.open(headers);
}

Result<int> execIn(Session& session, const std::string& pod, Query query, bool useStdin, bool tty) {
  auto socket = TRY(openWebSocket(session, podPath(session, pod, "exec"), std::move(query),
                                  "v5.channel.k8s.io,v4.channel.k8s.io"));
  auto connection = net::webSocketChannels(std::move(socket), true);
  std::shared_ptr<net::ByteStream> in, resize;
  if (useStdin) in = TRY(openChannel(*connection, "stdin"));
  std::unique_ptr<net::ByteStream> out = TRY(openChannel(*connection, "stdout"));
  std::unique_ptr<net::ByteStream> err;
  if (!tty) err = TRY(openChannel(*connection, "stderr"));
  std::unique_ptr<net::ByteStream> errors = TRY(openChannel(*connection, "error"));
  RawTerminal raw(tty && useStdin);
  if (tty) {
    resize = TRY(openChannel(*connection, "resize"));
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
      TRY(resize->write(concat("{\"Width\":", size.ws_col, ",\"Height\":", size.ws_row, "}")));
  }
  if (in) {
    // Never joined: it may be blocked in the terminal when the command has ended; the process ends with it.
    static rt::Thread feeder;
    feeder = rt::Thread("stdin", [in] {
      char buffer[32768];
      for (ssize_t n; (n = ::read(STDIN_FILENO, buffer, sizeof buffer)) > 0;)
        if (!in->write({buffer, size_t(n)}).ok()) return;
      in->closeWrite();
    });
  }
  rt::Thread stderrCopy;
  if (err) stderrCopy = rt::Thread("stderr", [&err] { (void)copyOut(*err, STDERR_FILENO).ok(); });
  (void)copyOut(*out, STDOUT_FILENO).ok();
  std::string status = readAll(*errors);
  stderrCopy.join();
  return exitCodeOf(status);
}

// ---- port-forward -------------------------------------------------------------------------------------------------

struct Forward {
  int local, remote;
};

Result<Forward> parseForward(std::string_view text) {
  auto pair = cut(text, ":");
  auto local = parseInt(pair ? (pair->first.empty() ? "0" : pair->first) : text);
  auto remote = parseInt(pair ? pair->second : text);
  if (!local || !remote || *remote < 1 || *remote > 65535 || *local < 0 || *local > 65535)
    return badRequest(concat("invalid port number in ", skiff::quoted(text)));
  return Forward{int(*local), int(*remote)};
}

Result<int> listenOn(const std::string& address, Forward& forward) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(uint16_t(forward.local));
  inet_pton(AF_INET, address.c_str(), &at.sin_addr);
  socklen_t size = sizeof at;
  if (bind(fd, reinterpret_cast<sockaddr*>(&at), size) != 0 || listen(fd, 64) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    close(fd);
    return badRequest(concat("unable to listen on port ", forward.local));
  }
  forward.local = ntohs(at.sin_port);
  return fd;
}

Status joinConnection(net::StreamConnection& connection, int client, int port, int requestId) {
  net::Headers headers;
  headers.set("port", std::to_string(port));
  headers.set("requestid", std::to_string(requestId));
  headers.set("streamtype", "error");
  auto errors = TRY(connection.open(headers));
  errors->closeWrite();
  headers.set("streamtype", "data");
  std::shared_ptr<net::ByteStream> data = TRY(connection.open(headers));
  rt::Thread up("pf-up", [data, client] {
    char buffer[32768];
    for (ssize_t n; (n = ::recv(client, buffer, sizeof buffer, 0)) > 0;)
      if (!data->write({buffer, size_t(n)}).ok()) break;
    data->closeWrite();
  });
  auto copied = copyOut(*data, client);
  ::shutdown(client, SHUT_RDWR);
  up.join();
  if (auto message = readAll(*errors); !message.empty())
    std::fprintf(stderr, "an error occurred forwarding %d: %s\n", port, message.c_str());
  return copied;
}

Status forwardPorts(Session& session, const std::string& pod, std::vector<Forward> forwards,
                    const std::string& address) {
  auto socket = TRY(openWebSocket(session, podPath(session, pod, "portforward"), {}, "SPDY/3.1+portforward.k8s.io"));
  auto connection = net::spdyConnection(net::webSocketTunnel(std::move(socket)), net::WebSocket::Side::Client);
  std::atomic<int> requests{0};
  std::vector<rt::Thread> listeners;
  for (auto& forward : forwards) {
    int fd = TRY(listenOn(address, forward));
    std::printf("Forwarding from %s:%d -> %d\n", address.c_str(), forward.local, forward.remote);
    std::fflush(stdout);
    listeners.emplace_back("pf-listen", [&, fd, remote = forward.remote] {
      auto pool = rt::Executor::create({.name = "pf", .maxThreads = 64});
      for (int client; (client = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
        std::printf("Handling connection for %d\n", forward.local);
        std::fflush(stdout);
        bool taken = pool->submit([&, client, remote] {
          auto joined = joinConnection(*connection, client, remote, requests++);
          if (!joined.ok()) std::fprintf(stderr, "error: %s\n", joined.error().message().c_str());
          close(client);
        });
        if (!taken) close(client);
      }
    });
  }
  auto lost = connection->accept();  // a server opens no streams: this waits for the connection's end
  std::fprintf(stderr, "error: lost connection to pod\n");
  std::_Exit(lost.ok() ? 0 : 1);
}

}  // namespace

int runLogs(const Args& args) {
  std::string container, since, sinceTime, selector;
  bool follow = false, previous = false, timestamps = false, allContainers = false;
  int64_t tail = -1, limitBytes = 0;
  Flags flags;
  Session session(flags);
  flags.text("container", &container, "container of the pod", 'c')
      .text("since", &since, "only lines younger than this, such as 5s, 2m")
      .text("since-time", &sinceTime, "only lines after this time (RFC 3339)")
      .text("selector", &selector, "label selector", 'l')
      .boolean("follow", &follow, "go on with new lines", 'f')
      .boolean("previous", &previous, "of the container's previous run", 'p')
      .boolean("timestamps", &timestamps, "time before each line")
      .boolean("all-containers", &allContainers, "of all containers")
      .integer("tail", &tail, "only the last lines")
      .integer("limit-bytes", &limitBytes, "at most so many bytes");
  auto run = [&]() -> Status {
    auto rest = TRY(flags.parse(args));
    TRY(session.connect());
    std::vector<std::string> pods;
    if (!selector.empty()) {
      auto list = TRY(session.get(concat("/api/v1/namespaces/", session.ns(), "/pods"), {{"labelSelector", selector}}));
      for (const auto& pod : list->root["items"].items()) pods.push_back(pod["metadata"]["name"].str());
    } else {
      if (rest.empty()) return badRequest("expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'");
      pods.push_back(TRY(podNameOf(session, rest[0])));
      if (rest.size() > 1) container = rest[1];
    }
    Query query;
    auto add = [&](bool given, std::string name, std::string value) {
      if (given) query.emplace_back(std::move(name), std::move(value));
    };
    add(follow, "follow", "true");
    add(previous, "previous", "true");
    add(timestamps, "timestamps", "true");
    add(tail >= 0, "tailLines", std::to_string(tail));
    add(limitBytes > 0, "limitBytes", std::to_string(limitBytes));
    add(!sinceTime.empty(), "sinceTime", sinceTime);
    if (!since.empty()) {
      auto age = api::parseDuration(since);
      if (!age) return badRequest(concat("invalid duration ", skiff::quoted(since)));
      query.emplace_back("sinceSeconds", std::to_string(std::chrono::duration_cast<seconds>(*age).count()));
    }
    for (const auto& pod : pods) {
      std::vector<std::string> containers{container};
      if (allContainers) {
        auto object = TRY(session.get(concat("/api/v1/namespaces/", session.ns(), "/pods/", pod)));
        containers.clear();
        for (const char* list : {"initContainers", "containers"})
          for (const auto& c : object->root["spec"][list].items()) containers.push_back(c["name"].str());
      }
      for (const auto& name : containers) {
        auto own = query;
        if (!name.empty()) own.emplace_back("container", name);
        auto stream = TRY(session.transport().stream({.method = "GET", .path = podPath(session, pod, "log"),
                                                      .query = own, .accept = "*/*"}));
        for (;;) {
          auto piece = TRY(stream->next(kPieceTimeout));
          if (piece.empty()) break;
          std::fwrite(piece.data(), 1, piece.size(), stdout);
          std::fflush(stdout);
        }
      }
    }
    return okStatus();
  };
  auto status = run();
  return status.ok() ? 0 : printError(status.error());
}

int runExec(const Args& args) {
  std::string container;
  bool useStdin = false, tty = false, quiet = false;
  Flags flags;
  Session session(flags);
  flags.text("container", &container, "container of the pod", 'c')
      .boolean("stdin", &useStdin, "pass standard input", 'i')
      .boolean("tty", &tty, "standard input is a terminal", 't')
      .boolean("quiet", &quiet, "only what the command prints", 'q');
  auto run = [&]() -> Result<int> {
    auto rest = TRY(flags.parse(args));
    TRY(session.connect());
    if (rest.size() < 2) return badRequest("you must specify at least one command for the container");
    auto pod = TRY(podNameOf(session, rest[0]));
    Query query;
    for (size_t i = 1; i < rest.size(); ++i) query.emplace_back("command", rest[i]);
    if (!container.empty()) query.emplace_back("container", container);
    if (useStdin) query.emplace_back("stdin", "true");
    query.emplace_back("stdout", "true");
    query.emplace_back(tty ? "tty" : "stderr", "true");
    return execIn(session, pod, std::move(query), useStdin, tty);
  };
  auto code = run();
  if (!code.ok()) return printError(code.error());
  std::fflush(stdout);
  std::_Exit(*code);  // the thread that reads the terminal cannot be woken
}

int runPortForward(const Args& args) {
  std::string address = "127.0.0.1";
  Flags flags;
  Session session(flags);
  flags.text("address", &address, "local address to listen on");
  auto run = [&]() -> Status {
    auto rest = TRY(flags.parse(args));
    TRY(session.connect());
    if (rest.size() < 2) return badRequest("TYPE/NAME and list of ports are required for port-forward");
    if (address == "localhost") address = "127.0.0.1";
    std::vector<Forward> forwards;
    for (size_t i = 1; i < rest.size(); ++i) forwards.push_back(TRY(parseForward(rest[i])));
    auto pod = TRY(podNameOf(session, rest[0]));
    return forwardPorts(session, pod, std::move(forwards), address);
  };
  auto status = run();
  return status.ok() ? 0 : printError(status.error());
}

}  // namespace skiff::ctl
