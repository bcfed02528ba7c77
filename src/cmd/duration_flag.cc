#include "cmd/duration_flag.h"

#include "api/scalars.h"
#include "base/strings.h"

namespace skiff::cmd {
namespace {

template <class Unit>
void add(Flags& flags, std::string name, Unit* to, std::string help) {
  auto read = [to, name](std::string_view text) -> Status {
    auto parsed = api::parseDuration(text);
    if (!parsed || parsed->count() < 0)
      return badRequest(concat("invalid argument ", quoted(text), " for \"--", name, "\" flag: time: invalid duration ", quoted(text)));
    *to = std::chrono::duration_cast<Unit>(*parsed);
    return okStatus();
  };
  flags.custom(std::move(name), read, std::move(help));
}

}  // namespace

void addDuration(Flags& flags, std::string name, std::chrono::milliseconds* to, std::string help) {
  add(flags, std::move(name), to, std::move(help));
}
void addDuration(Flags& flags, std::string name, std::chrono::seconds* to, std::string help) {
  add(flags, std::move(name), to, std::move(help));
}

}  // namespace skiff::cmd
