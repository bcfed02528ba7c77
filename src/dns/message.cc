#include "dns/message.h"

#include <cstring>

#include "base/strings.h"

namespace skiff::dns {
namespace {

constexpr size_t kOptBytes = 11;

// Reads a packet front to back; any step past its end makes it bad, and bad it stays.
class Reader {
 public:
  explicit Reader(std::string_view packet) : packet_(packet) {}
  bool bad() const { return bad_; }
  size_t at() const { return at_; }
  size_t left() const { return packet_.size() - at_; }

  uint8_t u8() { return static_cast<uint8_t>(number(1)); }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return number(4); }
  std::string_view bytes(size_t count) {
    if (bad_ || count > left()) {
      bad_ = true;
      return {};
    }
    at_ += count;
    return packet_.substr(at_ - count, count);
  }

  // A name, following compression pointers. Each pointer must lead before the place where the part it continues
  // began, so the walk ends.
  Name name() {
    Name name;
    size_t partStart = at_, at = at_;
    bool jumped = false;
    while (true) {
      if (at >= packet_.size()) return fail();
      auto length = static_cast<unsigned char>(packet_[at]);
      if (length == 0) {
        if (!jumped) at_ = at + 1;
        return name;
      }
      if ((length & 0xC0) == 0xC0) {
        if (at + 1 >= packet_.size()) return fail();
        size_t target = static_cast<size_t>(length & 0x3F) << 8 | static_cast<unsigned char>(packet_[at + 1]);
        if (target >= partStart) return fail();
        if (!jumped) at_ = at + 2;
        jumped = true;
        partStart = at = target;
        continue;
      }
      if ((length & 0xC0) != 0 || at + 1 + length > packet_.size()) return fail();
      if (!name.append(packet_.substr(at + 1, length))) return fail();
      at += 1 + static_cast<size_t>(length);
    }
  }

 private:
  uint32_t number(size_t count) {
    uint32_t value = 0;
    for (char c : bytes(count)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  Name fail() {
    bad_ = true;
    return {};
  }

  std::string_view packet_;
  size_t at_ = 0;
  bool bad_ = false;
};

void putU16(std::string& out, uint16_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value);
}
void putU32(std::string& out, uint32_t value) {
  putU16(out, static_cast<uint16_t>(value >> 16));
  putU16(out, static_cast<uint16_t>(value));
}
void setU16(std::string& out, size_t at, size_t value) {
  out[at] = static_cast<char>(value >> 8);
  out[at + 1] = static_cast<char>(value);
}

// Where the data of a type holds names that may be compressed: bytes before, names, and then anything.
struct DataLayout {
  size_t before;
  size_t names;
};
DataLayout layoutOf(uint16_t type) {
  switch (type) {
    case kNS: case kCNAME: case kPTR: return {0, 1};
    case kSOA: return {0, 2};
    case kMX: return {2, 1};
    case kSRV: return {6, 1};
    default: return {0, 0};
  }
}

std::string readData(Reader& reader, uint16_t type, size_t size) {
  DataLayout layout = layoutOf(type);
  size_t end = reader.at() + size;
  if (layout.names == 0) return std::string(reader.bytes(size));
  std::string data(reader.bytes(layout.before));
  for (size_t i = 0; i < layout.names; ++i) data += nameData(reader.name());
  if (reader.bad() || reader.at() > end) {
    reader.bytes(SIZE_MAX);  // data that runs over its length
    return {};
  }
  return data.append(reader.bytes(end - reader.at()));
}

void readSection(Reader& reader, size_t count, std::vector<Record>& section, Message& message) {
  for (size_t i = 0; i < count && !reader.bad(); ++i) {
    Record record;
    record.name = reader.name();
    record.type = reader.u16();
    record.cls = reader.u16();
    record.ttl = reader.u32();
    size_t size = reader.u16();
    if (size > reader.left()) {
      reader.bytes(SIZE_MAX);
      return;
    }
    record.data = readData(reader, record.type, size);
    if (record.type != kOPT) {
      section.push_back(std::move(record));
      continue;
    }
    if (message.edns || !record.name.isRoot()) reader.bytes(SIZE_MAX);  // at most one, at the root
    message.edns = Edns{.udpSize = record.cls,
                        .version = static_cast<uint8_t>(record.ttl >> 16),
                        .dnssecOk = (record.ttl & 0x8000) != 0};
    message.rcode = static_cast<uint16_t>(message.rcode | (record.ttl >> 24) << 4);
  }
}

class Writer {
 public:
  std::string out;

  void name(const Name& name) {
    std::string_view rest = name.wire();
    while (!rest.empty()) {
      if (auto known = suffixes_.find(rest); known != suffixes_.end()) {
        putU16(out, static_cast<uint16_t>(0xC000 | known->second));
        return;
      }
      if (out.size() < 0x4000) suffixes_.emplace(rest, out.size());
      size_t size = 1 + static_cast<size_t>(static_cast<unsigned char>(rest[0]));
      out += rest.substr(0, size);
      rest.remove_prefix(size);
    }
    out += '\0';
  }

  void record(const Record& record) {
    name(record.name);
    putU16(out, record.type);
    putU16(out, record.cls);
    putU32(out, record.ttl);
    size_t lengthAt = out.size();
    putU16(out, 0);
    data(record);
    setU16(out, lengthAt, out.size() - lengthAt - 2);
  }

