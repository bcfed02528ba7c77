// Which objects a command is about: arguments and manifests.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/strings.h"
#include "codec/yaml.h"
#include "ctl/session.h"

namespace skiff::ctl {
namespace {

bool isManifest(const std::filesystem::path& path) {
  auto extension = path.extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

std::string slurp(std::istream& in) {
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Result<std::vector<std::string>> filesOf(const std::string& name, bool recursive) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::exists(name, error)) return badRequest(concat("the path ", skiff::quoted(name), " does not exist"));
  if (!fs::is_directory(name, error)) return std::vector<std::string>{name};
  std::vector<std::string> out;
  if (recursive) {
    for (const auto& entry : fs::recursive_directory_iterator(name, error))
      if (entry.is_regular_file(error) && isManifest(entry.path())) out.push_back(entry.path().string());
  } else {
    for (const auto& entry : fs::directory_iterator(name, error))
      if (entry.is_regular_file(error) && isManifest(entry.path())) out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// A List becomes its items.
void addDocument(DocumentPtr document, std::vector<DocumentPtr>& out) {
  const auto& root = document->root;
  if (!root["kind"].asString().ends_with("List") || !root["items"].isList()) {
    out.push_back(std::move(document));
    return;
  }
  for (const auto& item : root["items"].items()) out.push_back(codec::cloneDocument(item));
}

}  // namespace

Result<std::vector<DocumentPtr>> readManifests(const std::vector<std::string>& names, bool recursive) {
  std::vector<DocumentPtr> out;
  for (const auto& name : names) {
    std::vector<std::string> files{name};
    if (name != "-") files = TRY(filesOf(name, recursive));
    for (const auto& file : files) {
      std::string text;
      if (file == "-") {
        text = slurp(std::cin);
      } else {
        std::ifstream in(file, std::ios::binary);
        if (!in) return badRequest(concat("cannot read ", file));
        text = slurp(in);
      }
      auto documents = codec::parseYamlStream(text);
      if (!documents.ok()) return std::move(documents).error().wrap(concat("error parsing ", file));
      for (auto& document : *documents) addDocument(std::move(document), out);
    }
  }
  if (out.empty()) return badRequest("no objects passed");
  return out;
}

Result<std::vector<Target>> targetsOfManifests(Session& session, const std::vector<DocumentPtr>& manifests) {
  std::vector<Target> out;
  for (const auto& manifest : manifests) {
    const auto& root = manifest->root;
    if (!root["kind"].isString()) return badRequest("Object 'Kind' is missing in the manifest");
    Target target{TRY(session.byKind(root["apiVersion"].asString(), root["kind"].asString())), "",
                  root["metadata"]["name"].str(), manifest};
    if (target.resource.namespaced) {
      target.ns = root["metadata"]["namespace"].str();
      if (target.ns.empty()) target.ns = session.ns();
      if (session.nsGiven() && target.ns != session.ns())
        return badRequest(concat("the namespace from the provided object ", skiff::quoted(target.ns),
                                 " does not match the namespace ", skiff::quoted(session.ns()),
                                 ". You must pass '--namespace=", target.ns, "' to perform this operation."));
    }
    out.push_back(std::move(target));
  }
  return out;
}

Result<std::vector<Target>> targetsOf(Session& session, const Args& args) {
  std::vector<Target> out;
  auto add = [&](ApiResource resource, std::string name) {
    std::string ns = resource.namespaced ? session.ns() : "";
    out.push_back({std::move(resource), std::move(ns), std::move(name), nullptr});
  };
  if (args.empty()) return badRequest("You must specify the type of resource");
  if (args[0].find('/') != std::string::npos) {
    for (const auto& arg : args) {
      auto pair = cut(arg, "/");
      if (!pair) return badRequest("there is no need to specify a resource type as a separate argument when passing "
                                   "arguments in resource/name form");
      add(TRY(session.find(pair->first)), std::string(pair->second));
    }
    return out;
  }
  auto kinds = TRY(session.expand(args[0]));
  for (const auto& kind : kinds) {
    if (args.size() == 1) add(kind, "");
    for (size_t i = 1; i < args.size(); ++i) add(kind, args[i]);
  }
  return out;
}

}  // namespace skiff::ctl
