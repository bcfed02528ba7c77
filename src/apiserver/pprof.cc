#include "apiserver/pprof.h"

#include <map>

#include "apiserver/gzip.h"
#include "base/strings.h"
#include "codec/wire.h"

namespace skiff::apiserver {
namespace {

using codec::writeBytesField;
using codec::writeVarint;
using codec::writeVarintField;

// Fields of profile.proto.
namespace profile {
constexpr uint32_t kSampleType = 1, kSample = 2, kMapping = 3, kLocation = 4, kFunction = 5, kStringTable = 6, kTimeNanos = 9,
                   kDurationNanos = 10, kPeriodType = 11, kPeriod = 12;
}

std::string hexText(uintptr_t number) {
  char text[2 + 16 + 1];
  std::snprintf(text, sizeof text, "0x%lx", number);
  return text;
}

class ProfileWriter {
 public:
  explicit ProfileWriter(rt::Symbols& symbols) : symbols_(symbols) { stringOf(""); }

  std::string write(const std::map<rt::Stack, uint64_t>& samples, const ProfileForm& form) {
    for (const auto& value : form.values) writeBytesField(out_, profile::kSampleType, valueType(value));
    for (const auto& [stack, count] : samples) writeSample(stack, count, form);
    writeMappings();
    writeVarintField(out_, profile::kTimeNanos, uint64_t(form.timeNanos));
    writeVarintField(out_, profile::kDurationNanos, uint64_t(form.durationNanos));
    writeBytesField(out_, profile::kPeriodType, valueType(form.values.back()));
    writeVarintField(out_, profile::kPeriod, uint64_t(form.values.back().each));
    for (const std::string& text : strings_) writeBytesField(out_, profile::kStringTable, text);
    return std::move(out_);
  }

 private:
  std::string valueType(const ProfileForm::Value& value) {
    std::string message;
    writeVarintField(message, 1, stringOf(value.type));
    writeVarintField(message, 2, stringOf(value.unit));
    return message;
  }

  void writeSample(const rt::Stack& stack, uint64_t count, const ProfileForm& form) {
    std::string locations, values, message;
    for (uintptr_t address : stack) writeVarint(locations, locationOf(address));
    for (const auto& value : form.values) writeVarint(values, count * uint64_t(value.each));
    writeBytesField(message, 1, locations);
    writeBytesField(message, 2, values);
    writeBytesField(out_, profile::kSample, message);
  }

  uint64_t stringOf(std::string_view text) {
    auto [it, isNew] = stringIds_.try_emplace(std::string(text), strings_.size());
    if (isNew) strings_.emplace_back(text);
    return it->second;
  }

  uint64_t functionOf(const std::string& name) {
    auto [it, isNew] = functionIds_.try_emplace(name, functionIds_.size() + 1);
    if (!isNew) return it->second;
    std::string message;
    writeVarintField(message, 1, it->second);
    writeVarintField(message, 2, stringOf(name));
    writeVarintField(message, 3, stringOf(name));
    writeBytesField(out_, profile::kFunction, message);
    return it->second;
  }

  uint64_t locationOf(uintptr_t address) {
    auto [it, isNew] = locationIds_.try_emplace(address, locationIds_.size() + 1);
    if (!isNew) return it->second;
    std::string message;
    writeVarintField(message, 1, it->second);
    if (const auto* mapping = symbols_.mappingOf(address))
      writeVarintField(message, 2, uint64_t(mapping - symbols_.mappings().data()) + 1);
    writeVarintField(message, 3, address);
    if (rt::Symbols::Name name = symbols_.nameOf(address); !name.text.empty()) {
      std::string line;
      writeVarintField(line, 1, functionOf(name.text));
      writeBytesField(message, 4, line);
    }
    writeBytesField(out_, profile::kLocation, message);
    return it->second;
  }

  void writeMappings() {
    uint64_t id = 0;
    for (const auto& mapping : symbols_.mappings()) {
      std::string message;
      writeVarintField(message, 1, ++id);
      writeVarintField(message, 2, mapping.start);
      writeVarintField(message, 3, mapping.end);
      writeVarintField(message, 4, mapping.offset);
      writeVarintField(message, 5, stringOf(mapping.file));
      writeVarintField(message, 7, 1);  // has functions: a reader need not look for the file
      writeBytesField(out_, profile::kMapping, message);
    }
  }

  rt::Symbols& symbols_;
  std::string out_;
  std::vector<std::string> strings_;
  std::map<std::string, uint64_t> stringIds_, functionIds_;
  std::map<uintptr_t, uint64_t> locationIds_;
};

}  // namespace

std::vector<SharedBytes> encodeProfile(const std::map<rt::Stack, uint64_t>& samples, const ProfileForm& form, rt::Symbols& symbols) {
  std::vector<SharedBytes> pieces;
  pieces.emplace_back(ProfileWriter(symbols).write(samples, form));
  return gzip(pieces);
}

std::string profileText(std::string_view title, const std::map<rt::Stack, uint64_t>& samples, rt::Symbols& symbols) {
  uint64_t total = 0;
  for (const auto& [stack, count] : samples) total += count;
  std::string out = concat(title, " profile: total ", total, "\n");
  for (const auto& [stack, count] : samples) {
    out += concat(count, " @");
    for (uintptr_t address : stack) out += concat(" ", hexText(address));
    out += '\n';
    for (uintptr_t address : stack) {
      rt::Symbols::Name name = symbols.nameOf(address);
      if (!name.text.empty()) out += concat("#\t", hexText(address), "\t", name.text, "+", hexText(name.offset), "\n");
    }
    out += '\n';
  }
  return out;
}

}  // namespace skiff::apiserver
