// Files of configuration in the form of API objects (apiserver.config.k8s.io): read, checked strictly, read again when they change.
#pragma once
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/strategy.h"
#include "base/result.h"
#include "base/unique_function.h"
#include "codec/value.h"
#include "rt/file_watcher.h"

namespace skiff::apiserver {

// YAML or JSON of one of the apiVersions; the tree's fields are still unchecked.
Result<codec::DocumentPtr> parseConfig(std::string_view text, std::string_view kind,
                                       std::initializer_list<std::string_view> apiVersions);
// Fields beyond the `known` are errors: a misspelt restriction must not become an absent one.
void checkFields(const codec::Value& map, const std::string& path, std::initializer_list<std::string_view> known, FieldErrors& errors);
// All causes in one error; `path` is the file's.
Status configStatus(const FieldErrors& errors, std::string_view kind);

// Calls `apply` with the file's text now, and again whenever the text has changed. What cannot be applied later is logged, and what
// was in force stays.
class ReloadedFile {
 public:
  using Apply = UniqueFunction<Status(const std::string& text)>;
  enum class Mode { Watched, Once };
  static Result<std::unique_ptr<ReloadedFile>> start(std::string path, Apply apply, Mode mode = Mode::Watched);
  void check();  // reads the file now; called by the watcher

 private:
  ReloadedFile(std::string path, Apply apply) : path_(std::move(path)), apply_(std::move(apply)) {}
  const std::string path_;
  Apply apply_;
  std::mutex mutex_;  // guards applied_, and lets one change in at a time
  std::string applied_;
  std::unique_ptr<rt::FileWatcher> watcher_;  // last: it ends first
};

}  // namespace skiff::apiserver
