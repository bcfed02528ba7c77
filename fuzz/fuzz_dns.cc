// A DNS message that can be read is written, whole or cut, and reads again; an answer keeps to its limit.
#include "base/result.h"
#include "dns/message.h"

using namespace skiff::dns;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto message = decodeMessage({reinterpret_cast<const char*>(data), size});
  if (!message) return 0;
  auto whole = decodeMessage(encodeMessage(*message, kMaxTcpBytes));
  MUST(whole && whole->answers.size() <= message->answers.size());
  if (message->questions.size() != 1) return 0;  // the responder refuses others
  std::string cut = encodeMessage(*message, 512);
  MUST(cut.size() <= 512 && decodeMessage(cut));
  return 0;
}
