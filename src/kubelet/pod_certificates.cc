#include "kubelet/pod_certificates.h"

#include "base/strings.h"
#include "pki/x509.h"

namespace skiff::kubelet {
namespace {

// A signer that refused to renew is asked again after this time.
constexpr auto kRetryRefresh = std::chrono::minutes(10);

}  // namespace

Result<PodCertificates::Credential> PodCertificates::credential(const Pod& pod, std::string_view volume, size_t source,
                                                                const api::core::v1::PodCertificateProjection& what) {
  std::shared_ptr<State> state;
  {
    std::lock_guard lock(mutex_);
    auto& slot = states_[concat(pod.metadata.uid, "/", volume, "/", source)];
    if (!slot) slot = std::make_shared<State>();
    state = slot;
  }
  const auto now = clock_.now();
  Status done = okStatus();
  if (!state->pendingName.empty()) {
    done = follow(pod, *state);
  } else if (!state->current ? !state->failure
                             : now >= state->refreshAt && (!state->failure || now >= state->failedAt + kRetryRefresh)) {
    done = request(pod, what, *state);
  }
  if (state->current) {
    // Trouble with the next one does not spoil this one.
    if (now < state->notAfter) return *state->current;
    if (state->failure) return Error(*state->failure).wrap("the pod certificate has expired ");
    return Error(Reason::InternalError, "the pod certificate has expired, and there is no other yet");
  }
  if (state->failure) return *state->failure;
  if (!done.ok()) return std::move(done).error();
  return Error(Reason::ServiceUnavailable,
               concat("PodCertificateRequest ", quoted(state->pendingName), " has not been answered yet by signer ",
                      quoted(what.signerName)));
}

Status PodCertificates::request(const Pod& pod, const api::core::v1::PodCertificateProjection& what, State& state) {
  std::string key = TRY(pki::newKeyPem(what.keyType));
  std::string proof = TRY(pki::newStubCsrDer(key));
  state.pendingName = TRY(requests_.requestCertificate(pod, what, proof));
  state.pendingKey = std::move(key);
  state.failure.reset();
  return okStatus();
}

Status PodCertificates::follow(const Pod& pod, State& state) {
  auto found = requests_.certificateRequest(pod.metadata.namespace_, state.pendingName);
  if (found.failedWith(Reason::NotFound)) state.pendingName.clear();  // cleaned up unanswered: the next call asks again
  auto object = TRY(std::move(found));
  const auto& status = object.status;
  for (const auto& condition : status.conditions) {
    if (condition.status != "True") continue;
    if (condition.type == "Issued") {
      state.current = Credential{std::move(state.pendingKey), status.certificateChain};
      state.notAfter = status.notAfter ? status.notAfter->value : WallTime::max();
      state.refreshAt = status.beginRefreshAt ? status.beginRefreshAt->value : state.notAfter;
    } else if (condition.type == "Denied" || condition.type == "Failed") {
      state.failure = Error(Reason::Forbidden, concat("PodCertificateRequest ", quoted(state.pendingName), " was ",
                                                      condition.type == "Denied" ? "denied" : "failed", " by its signer: ",
                                                      condition.reason, ": ", condition.message));
      state.failedAt = clock_.now();
    } else {
      continue;
    }
    state.pendingName.clear();
    state.pendingKey.clear();
    break;
  }
  return okStatus();
}

void PodCertificates::forget(std::string_view uid) {
  std::lock_guard lock(mutex_);
  std::erase_if(states_, [&](const auto& entry) { return entry.first.starts_with(concat(uid, "/")); });
}

}  // namespace skiff::kubelet
