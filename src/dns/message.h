// DNS messages (RFC 1035, EDNS of RFC 6891): decoded with strict bounds, encoded with compression and truncation.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dns/name.h"

namespace skiff::dns {

enum Type : uint16_t {
  kA = 1, kNS = 2, kCNAME = 5, kSOA = 6, kPTR = 12, kMX = 15, kTXT = 16, kAAAA = 28, kSRV = 33, kOPT = 41,
  kIXFR = 251, kAXFR = 252, kANY = 255,
};
enum Rcode : uint16_t { kNoError = 0, kFormErr = 1, kServFail = 2, kNxDomain = 3, kNotImp = 4, kRefused = 5, kBadVers = 16 };
inline constexpr uint16_t kClassIn = 1;

struct Question {
  Name name;
  uint16_t type = 0, cls = kClassIn;
};

struct Record {
  Name name;
  uint16_t type = 0, cls = kClassIn;
  uint32_t ttl = 0;
  std::string data;  // names in it uncompressed
};

struct Edns {
  uint16_t udpSize = 512;
  uint8_t version = 0;
  bool dnssecOk = false;
};

struct Message {
  uint16_t id = 0;
  bool response = false, authoritative = false, truncated = false, recursionDesired = false,
       recursionAvailable = false, authenticData = false, checkingDisabled = false;
  uint8_t opcode = 0;
  uint16_t rcode = kNoError;  // with the upper bits of EDNS
  std::vector<Question> questions;
  std::vector<Record> answers, authority, additional;  // without the OPT record
  std::optional<Edns> edns;
};

inline constexpr size_t kHeaderBytes = 12;
inline constexpr size_t kMaxTcpBytes = 65535;

// nullopt: not a well-formed message.
std::optional<Message> decodeMessage(std::string_view packet);
// At most `limit` bytes: whole records are left out where it does not fit, and TC says so unless only additional
// ones are missing.
std::string encodeMessage(const Message& message, size_t limit);

// Record data.
std::string nameData(const Name& name);                                                      // CNAME, PTR, NS
std::string srvData(uint16_t priority, uint16_t weight, uint16_t port, const Name& target);
std::string txtData(std::string_view text);                                                  // at most 255 bytes
struct Soa {
  Name primary, mailbox;
  uint32_t serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0;
};
std::string soaData(const Soa& soa);
std::optional<uint32_t> soaMinimum(const Record& soa);
std::optional<Name> targetOf(const Record& record);  // of a CNAME, PTR or NS

}  // namespace skiff::dns
