#include "apiserver/write_options.h"

#include "apiserver/status.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr size_t kMaxManagerBytes = 128;

std::string_view kindName(OptionsKind kind) {
  switch (kind) {
    case OptionsKind::Create: return "CreateOptions";
    case OptionsKind::Update: return "UpdateOptions";
    default: return "PatchOptions";
  }
}

// Several causes at once, as upstream's aggregate.
class OptionErrors {
 public:
  void add(std::string reason, std::string message, std::string field) {
    causes_.push_back({std::move(reason), std::move(message), std::move(field)});
  }
  Status status(std::string_view kind) {
    if (causes_.empty()) return okStatus();
    if (causes_.size() == 1) return invalidOptions(kind, std::move(causes_.front()));
    std::vector<std::string> texts;
    for (const Cause& cause : causes_) texts.push_back(concat(cause.field, ": ", cause.message));
    ErrorDetails details;
    details.group = "meta.k8s.io";
    details.kind = std::string(kind);
    details.causes = std::move(causes_);
    return Error(Reason::Invalid, concat(kind, ".meta.k8s.io \"\" is invalid: [", join(texts, ", "), "]"),
                 std::move(details));
  }

 private:
  std::vector<Cause> causes_;
};

bool readDryRun(const std::vector<std::string>& values, OptionErrors& errors) {
  bool all = std::ranges::all_of(values, [](const std::string& v) { return v == "All"; });
  if (!all) {
    std::vector<std::string> shown;
    for (const std::string& value : values) shown.push_back(quoted(value));
    errors.add("FieldValueNotSupported",
               concat("Unsupported value: [", join(shown, ","), "]: supported values: \"All\""), "dryRun");
  }
  return !values.empty();
}

bool printable(std::string_view text) {
  return isValidUtf8(text) && std::ranges::none_of(text, [](char c) { return uint8_t(c) < 0x20 || c == 0x7f; });
}

void readManager(const std::string& manager, OptionErrors& errors) {
  if (manager.size() > kMaxManagerBytes)
    errors.add("FieldValueTooLong", concat("Too long: may not be more than ", kMaxManagerBytes, " bytes"), "fieldManager");
  if (!printable(manager))
    errors.add("FieldValueInvalid", concat("Invalid value: ", quoted(manager), ": should only contain printable characters"),
               "fieldManager");
}

FieldValidation readValidation(std::string_view text, OptionErrors& errors) {
  if (text == "Ignore") return FieldValidation::Ignore;
  if (text == "Strict") return FieldValidation::Strict;
  if (!text.empty() && text != "Warn")
    errors.add("FieldValueNotSupported",
               concat("Unsupported value: ", quoted(text),
                      ": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""),
               "fieldValidation");
  return FieldValidation::Warn;
}

Result<Propagation> readPropagation(std::string_view text, OptionErrors& errors) {
  if (text.empty()) return Propagation::Default;
  if (text == "Orphan") return Propagation::Orphan;
  if (text == "Background") return Propagation::Background;
  if (text == "Foreground") return Propagation::Foreground;
  errors.add("FieldValueNotSupported",
             concat("Unsupported value: ", quoted(text),
                    ": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""),
             "propagationPolicy");
  return Propagation::Default;
}

// The body as a tree, or null when there is none.
Result<DocumentEdit> optionsBody(Exchange& exchange) {
  auto document = std::make_shared<codec::Document>();
  if (const InProcessCaller* caller = exchange.caller(); caller && caller->body) {
    document->root = caller->body->root().clone(document->arena);
    return document;
  }
  const SharedBytes& body = exchange.request().body;
  if (body.empty()) return DocumentEdit();
  Format format = TRY(bodyFormat(exchange.request(), Protobuf::Offered));
  if (format == Format::Protobuf) {
    std::vector<std::string> warnings;
    return decodeBody(body, format, expectedKind("meta.k8s.io", "v1", "DeleteOptions"), FieldValidation::Ignore, warnings);
  }
  codec::Arena arena;
  auto parsed = codec::parseJson(body.view(), document->arena);
  if (format == Format::Yaml || !parsed.ok()) {
    std::vector<std::string> warnings;
    return decodeBody(body, format, {"", "v1", "DeleteOptions", api::findType("meta/v1", "DeleteOptions"), nullptr},
                      FieldValidation::Ignore, warnings);
  }
  document->root = *parsed;
  std::string_view kind = document->root["kind"].asString();
  std::string_view version = document->root["apiVersion"].asString();
  if (!kind.empty() && kind != "DeleteOptions")
    return badRequest(concat("no kind ", quoted(kind), " is registered for version ", quoted(version),
                             " in scheme \"pkg/runtime/scheme.go:111\""));
  return document;
}

}  // namespace

Result<WriteOptions> parseWriteOptions(const Query& query, OptionsKind kind) {
  WriteOptions options;
  OptionErrors errors;
  bool apply = kind == OptionsKind::ApplyPatch;
  std::optional<bool> force = query.flag("force");
  options.fieldManager = std::string(query.get("fieldManager"));
  if (kind == OptionsKind::Patch && force)
    errors.add("FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force");
  if (apply && options.fieldManager.empty())
    errors.add("FieldValueRequired", "Required value: is required for apply patch", "fieldManager");
  options.force = force.value_or(false);
  readManager(options.fieldManager, errors);
  options.dryRun = readDryRun(query.all("dryRun"), errors);
  options.fieldValidation = readValidation(query.get("fieldValidation"), errors);
  TRY(errors.status(kindName(kind)));
  return options;
}

Result<DeleteOptions> parseDeleteOptions(Exchange& exchange) {
  DeleteOptions options;
  OptionErrors errors;
  DocumentEdit body = TRY(optionsBody(exchange));
  const Query& query = exchange.query;
  if (body) {
    const Value& root = body->root;
    std::vector<std::string> dryRun;
    for (const Value& value : root["dryRun"].items()) dryRun.push_back(value.str());
    if (dryRun.empty()) dryRun = query.all("dryRun");
    options.dryRun = readDryRun(dryRun, errors);
    if (root["gracePeriodSeconds"].isInt()) options.how.gracePeriodSeconds = root["gracePeriodSeconds"].asInt();
    options.how.propagation = TRY(readPropagation(root["propagationPolicy"].asString(), errors));
    if (root["orphanDependents"].isBool() && options.how.propagation == Propagation::Default)
      options.how.propagation = root["orphanDependents"].asBool() ? Propagation::Orphan : Propagation::Background;
    options.how.uid = root["preconditions"]["uid"].str();
    options.how.resourceVersion = root["preconditions"]["resourceVersion"].str();
  } else {
    options.dryRun = readDryRun(query.all("dryRun"), errors);
    options.how.gracePeriodSeconds = TRY(query.number("gracePeriodSeconds"));
    options.how.propagation = TRY(readPropagation(query.get("propagationPolicy"), errors));
    if (auto orphan = query.flag("orphanDependents")) {
      if (!query.get("propagationPolicy").empty())
        errors.add("FieldValueInvalid",
                   concat("Invalid value: ", quoted(query.get("propagationPolicy")),
                          ": orphanDependents and deletionPropagation cannot be both set"),
                   "propagationPolicy");
      options.how.propagation = *orphan ? Propagation::Orphan : Propagation::Background;
    }
  }
  TRY(errors.status("DeleteOptions"));
  return options;
}

}  // namespace skiff::apiserver
