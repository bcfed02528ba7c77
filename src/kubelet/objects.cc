#include "kubelet/objects.h"

#include "base/strings.h"
#include "gen/authentication_v1.h"
#include "gen/certificates_v1.h"
#include "rt/stop.h"

namespace skiff::kubelet {
namespace {

// People read this in the pod's status, in upstream's words: configmap "a" not found.
template <class T>
Result<T> named(Result<T> found, std::string_view kind, std::string_view name) {
  if (found.failedWith(Reason::NotFound)) return Error(Reason::NotFound, concat(kind, " ", quoted(name), " not found"));
  return found;
}

}  // namespace

Result<api::core::v1::ConfigMap> ApiObjects::configMap(std::string_view ns, std::string_view name) {
  return named(api_.get<api::core::v1::ConfigMap>(ns, name), "configmap", name);
}

Result<api::core::v1::Secret> ApiObjects::secret(std::string_view ns, std::string_view name) {
  return named(api_.get<api::core::v1::Secret>(ns, name), "secret", name);
}

std::vector<std::shared_ptr<const api::core::v1::Service>> ApiObjects::services(std::string_view ns) {
  // Right after our start the list may be on its way still, and a container's environment never changes again.
  for (int waited = 0; !services_.synced() && waited < 10000; waited += 10) rt::StopSignal().waitFor(milliseconds(10));
  return services_.list(ns);
}

Result<TokenSource::Token> ApiObjects::serviceAccountToken(const Pod& pod,
                                                           const api::core::v1::ServiceAccountTokenProjection& what) {
  api::authentication::v1::TokenRequest request;
  if (!what.audience.empty()) request.spec.audiences = {what.audience};
  request.spec.expirationSeconds = what.expirationSeconds.value_or(3600);
  auto& bound = request.spec.boundObjectRef.emplace();
  bound.kind = "Pod";
  bound.apiVersion = "v1";
  bound.name = pod.metadata.name;
  bound.uid = pod.metadata.uid;
  std::string account = pod.spec.serviceAccountName.empty() ? "default" : pod.spec.serviceAccountName;
  client::Resource accounts{"", "v1", "serviceaccounts", true};
  auto made = TRY(api_.createObject(accounts, pod.metadata.namespace_, api::Object::fromTyped(request), account, "token"));
  if (!made) return internalError("the server answered a token request with nothing");
  auto typed = TRY(made->as<api::authentication::v1::TokenRequest>());
  return Token{typed->status.token, typed->status.expirationTimestamp.value};
}

Result<std::string> ApiObjects::trustBundle(const api::core::v1::ClusterTrustBundleProjection& what) {
  using Bundle = api::certificates::v1::ClusterTrustBundle;
  if (what.name) return TRY(named(api_.get<Bundle>("", *what.name), "clustertrustbundle", *what.name)).spec.trustBundle;
  Error none(Reason::NotFound, "combination of signerName and labelSelector matched zero ClusterTrustBundles");
  if (!what.labelSelector) return none;  // an empty one chooses all, an absent one nothing
  client::ListOptions options;
  if (what.signerName) options.fieldSelector = concat("spec.signerName=", *what.signerName);
  options.labelSelector = TRY(api::LabelSelector::fromTyped(*what.labelSelector)).str();
  std::string all;
  std::set<std::string> parts;  // each once, in a stable order
  for (const auto& bundle : TRY(api_.list<Bundle>(options))) parts.insert(std::string(trim(bundle.spec.trustBundle)));
  for (const auto& part : parts) all += concat(part, "\n");
  if (all.empty()) return none;
  return all;
}

Result<std::string> ApiObjects::claimPath(std::string_view ns, std::string_view claim, bool* readOnly) {
  auto found = TRY(named(api_.get<api::core::v1::PersistentVolumeClaim>(ns, claim), "persistentvolumeclaim", claim));
  if (found.spec.volumeName.empty()) return badRequest(concat("persistentvolumeclaim ", quoted(claim), " is not bound"));
  auto volume = TRY(api_.get<api::core::v1::PersistentVolume>("", found.spec.volumeName));
  *readOnly = found.spec.accessModes.size() == 1 && found.spec.accessModes[0] == "ReadOnlyMany";
  if (volume.spec.hostPath) return volume.spec.hostPath->path;
  if (volume.spec.local) return volume.spec.local->path;
  return badRequest(concat("persistentvolume ", quoted(volume.metadata.name), ": this kind is not supported"));
}

Result<std::string> ApiObjects::requestCertificate(const Pod& pod, const api::core::v1::PodCertificateProjection& what,
                                                   const std::string& stubCsrDer) {
  const std::string& ns = pod.metadata.namespace_;
  const std::string account = pod.spec.serviceAccountName.empty() ? "default" : pod.spec.serviceAccountName;
  auto serviceAccount = TRY(named(api_.get<api::core::v1::ServiceAccount>(ns, account), "serviceaccount", account));
  auto node = TRY(named(api_.get<api::core::v1::Node>("", nodeName_), "node", nodeName_));
  api::certificates::v1::PodCertificateRequest request;
  request.metadata.namespace_ = ns;
  request.metadata.name = concat("req-", newUid());
  auto& owner = request.metadata.ownerReferences.emplace_back();
  owner.apiVersion = "v1";
  owner.kind = "Pod";
  owner.name = pod.metadata.name;
  owner.uid = pod.metadata.uid;
  auto& spec = request.spec;
  spec.signerName = what.signerName;
  spec.podName = pod.metadata.name;
  spec.podUID = pod.metadata.uid;
  spec.serviceAccountName = account;
  spec.serviceAccountUID = serviceAccount.metadata.uid;
  spec.nodeName = nodeName_;
  spec.nodeUID = node.metadata.uid;
  spec.maxExpirationSeconds = what.maxExpirationSeconds;
  spec.stubPKCS10Request = stubCsrDer;
  spec.unverifiedUserAnnotations = what.userAnnotations;
  return TRY(api_.create(request)).metadata.name;
}

Result<api::certificates::v1::PodCertificateRequest> ApiObjects::certificateRequest(std::string_view ns,
                                                                                     std::string_view name) {
  return api_.get<api::certificates::v1::PodCertificateRequest>(ns, name);
}

}  // namespace skiff::kubelet
