#include "base/flags.h"

#include "base/strings.h"

namespace skiff {
namespace {

Error invalidArgument(std::string_view value, std::string_view name, std::string_view why) {
  return badRequest(concat("invalid argument ", quoted(value), " for \"--", name, "\" flag: ", why));
}

template <class N>
Flags& addInteger(Flags& flags, std::string name, N* to, std::string help, char shortName) {
  auto set = [to, name](std::string_view value) -> Status {
    auto n = parseInt(value);
    if (!n || *n != N(*n))
      return invalidArgument(value, name, concat("strconv.ParseInt: parsing ", quoted(value), ": invalid syntax"));
    *to = N(*n);
    return okStatus();
  };
  return flags.custom(std::move(name), set, std::move(help), {}, shortName);
}

}  // namespace

Flags& Flags::custom(std::string name, std::function<Status(std::string_view)> set, std::string help, std::string bare,
                     char shortName) {
  flags_[std::move(name)] = {std::move(set), std::move(help), std::move(bare), {}, shortName};
  return *this;
}

Flags& Flags::text(std::string name, std::string* to, std::string help, char shortName) {
  auto shown = *to;
  custom(name, [to](std::string_view value) { return *to = value, okStatus(); }, std::move(help), {}, shortName);
  flags_[name].shown = shown;
  return *this;
}

Flags& Flags::list(std::string name, std::vector<std::string>* to, std::string help, char shortName) {
  return custom(std::move(name), [to, first = true](std::string_view value) mutable {
    if (std::exchange(first, false)) to->clear();  // the command line replaces the default
    for (auto part : splitNonEmpty(value, ',')) to->emplace_back(part);
    return okStatus();
  }, std::move(help), {}, shortName);
}

Flags& Flags::array(std::string name, std::vector<std::string>* to, std::string help, char shortName) {
  return custom(std::move(name), [to](std::string_view value) {
    to->emplace_back(value);
    return okStatus();
  }, std::move(help), {}, shortName);
}

Flags& Flags::boolean(std::string name, bool* to, std::string help, char shortName) {
  return custom(name, [to, name](std::string_view value) -> Status {
    bool yes = value == "true" || value == "1" || value == "t" || value == "True" || value == "TRUE";
    bool no = value == "false" || value == "0" || value == "f" || value == "False" || value == "FALSE";
    if (!yes && !no)
      return invalidArgument(value, name, concat("strconv.ParseBool: parsing ", quoted(value), ": invalid syntax"));
    *to = yes;
    return okStatus();
  }, std::move(help), "true", shortName);
}

Flags& Flags::integer(std::string name, int* to, std::string help, char shortName) {
  return addInteger(*this, std::move(name), to, std::move(help), shortName);
}
Flags& Flags::integer(std::string name, int64_t* to, std::string help, char shortName) {
  return addInteger(*this, std::move(name), to, std::move(help), shortName);
}

Flags::Flag* Flags::byShort(char c, std::string_view* name) {
  for (auto& [longName, flag] : flags_)
    if (flag.shortName == c) {
      *name = longName;
      return &flag;
    }
  return nullptr;
}

Status Flags::assign(Flag& flag, std::string_view value) {
  flag.given = value;
  return flag.set(value);
}

std::vector<std::pair<std::string, std::string>> Flags::values() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, flag] : flags_) out.emplace_back(name, flag.changed ? flag.given : flag.shown);
  return out;
}

Status Flags::setLong(std::string_view name, const std::string* inlineValue, const std::vector<std::string>& args,
                      size_t& at) {
  auto it = flags_.find(name);
  if (it == flags_.end()) return badRequest(concat("unknown flag: --", name));
  it->second.changed = true;
  if (inlineValue) return assign(it->second, *inlineValue);
  if (!it->second.bare.empty()) return assign(it->second, it->second.bare);
  if (at + 1 >= args.size()) return badRequest(concat("flag needs an argument: --", name));
  return assign(it->second, args[++at]);
}

// "it", "nfoo", "n=foo", "n foo".
Status Flags::setShort(std::string_view cluster, const std::vector<std::string>& args, size_t& at) {
  for (size_t i = 0; i < cluster.size(); ++i) {
    std::string_view name;
    Flag* flag = byShort(cluster[i], &name);
    if (!flag) return badRequest(concat("unknown shorthand flag: '", cluster[i], "' in -", cluster));
    flag->changed = true;
    auto rest = cluster.substr(i + 1);
    if (rest.starts_with('=')) return assign(*flag, rest.substr(1));
    if (!flag->bare.empty()) {
      TRY(assign(*flag, flag->bare));
      continue;
    }
    if (!rest.empty()) return assign(*flag, rest);
    if (at + 1 >= args.size()) return badRequest(concat("flag needs an argument: '", cluster[i], "' in -", cluster));
    return assign(*flag, args[++at]);
  }
  return okStatus();
}

Result<std::vector<std::string>> Flags::parse(const std::vector<std::string>& args) {
  std::vector<std::string> rest;
  for (size_t at = 0; at < args.size(); ++at) {
    const std::string& arg = args[at];
    if (arg == "--") {
      dashAt_ = rest.size();
      rest.insert(rest.end(), args.begin() + ptrdiff_t(at) + 1, args.end());
      return rest;
    }
    if (arg.starts_with("--")) {
      auto body = std::string_view(arg).substr(2);
      if (auto pair = cut(body, "=")) {
        std::string value(pair->second);
        TRY(setLong(pair->first, &value, args, at));
      } else {
        TRY(setLong(body, nullptr, args, at));
      }
    } else if (arg.size() > 1 && arg[0] == '-') {
      TRY(setShort(std::string_view(arg).substr(1), args, at));
    } else {
      rest.push_back(arg);
    }
  }
  return rest;
}

bool Flags::changed(std::string_view name) const {
  auto it = flags_.find(name);
  return it != flags_.end() && it->second.changed;
}

std::string Flags::usage() const {
  std::string out;
  for (const auto& [name, flag] : flags_) {
    if (std::find(hidden_.begin(), hidden_.end(), name) != hidden_.end()) continue;
    std::string left = flag.shortName ? concat("  -", flag.shortName, ", --", name) : concat("      --", name);
    if (left.size() < 34) left.resize(34, ' ');
    out += concat(left, " ", flag.help);
    if (!flag.shown.empty()) out += concat(" (default ", quoted(flag.shown), ")");
    out += '\n';
  }
  return out;
}

}  // namespace skiff
