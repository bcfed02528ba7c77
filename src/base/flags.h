// Command-line flags as pflag reads them: --name=value, --name value, -n value, -nvalue, -it, --bool, --no value needed
// for booleans, flags and arguments mixed, "--" ends flags.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff {

class Flags {
 public:
  // Each binds a variable that keeps its value as the default. shortName 0: none.
  Flags& text(std::string name, std::string* to, std::string help, char shortName = 0);
  Flags& list(std::string name, std::vector<std::string>* to, std::string help, char shortName = 0);  // repeated or commas
  Flags& boolean(std::string name, bool* to, std::string help, char shortName = 0);
  Flags& integer(std::string name, int* to, std::string help, char shortName = 0);
  Flags& integer(std::string name, int64_t* to, std::string help, char shortName = 0);
  // The value is handed to `set`; `bare` is used when the flag stands without a value ("" : a value is needed).
  Flags& custom(std::string name, std::function<Status(std::string_view)> set, std::string help, std::string bare = {},
                char shortName = 0);
  // Commas are part of the value (--from-literal, --overrides).
  Flags& array(std::string name, std::vector<std::string>* to, std::string help, char shortName = 0);
  void hide(std::string_view name) { hidden_.push_back(std::string(name)); }

  // The arguments that are no flags. Errors in pflag's words: "unknown flag: --x".
  Result<std::vector<std::string>> parse(const std::vector<std::string>& args);
  bool changed(std::string_view name) const;  // was it on the command line?
  // Every flag with its value as text: as given, or the default where that is known.
  std::vector<std::pair<std::string, std::string>> values() const;
  std::string usage() const;                   // one line a flag, sorted

  // Where "--" stood among the arguments parse() returned; npos when it was absent.
  size_t dashAt() const { return dashAt_; }

 private:
  struct Flag {
    std::function<Status(std::string_view)> set;
    std::string help, bare, shown;  // shown: the default, for usage
    char shortName = 0;
    bool changed = false;
    std::string given;  // the last value on the command line
  };
  static Status assign(Flag& flag, std::string_view value);
  Status setLong(std::string_view name, const std::string* inlineValue, const std::vector<std::string>& args, size_t& at);
  Status setShort(std::string_view cluster, const std::vector<std::string>& args, size_t& at);
  Flag* byShort(char c, std::string_view* name);
  std::map<std::string, Flag, std::less<>> flags_;
  std::vector<std::string> hidden_;
  size_t dashAt_ = std::string::npos;
};

}  // namespace skiff
