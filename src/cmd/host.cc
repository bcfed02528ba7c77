#include "cmd/host.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apiserver/strategies/service_ranges.h"
#include "base/strings.h"

namespace skiff::cmd {

std::string hostName() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == 0) return "localhost";
  return toLower(name);
}

std::string primaryAddress() {
  // Connecting a datagram socket sends nothing: it only asks the routing table for the source address.
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return "127.0.0.1";
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(53);
  inet_pton(AF_INET, "198.51.100.1", &peer.sin_addr);  // TEST-NET-2 (RFC 5737): on no local network
  sockaddr_in own{};
  socklen_t size = sizeof own;
  bool ok = connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof peer) == 0 &&
            getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0;
  close(fd);
  char text[INET_ADDRSTRLEN] = {};
  if (!ok || !inet_ntop(AF_INET, &own.sin_addr, text, sizeof text)) return "127.0.0.1";
  return text;
}

Result<std::string> nthServiceAddress(std::string_view ranges, uint64_t n) {
  auto parsed = TRY(apiserver::parseServiceRanges(ranges));
  const auto& range = parsed.front();
  int hostBits = (range.address.v6 ? 128 : 32) - range.bits;
  if (hostBits < 64 && n >> hostBits != 0) return badRequest(concat("CIDR ", skiff::quoted(ranges), " is too small"));
  return apiserver::formatIp(apiserver::addressAt(range, n));
}

}  // namespace skiff::cmd
