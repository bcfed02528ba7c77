#include "apiserver/auth/config_file.h"

#include <algorithm>

#include "base/log.h"
#include "base/read_file.h"
#include "base/strings.h"
#include "codec/yaml.h"

namespace skiff::apiserver {

using codec::Value;

Result<codec::DocumentPtr> parseConfig(std::string_view text, std::string_view kind,
                                       std::initializer_list<std::string_view> apiVersions) {
  auto document = std::make_shared<codec::Document>();
  std::vector<std::string> duplicates;
  document->root = TRY(codec::parseYaml(document->arena.copy(text), document->arena, &duplicates));
  if (!duplicates.empty()) return Error(Reason::Invalid, concat("strict decoding error: key ", quoted(duplicates[0]), " already set in map"));
  const Value& root = document->root;
  if (root["kind"].asString() != kind || std::ranges::find(apiVersions, root["apiVersion"].asString()) == apiVersions.end())
    return Error(Reason::Invalid, concat("expected ", kind, " of ", *apiVersions.begin(), ", got ", quoted(root["kind"].asString()),
                                         " of ", quoted(root["apiVersion"].asString())));
  return codec::DocumentPtr(std::move(document));
}

void checkFields(const Value& map, const std::string& path, std::initializer_list<std::string_view> known, FieldErrors& errors) {
  if (!map.isMap() && !map.isNull()) return errors.typeInvalid(path, "", "must be an object");
  for (const codec::Member& member : map.members())
    if (std::ranges::find(known, member.key) == known.end())
      errors.add({"FieldValueInvalid", "unknown field", path.empty() ? std::string(member.key) : concat(path, ".", member.key)});
}

Status configStatus(const FieldErrors& errors, std::string_view kind) {
  if (errors.empty()) return okStatus();
  std::vector<std::string> texts;
  for (const Cause& cause : errors.causes()) texts.push_back(concat(cause.field, ": ", cause.message));
  return Error(Reason::Invalid, concat("invalid ", kind, ": ", texts.size() == 1 ? texts[0] : concat("[", join(texts, ", "), "]")));
}

Result<std::unique_ptr<ReloadedFile>> ReloadedFile::start(std::string path, Apply apply, Mode mode) {
  std::unique_ptr<ReloadedFile> file(new ReloadedFile(std::move(path), std::move(apply)));
  std::string text = TRY(readFile(file->path_));
  if (auto applied = file->apply_(text); !applied.ok()) return std::move(applied).error().wrap(file->path_);
  file->applied_ = std::move(text);
  if (mode == Mode::Once) return file;
  file->watcher_ = TRY(rt::FileWatcher::watch({file->path_}, [raw = file.get()] { raw->check(); }));
  file->check();  // what has changed before it was watched
  return file;
}

void ReloadedFile::check() {
  std::lock_guard lock(mutex_);
  auto text = readFile(path_);
  if (!text.ok()) return log::error("Cannot read a file of configuration again", {{"err", text.error().message()}});
  if (*text == applied_) return;
  applied_ = *text;
  if (auto done = apply_(applied_); !done.ok())
    return log::error("A changed file of configuration is not applied", {{"file", path_}, {"err", done.error().message()}});
  log::info("Applied a changed file of configuration", {{"file", path_}});
}

}  // namespace skiff::apiserver