  // Takes back what was written from `size` on.
  void rewind(size_t size) {
    out.resize(size);
    std::erase_if(suffixes_, [&](const auto& known) { return known.second >= size; });
  }

 private:
  void data(const Record& record) {
    DataLayout layout = layoutOf(record.type);
    // SRV targets stay whole (RFC 2782).
    if (layout.names == 0 || record.type == kSRV) {
      out += record.data;
      return;
    }
    Reader reader(record.data);
    out += reader.bytes(layout.before);
    for (size_t i = 0; i < layout.names; ++i) name(reader.name());
    out += reader.bytes(reader.left());
  }

  // By exact case: a pointer must not change how a name is spelt.
  std::unordered_map<std::string, size_t, StringHash, std::equal_to<>> suffixes_;
};

// How many of the records fit.
size_t writeSection(Writer& writer, const std::vector<Record>& records, size_t limit) {
  for (size_t i = 0; i < records.size(); ++i) {
    size_t before = writer.out.size();
    writer.record(records[i]);
    if (writer.out.size() > limit) {
      writer.rewind(before);
      return i;
    }
  }
  return records.size();
}

uint16_t flagsOf(const Message& m) {
  return static_cast<uint16_t>(m.response << 15 | (m.opcode & 15) << 11 | m.authoritative << 10 | m.truncated << 9 |
                               m.recursionDesired << 8 | m.recursionAvailable << 7 | m.authenticData << 5 |
                               m.checkingDisabled << 4 | (m.rcode & 15));
}

}  // namespace

std::optional<Message> decodeMessage(std::string_view packet) {
  Reader reader(packet);
  Message m;
  m.id = reader.u16();
  uint16_t flags = reader.u16();
  m.response = flags >> 15 & 1;
  m.opcode = flags >> 11 & 15;
  m.authoritative = flags >> 10 & 1;
  m.truncated = flags >> 9 & 1;
  m.recursionDesired = flags >> 8 & 1;
  m.recursionAvailable = flags >> 7 & 1;
  m.authenticData = flags >> 5 & 1;
  m.checkingDisabled = flags >> 4 & 1;
  m.rcode = flags & 15;
  size_t questions = reader.u16(), answers = reader.u16(), authority = reader.u16(), additional = reader.u16();
  for (size_t i = 0; i < questions && !reader.bad(); ++i) {
    Question question;
    question.name = reader.name();
    question.type = reader.u16();
    question.cls = reader.u16();
    m.questions.push_back(std::move(question));
  }
  readSection(reader, answers, m.answers, m);
  readSection(reader, authority, m.authority, m);
  readSection(reader, additional, m.additional, m);
  if (reader.bad()) return std::nullopt;
  return m;
}

std::string encodeMessage(const Message& message, size_t limit) {
  Writer writer;
  putU16(writer.out, message.id);
  writer.out.append(kHeaderBytes - 2, '\0');
  for (const Question& question : message.questions) {
    writer.name(question.name);
    putU16(writer.out, question.type);
    putU16(writer.out, question.cls);
  }
  size_t room = limit - (message.edns ? kOptBytes : 0);
  size_t answers = writeSection(writer, message.answers, room);
  bool whole = answers == message.answers.size();
  size_t authority = whole ? writeSection(writer, message.authority, room) : 0;
  whole = whole && authority == message.authority.size();
  size_t additional = whole ? writeSection(writer, message.additional, room) : 0;

  if (message.edns) {
    writer.out += '\0';
    putU16(writer.out, kOPT);
    putU16(writer.out, message.edns->udpSize);
    putU32(writer.out, static_cast<uint32_t>(message.rcode >> 4) << 24 |
                           static_cast<uint32_t>(message.edns->version) << 16 | (message.edns->dnssecOk ? 0x8000U : 0U));
    putU16(writer.out, 0);
  }
  setU16(writer.out, 2, flagsOf(message) | (whole ? 0U : 1U << 9));
  setU16(writer.out, 4, message.questions.size());
  setU16(writer.out, 6, answers);
  setU16(writer.out, 8, authority);
  setU16(writer.out, 10, additional + (message.edns ? 1 : 0));
  return std::move(writer.out);
}

std::string nameData(const Name& name) { return std::string(name.wire()) + '\0'; }

std::string srvData(uint16_t priority, uint16_t weight, uint16_t port, const Name& target) {
  std::string data;
  putU16(data, priority);
  putU16(data, weight);
  putU16(data, port);
  return data + nameData(target);
}

std::string txtData(std::string_view text) {
  text = text.substr(0, 255);
  return static_cast<char>(text.size()) + std::string(text);
}

std::string soaData(const Soa& soa) {
  std::string data = nameData(soa.primary) + nameData(soa.mailbox);
  for (uint32_t number : {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum}) putU32(data, number);
  return data;
}

std::optional<uint32_t> soaMinimum(const Record& soa) {
  if (soa.type != kSOA || soa.data.size() < 20) return std::nullopt;
  Reader reader(std::string_view(soa.data).substr(soa.data.size() - 4));
  return reader.u32();
}

std::optional<Name> targetOf(const Record& record) {
  if (layoutOf(record.type).names != 1 || layoutOf(record.type).before != 0) return std::nullopt;
  Reader reader(record.data);
  Name name = reader.name();
  return reader.bad() ? std::nullopt : std::optional(name);
}

}  // namespace skiff::dns
