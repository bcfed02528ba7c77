// kubectl explain: finds the kind that is asked about, and the document that describes it.
#include "ctl/explain.h"

#include <cstdio>

#include "base/strings.h"
#include "ctl/commands.h"

namespace skiff::ctl {
namespace {

struct Question {
  ApiResource resource;
  std::vector<std::string_view> path;
};

// "pods.spec.containers", "deployments.apps.spec": as much as names a resource is one, the rest leads to a field.
Result<Question> questionOf(Session& session, std::string_view text) {
  auto parts = split(text, '.');
  for (size_t taken = parts.size(); taken > 1; --taken) {
    auto resource = session.find(join(std::span(parts).first(taken), "."));
    if (resource.ok()) return Question{*resource, {parts.begin() + ptrdiff_t(taken), parts.end()}};
  }
  return Question{TRY(session.find(parts.front())), {parts.begin() + 1, parts.end()}};
}

// The OpenAPI v3 document of a group version, at the address that the server's index gives.
Result<DocumentPtr> documentOf(Session& session, const ApiResource& resource) {
  auto index = TRY(session.get("/openapi/v3"));
  std::string name = concat(resource.group.empty() ? "api/" : "apis/", resource.apiVersion());
  std::string url = index->root["paths"][name]["serverRelativeURL"].str();
  if (url.empty()) return badRequest(concat("couldn't find resource for ", quoted(concat(resource.apiVersion(), ", Resource=", resource.plural))));
  auto parts = cut(url, "?");
  if (!parts) return session.get(url);
  auto parameter = cut(parts->second, "=");
  Query query;
  if (parameter) query.emplace_back(parameter->first, parameter->second);
  return session.get(std::string(parts->first), std::move(query));
}

Result<std::string> answer(Session& session, const Args& args, const std::string& apiVersion, const ExplainOptions& options) {
  if (args.empty())
    return badRequest(R"(You must specify the type of resource to explain. Use "kubectl api-resources" for a complete list of supported resources.)");
  if (args.size() > 1) return badRequest("We accept only this format: explain RESOURCE");
  if (options.maxDepth < 0) return badRequest("--max-depth must be at least 0");
  if (options.maxDepth > 0 && !options.recursive) return badRequest("--max-depth requires --recursive");
  TRY(session.connect());
  Question question = TRY(questionOf(session, args.front()));
  if (!apiVersion.empty()) {
    auto other = session.byKind(apiVersion, question.resource.kind);
    if (!other.ok())
      return badRequest(concat("couldn't find resource for ", quoted(concat(apiVersion, ", Resource=", question.resource.plural))));
    question.resource = *other;
  }
  const ApiResource& resource = question.resource;
  auto document = TRY(documentOf(session, resource));
  return explain(document->root, resource.group, resource.version, resource.kind, question.path, options);
}

}  // namespace

int runExplain(const Args& args) {
  std::string apiVersion, output = "plaintext";
  ExplainOptions options;
  Flags flags;
  Session session(flags);
  flags.text("api-version", &apiVersion, "explain the resource as in this group version")
      .boolean("recursive", &options.recursive, "show the fields of fields, without descriptions", 'R')
      .integer("max-depth", &options.maxDepth, "how deep --recursive goes; 0: no limit")
      .text("output", &output, "plaintext", 'o');
  auto rest = flags.parse(args);
  if (!rest.ok()) return printError(rest.error());
  if (output != "plaintext") return printError(badRequest(concat("unable to match a printer for output format ", quoted(output))));
  auto text = answer(session, *rest, apiVersion, options);
  if (!text.ok()) return printError(text.error());
  std::fputs(text->c_str(), stdout);
  return 0;
}

}  // namespace skiff::ctl
