// Quantities, durations, times, base64 and int-or-string: canonical text is a fixed point, and numbers survive it.
//   kind, text
#include "api/quantity.h"
#include "api/scalar_text.h"
#include "api/scalars.h"
#include "base/clock.h"
#include "base/result.h"
#include "codec/value.h"
#include "fuzz/input.h"

using namespace skiff;
using namespace skiff::api;

namespace {

void quantity(std::string_view text) {
  std::string canonical = canonicalQuantity(text);
  MUST(canonicalQuantity(canonical) == canonical);
  auto parsed = Quantity::parse(text);
  MUST(parsed.has_value() == quantityParseError(text).empty());
  if (!parsed) return;
  auto again = Quantity::parse(parsed->str());
  MUST(again && *again == *parsed && again->str() == parsed->str());
  MUST(parsed->sign() == (parsed->isZero() ? 0 : *parsed < Quantity() ? -1 : 1));
  (void)parsed->value();
  (void)parsed->milliValue();
  (void)parsed->roundedUpToMilli();
  Quantity twice = *parsed + *parsed;
  if (!twice.saturated()) MUST(twice - *parsed == *parsed);
}

void duration(std::string_view text) {
  auto parsed = parseDuration(text);
  if (parsed) MUST(parseDuration(formatDuration(*parsed)) == parsed);
}

void time(std::string_view text) {
  auto parsed = parseRfc3339(text);
  if (parsed) (void)formatRfc3339(*parsed), (void)formatRfc3339Micro(*parsed);
}

template <class Canonical>
void fixedPoint(std::string_view text, Canonical canonical) {
  codec::Arena arena;
  auto once = canonical(text, arena);
  if (!once.ok() || once->isNull()) return;
  auto twice = canonical(once->asString(), arena);
  MUST(twice.ok() && twice->asString() == once->asString());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  uint8_t kind = input.byte();
  std::string_view text = input.rest();
  switch (kind % 6) {
    case 0:
      quantity(text);
      fixedPoint(text, canonicalQuantityValue);
      break;
    case 1:
      duration(text);
      fixedPoint(text, canonicalDuration);
      break;
    case 2:
      time(text);
      fixedPoint(text, canonicalTime);
      break;
    case 3:
      fixedPoint(text, canonicalMicroTime);
      break;
    case 4:
      fixedPoint(text, canonicalBase64);
      break;
    default:
      (void)scaledValue(IntOrString::of(std::string(text)), int32_t(kind) * 1000003, kind % 2 == 0);
  }
  return 0;
}
