// Responder, sockets and forwarder together, over loopback.
#include "dns/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "dns/test_util.h"

using namespace skiff;
using namespace skiff::dns;

namespace {

class FakeResolver final : public Resolver {
 public:
  std::optional<Message> cached(const Message&) override { return std::nullopt; }
  Result<Message> resolve(const Message& query) override {
    Message answer = query;
    const Name& name = query.questions[0].name;
    if (name == nameOf("down.org")) return Error(Reason::Timeout, "no answer");
    if (name == nameOf("none.org")) {
      answer.rcode = kNxDomain;
      return answer;
    }
    answer.answers.push_back({name, kA, kClassIn, 9, "\5\6\7\10"});
    return answer;
  }
};

// A zone on sockets; by default with a resolver that makes answers up.
struct Stack {
  explicit Stack(Resolver& resolver) : upstream(resolver) {
    auto bound = Server::bind("127.0.0.1", 0, responder);
    REQUIRE(bound.ok());
    server = std::move(*bound);
    server->start();
  }
  ~Stack() {
    server->stop();
    workers->stop();
  }
  FakeCluster cluster;
  CountingRng rng;
  Zone zone{cluster, nameOf("cluster.local"), Clock::real(), rng};
  Resolver& upstream;
  std::unique_ptr<rt::Executor> workers = rt::Executor::create({.name = "dns-test", .maxThreads = 4});
  Responder responder{zone, cluster, upstream, *workers};
  std::unique_ptr<Server> server;
};

class TestSocket {
 public:
  TestSocket(uint16_t port, int type) : fd_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  }
  TestSocket(const TestSocket&) = delete;
  ~TestSocket() { ::close(fd_); }
  void send(std::string_view bytes) { REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size())); }
  // Empty: the end.
  std::string receive() {
    pollfd poll{fd_, POLLIN, 0};
    REQUIRE(::poll(&poll, 1, 5000) == 1);
    std::string bytes(65536, '\0');
    ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
  }
  void sendFrame(std::string packet) {
    packet.insert(0, {static_cast<char>(packet.size() >> 8), static_cast<char>(packet.size())});
    send(packet);
  }
  std::string receiveFrame() {
    while (true) {
      if (in_.size() >= 2) {
        size_t size = static_cast<size_t>(static_cast<unsigned char>(in_[0])) * 256 + static_cast<unsigned char>(in_[1]);
        if (in_.size() >= 2 + size) {
          std::string frame = in_.substr(2, size);
          in_.erase(0, 2 + size);
          return frame;
        }
      }
      std::string more = receive();
      if (more.empty()) return "";
      in_ += more;
    }
  }
  void endWrites() { ::shutdown(fd_, SHUT_WR); }

 private:
  int fd_;
  std::string in_;
};

Message question(std::string_view name, uint16_t type = kA, uint16_t id = 77) {
  Message m;
  m.id = id;
  m.recursionDesired = true;
  m.questions.push_back({nameOf(name), type, kClassIn});
  return m;
}
std::string show(std::string_view packet) {
  auto m = decodeMessage(packet);
  REQUIRE(m);
  CHECK(m->response);
  CHECK(m->id == 77);
  return showSections(m->rcode, m->answers, m->authority, m->additional) + (m->truncated ? " TC" : "") + (m->authoritative ? " AA" : "");
}
std::string askUdp(const Stack& stack, const Message& m) {
  TestSocket socket(stack.server->port(), SOCK_DGRAM);
  socket.send(encodeMessage(m, 4096));
  return socket.receive();
}
std::string askTcp(const Stack& stack, const Message& m) {
  TestSocket socket(stack.server->port(), SOCK_STREAM);
  socket.sendFrame(encodeMessage(m, 4096));
  return socket.receiveFrame();
}

}  // namespace

TEST_CASE("over UDP and TCP: ours, forwarded, and chased") {
  FakeResolver resolver;
  Stack s(resolver);
  s.cluster.addService("default", "web", {"10.96.0.7"});
  auto& external = s.cluster.addService("app", "ext", {});
  external.spec.type = "ExternalName";
  external.spec.externalName = "example.org";
  auto ask = askUdp;
  SUBCASE("UDP") {}
  SUBCASE("TCP") { ask = askTcp; }
  CHECK(show(ask(s, question("web.default.svc.cluster.local"))) == "NOERROR web.default.svc.cluster.local. A 10.96.0.7 AA");
  CHECK(show(ask(s, question("gone.default.svc.cluster.local"))) == "NXDOMAIN [cluster.local. SOA] AA");
  CHECK(show(ask(s, question("example.org"))) == "NOERROR example.org. A 5.6.7.8");
  CHECK(show(ask(s, question("none.org"))) == "NXDOMAIN");
  CHECK(show(ask(s, question("down.org"))) == "SERVFAIL");
  CHECK(show(ask(s, question("ext.app.svc.cluster.local"))) ==
        "NOERROR example.org. A 5.6.7.8 | ext.app.svc.cluster.local. CNAME example.org. AA");
  s.cluster.synced = false;
  CHECK(show(ask(s, question("gone.default.svc.cluster.local"))) == "SERVFAIL");
}

