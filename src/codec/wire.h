// Protobuf wire format (https://protobuf.dev/programming-guides/encoding): fields, varints, lengths. No schema here.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skiff::codec {

enum class WireType : uint8_t { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

// Reads one message's fields in turn. Malformed input ends it with failed() true; nothing is read out of bounds.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}
  bool next();  // false at the end or on failure
  uint32_t field() const { return field_; }
  WireType type() const { return type_; }
  uint64_t varint() const { return number_; }       // Varint, Fixed32, Fixed64
  std::string_view bytes() const { return payload_; }  // Bytes
  bool failed() const { return failed_; }

 private:
  bool readVarint(uint64_t* value);
  std::string_view bytes_;
  size_t at_ = 0;
  uint32_t field_ = 0;
  WireType type_ = WireType::Varint;
  uint64_t number_ = 0;
  std::string_view payload_;
  bool failed_ = false;
};

void writeVarint(std::string& out, uint64_t value);
void writeTag(std::string& out, uint32_t field, WireType type);
void writeVarintField(std::string& out, uint32_t field, uint64_t value);
void writeBytesField(std::string& out, uint32_t field, std::string_view bytes);
// Nested messages without a second buffer: begin returns a mark, end inserts the length before it.
size_t beginMessage(std::string& out, uint32_t field);
void endMessage(std::string& out, size_t mark);

}  // namespace skiff::codec
