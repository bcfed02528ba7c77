#include "apiserver/list_options.h"

#include "apiserver/crd.h"
#include "apiserver/status.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

Error optionsError(Cause cause) { return invalidOptions("ListOptions", std::move(cause)); }
Error forbiddenMatch(std::string_view why) {
  return optionsError({"FieldValueForbidden", concat("Forbidden: ", why), "resourceVersionMatch"});
}

// The first of these fields that says something.
std::string firstText(const Value& object, std::initializer_list<std::string_view> fields) {
  for (std::string_view field : fields)
    if (std::string text = api::fieldText(object, field); !text.empty()) return text;
  return {};
}

Status checkFields(const api::FieldSelector& selector, const ServedResource& resource) {
  std::span<const std::string_view> known = resource.info->fieldSelectors;
  constexpr std::string_view kAlways[] = {"metadata.name", "metadata.namespace"};
  if (known.empty()) known = kAlways;
  for (const auto& requirement : selector.requirements()) {
    if (std::ranges::find(known, requirement.field) != known.end()) continue;
    if (resource.custom || known.size() > 2)
      return badRequest(concat("field label not supported: ", requirement.field));
    return badRequest(concat(quoted(requirement.field),
                             " is not a known field selector: only \"metadata.name\", \"metadata.namespace\""));
  }
  return okStatus();
}

Status readVersion(ListOptions& options, std::string_view text) {
  options.versionGiven = !text.empty();
  if (text.empty()) return okStatus();
  auto value = parseUint(text);
  if (!value || *value > uint64_t(INT64_MAX))
    return badRequest(concat("invalid resource version: resourceVersion: Invalid value: ", quoted(text),
                             ": strconv.ParseUint: parsing ", quoted(text), ": invalid syntax"));
  options.version = store::Revision(*value);
  return okStatus();
}

Status readMatch(ListOptions& options, std::string_view match, ListPurpose purpose) {
  using Match = ListOptions::Match;
  if (match == "Exact") options.match = Match::Exact;
  else if (match == "NotOlderThan") options.match = Match::NotOlderThan;
  else if (!match.empty())
    return optionsError({"FieldValueNotSupported",
                         concat("Unsupported value: ", quoted(match),
                                ": supported values: \"Exact\", \"NotOlderThan\", \"\""),
                         "resourceVersionMatch"});
  if (purpose == ListPurpose::Watch) {
    if (options.sendInitialEvents) {
      if (options.match != Match::NotOlderThan)
        return forbiddenMatch("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    } else if (options.match != Match::Unset) {
      return forbiddenMatch("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    }
    return okStatus();
  }
  if (options.sendInitialEvents)
    return optionsError({"FieldValueForbidden", "Forbidden: sendInitialEvents is forbidden for list", "sendInitialEvents"});
  if (options.match == Match::Unset) return okStatus();
  if (!options.continueToken.empty())
    return forbiddenMatch("resourceVersionMatch is forbidden when continue is provided");
  if (!options.versionGiven) return forbiddenMatch("resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (options.match == Match::Exact && options.version == 0)
    return forbiddenMatch("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  return okStatus();
}

}  // namespace

std::string selectableText(const Value& object, std::string_view field) {
  if (field == "status.successful") {
    std::string text = api::fieldText(object, "status.succeeded");
    return text.empty() ? "0" : text;
  }
  if (field == "source")
    return firstText(object, {"source.component", "reportingComponent"});
  if (field == "spec.unschedulable" || field == "spec.hostNetwork") {
    std::string text = api::fieldText(object, field);
    return text.empty() ? "false" : text;
  }
  return api::fieldText(object, field);
}

bool ListOptions::matches(const api::Object& object) const {
  if (!labels.empty() && !labels.matches(object.labels())) return false;
  for (const auto& requirement : fields.requirements())
    if ((selectableText(object.root(), requirement.field) == requirement.value) != requirement.equal) return false;
  return true;
}

Result<ListOptions> parseListOptions(const Query& query, const ServedResource& resource, ListPurpose purpose,
                                     std::string_view nameOnPath) {
  ListOptions options;
  options.limit = TRY(query.number("limit")).value_or(0);
  options.timeoutSeconds = TRY(query.number("timeoutSeconds"));
  options.bookmarks = query.flag("allowWatchBookmarks").value_or(false);
  options.sendInitialEvents = query.flag("sendInitialEvents");
  options.continueToken = std::string(query.get("continue"));
  auto labels = api::LabelSelector::parse(query.get("labelSelector"));
  if (!labels.ok()) return badRequest(labels.error().message());
  options.labels = std::move(labels).value();
  auto fields = api::FieldSelector::parse(query.get("fieldSelector"));
  if (!fields.ok()) return badRequest(fields.error().message());
  options.fields = std::move(fields).value();
  TRY(checkFields(options.fields, resource));
  for (const auto& requirement : options.fields.requirements())
    if (requirement.equal && requirement.field == "metadata.name") options.exactName = requirement.value;
  if (!nameOnPath.empty()) options.exactName = std::string(nameOnPath);
  TRY(readVersion(options, query.get("resourceVersion")));
  TRY(readMatch(options, query.get("resourceVersionMatch"), purpose));
  if (!options.continueToken.empty() && options.version != 0)
    return badRequest("specifying resource version is not allowed when using continue");
  if (options.limit < 0) options.limit = 0;
  return options;
}

std::string encodeContinue(const ContinueToken& token) {
  std::string json = concat("{\"v\":\"meta.k8s.io/v1\",\"rv\":", token.revision, ",\"start\":");
  codec::writeJsonString(json, token.startKey);
  json += '}';
  return base64UrlEncode(json);
}

Result<ContinueToken> decodeContinue(std::string_view text) {
  auto bytes = base64UrlDecode(text);
  if (!bytes) return badRequest("invalid continue token: continue key is not valid: illegal base64 data");
  codec::Arena arena;
  auto json = codec::parseJson(*bytes, arena);
  if (!json.ok()) return badRequest(concat("invalid continue token: continue key is not valid: ", json.error().message()));
  if ((*json)["v"].asString() != "meta.k8s.io/v1")
    return badRequest(concat("invalid continue token: continue key is not valid: server does not recognize this encoded version ",
                             quoted((*json)["v"].asString())));
  ContinueToken token;
  token.revision = (*json)["rv"].asInt();
  token.startKey = (*json)["start"].str();
  if (token.revision == 0)
    return badRequest("invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  if (token.startKey.empty())
    return badRequest("invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)");
  return token;
}

}  // namespace skiff::apiserver