TEST_CASE("requests that are refused") {
  FakeResolver resolver;
  Stack s(resolver);
  CHECK(show(askTcp(s, question("cluster.local", kAXFR))) == "REFUSED");
  CHECK(show(askUdp(s, question("cluster.local", kIXFR))) == "REFUSED");
  Message chaos = question("version.bind", kTXT);
  chaos.questions[0].cls = 3;
  CHECK(show(askUdp(s, chaos)) == "REFUSED");
  Message update = question("cluster.local", kSOA);
  update.opcode = 5;
  CHECK(show(askUdp(s, update)) == "NOTIMP");
  Message two = question("a.org");
  two.questions.push_back(two.questions[0]);
  CHECK(show(askUdp(s, two)) == "FORMERR");
  Message future = question("a.org");
  future.edns = Edns{.udpSize = 4096, .version = 1};
  CHECK(show(askUdp(s, future)) == "BADVERS");
  TestSocket socket(s.server->port(), SOCK_DGRAM);
  std::string broken = encodeMessage(question("a.org"), 512);
  broken.resize(broken.size() - 3);
  socket.send(broken);
  CHECK(show(socket.receive()) == "FORMERR");
  // Neither an answer nor a stub gets an answer; the next question does.
  Message answer = question("a.org");
  answer.response = true;
  socket.send(encodeMessage(answer, 512));
  socket.send("short");
  socket.send("");
  socket.send(encodeMessage(question("b.org"), 512));
  CHECK(show(socket.receive()) == "NOERROR b.org. A 5.6.7.8");
}

TEST_CASE("a large answer is truncated by what the client takes, and whole over TCP") {
  FakeResolver resolver;
  Stack s(resolver);
  s.cluster.addService("default", "db", {"None"});
  std::vector<std::string> endpoints;
  for (int i = 0; i < 200; ++i) endpoints.push_back(concat("10.0.", i / 100, ".", i % 100));
  s.cluster.addSlice("default", "db", endpoints);
  Message plain = question("db.default.svc.cluster.local");
  std::string packet = askUdp(s, plain);
  CHECK(packet.size() <= 512);
  CHECK(decodeMessage(packet)->truncated);
  CHECK_FALSE(decodeMessage(packet)->edns);
  Message edns = plain;
  edns.edns = Edns{.udpSize = 4096};
  packet = askUdp(s, edns);
  CHECK(packet.size() > 512);
  CHECK(packet.size() <= 1232);
  CHECK(decodeMessage(packet)->edns);
  auto whole = decodeMessage(askTcp(s, plain));
  CHECK_FALSE(whole->truncated);
  CHECK(whole->answers.size() == 200);
}

TEST_CASE("TCP: many questions on one connection, in pieces, and a half-close") {
  FakeResolver resolver;
  Stack s(resolver);
  s.cluster.addService("default", "web", {"10.96.0.7"});
  TestSocket socket(s.server->port(), SOCK_STREAM);
  constexpr int kQuestions = 100;  // more than may be open at once
  std::string stream;
  for (uint16_t i = 0; i < kQuestions; ++i) {
    std::string packet = encodeMessage(question(i % 2 ? "a.org" : "web.default.svc.cluster.local", kA, i), 512);
    stream += static_cast<char>(packet.size() >> 8);
    stream += static_cast<char>(packet.size());
    stream += packet;
  }
  for (size_t at = 0; at < stream.size(); at += 601) socket.send(std::string_view(stream).substr(at, 601));
  socket.endWrites();
  std::set<uint16_t> ids;
  for (std::string frame = socket.receiveFrame(); !frame.empty(); frame = socket.receiveFrame()) {
    auto m = decodeMessage(frame);
    REQUIRE(m);
    CHECK(m->answers.size() == 1);
    ids.insert(m->id);
  }
  CHECK(ids.size() == kQuestions);
  // What is no question ends a connection.
  TestSocket rude(s.server->port(), SOCK_STREAM);
  rude.sendFrame("not dns");
  CHECK(rude.receiveFrame().empty());
}

TEST_CASE("the forwarder asks, falls back to TCP, and to the next server") {
  FakeResolver resolver;
  Stack upstream(resolver);
  upstream.cluster.addService("default", "db", {"None"});
  std::vector<std::string> endpoints;
  for (int i = 0; i < 200; ++i) endpoints.push_back(concat("10.0.", i / 100, ".", i % 100));
  upstream.cluster.addSlice("default", "db", endpoints);

  // A port that nobody listens on refuses at once.
  uint16_t deadPort;
  {
    Stack other(resolver);
    deadPort = other.server->port();
  }
  CountingRng rng;
  Forwarder forwarder({{"127.0.0.1", deadPort}, {"127.0.0.1", upstream.server->port()}}, Clock::real(), rng);
  Stack front(forwarder);
  CHECK(show(askUdp(front, question("example.org"))) == "NOERROR example.org. A 5.6.7.8");
  CHECK(forwarder.cached(question("EXAMPLE.org")));
  CHECK_FALSE(forwarder.cached(question("example.org", kAAAA)));
  auto whole = forwarder.resolve(question("db.default.svc.cluster.local"));
  REQUIRE(whole.ok());
  CHECK(whole->answers.size() == 200);
  CHECK(show(askUdp(front, question("down.org"))) == "SERVFAIL");
  Forwarder nobody({{"127.0.0.1", deadPort}}, Clock::real(), rng);
  CHECK_FALSE(nobody.resolve(question("example.org")).ok());
  forwarder.stop();
  CHECK_FALSE(forwarder.resolve(question("example.net")).ok());
}

TEST_CASE("a port that is taken is a plain error") {
  FakeResolver resolver;
  Stack s(resolver);
  auto second = Server::bind("127.0.0.1", s.server->port(), s.responder);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().message().find("in use") != std::string::npos);
  CHECK(Server::bind("localhost", 0, s.responder).failedWith(Reason::BadRequest));
}
