#include "apiserver/extension/conversion_webhook.h"

#include "apiserver/extension/webhook_client.h"
#include "base/clock.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

// Upstream's limit; a definition cannot choose another.
constexpr std::chrono::seconds kTimeout{30};
constexpr std::string_view kGroup = "apiextensions.k8s.io/";
constexpr std::string_view kReviewVersions[] = {"v1", "v1beta1"};  // the two have the same form

// The first version of ConversionReview that the webhook takes and we know.
std::string_view reviewVersion(const Value& webhook) {
  for (const Value& version : webhook["conversionReviewVersions"].items())
    for (std::string_view known : kReviewVersions)
      if (version.asString() == known) return known;
  return {};
}

std::string reviewJson(std::span<const Value* const> objects, std::string_view apiVersion, std::string_view version,
                       std::string_view uid) {
  std::string out = concat(R"({"kind":"ConversionReview","apiVersion":")", kGroup, version, R"(","request":{"uid":")", uid,
                           R"(","desiredAPIVersion":)");
  codec::writeJsonString(out, apiVersion);
  out += R"(,"objects":[)";
  for (size_t i = 0; i < objects.size(); ++i) {
    if (i > 0) out += ',';
    codec::writeJson(out, *objects[i]);
  }
  out += "]}}";
  return out;
}

// What the answer has to be before its objects are looked at.
Status checkReview(const Value& review, std::string_view version, std::string_view uid) {
  auto refuse = [](auto&&... parts) { return Error(Reason::InternalError, concat("invalid response: ", parts...)); };
  if (review["kind"].asString() != "ConversionReview" || review["apiVersion"].asString() != concat(kGroup, version))
    return refuse("expected webhook response of ", kGroup, version, ", Kind=ConversionReview, got ",
                  review["apiVersion"].asString(), ", Kind=", review["kind"].asString());
  const Value& response = review["response"];
  if (!response.isMap()) return refuse("no response provided");
  if (response["uid"].asString() != uid)
    return refuse("expected response.uid=", quoted(uid), ", got ", quoted(response["uid"].asString()));
  const Value& result = response["result"];
  if (result["status"].asString() == "Success") return okStatus();
  std::string_view message = result["message"].asString();
  if (!message.empty()) return Error(Reason::InternalError, std::string(message));
  return refuse("response.result.status was '", result["status"].asString(), "', not 'Success'");
}

// A webhook may change labels and annotations; all else of the metadata is the server's.
Status keepMetadata(Value& converted, const Value& original, Arena& arena) {
  const Value& before = original["metadata"];
  Value* after = converted.find("metadata");
  if (!after || !after->isMap()) return Error(Reason::InternalError, "metadata is missing or no object");
  for (std::string_view key : {"name", "namespace", "uid"})
    if ((*after)[key].asString() != before[key].asString())
      return Error(Reason::InternalError, concat("must have the same ", key, ": ", (*after)[key].asString(), " != ",
                                                 before[key].asString()));
  Value kept = before.clone(arena);
  for (std::string_view key : {"labels", "annotations"}) {
    kept.erase(key);
    if (const Value* changed = after->find(key); changed && !changed->empty()) kept.set(arena, key, *changed);
  }
  *after = kept;
  return okStatus();
}

Status checkObject(Value& converted, const Value& original, std::string_view apiVersion, Arena& arena) {
  if (converted["apiVersion"].asString() != apiVersion)
    return Error(Reason::InternalError,
                 concat("invalid groupVersion, expected ", apiVersion, ", got ", converted["apiVersion"].asString()));
  if (converted["kind"].asString() != original["kind"].asString())
    return Error(Reason::InternalError,
                 concat("invalid kind, expected ", original["kind"].asString(), ", got ", converted["kind"].asString()));
  return keepMetadata(converted, original, arena);
}

class ConversionWebhook final : public ObjectConverter {
 public:
  ConversionWebhook(std::shared_ptr<extension::WebhookClient> client, api::ObjectPtr definition)
      : client_(std::move(client)), definition_(std::move(definition)) {}

  Result<std::vector<codec::DocumentPtr>> convert(std::span<const Value* const> objects,
                                                  std::string_view apiVersion) const override {
    if (objects.empty()) return std::vector<codec::DocumentPtr>();
    auto converted = tryConvert(objects, apiVersion);
    if (converted.ok()) return converted;
    const Value& first = *objects.front();
    return Error(Reason::InternalError, concat("conversion webhook for ", first["apiVersion"].asString(), ", Kind=",
                                               first["kind"].asString(), " failed: ", converted.error().message()));
  }

 private:
  Result<std::vector<codec::DocumentPtr>> tryConvert(std::span<const Value* const> objects, std::string_view apiVersion) const {
    const Value& webhook = definition_->root()["spec"]["conversion"]["webhook"];
    std::string_view version = reviewVersion(webhook);
    if (version.empty()) return Error(Reason::InternalError, "no version of ConversionReview that both sides know");
    std::string uid = newUid();
    auto review = TRY(client_->post(webhook["clientConfig"], reviewJson(objects, apiVersion, version, uid), kTimeout));
    TRY(checkReview(review->root, version, uid));
    std::span<const Value> answers = std::as_const(review->root)["response"]["convertedObjects"].items();
    if (answers.size() != objects.size())
      return Error(Reason::InternalError, concat("returned ", answers.size(), " objects, expected ", objects.size()));
    std::vector<codec::DocumentPtr> out;
    for (size_t i = 0; i < answers.size(); ++i) {
      auto document = codec::cloneDocument(answers[i]);
      Status fits = checkObject(document->root, *objects[i], apiVersion, document->arena);
      if (!fits.ok()) return std::move(fits).error().wrap(concat("returned invalid converted object at index ", i));
      out.push_back(std::move(document));
    }
    return out;
  }

  std::shared_ptr<extension::WebhookClient> client_;
  api::ObjectPtr definition_;  // spec.conversion lies in its tree
};

}  // namespace

MakeConverter webhookConverters(const ClusterReader& cluster) {
  return [client = std::make_shared<extension::WebhookClient>(cluster)](
             const api::ObjectPtr& definition) -> std::shared_ptr<const ObjectConverter> {
    if (definition->root()["spec"]["conversion"]["strategy"].asString() != "Webhook") return nullptr;
    return std::make_shared<ConversionWebhook>(client, definition);
  };
}

}  // namespace skiff::apiserver
