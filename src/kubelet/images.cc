#include "kubelet/images.h"

#include "base/strings.h"
#include "codec/json.h"

namespace skiff::kubelet {
namespace {

api::core::v1::ObjectReference aboutContainer(const Pod& pod, const Container& c, ContainerKind kind) {
  auto ref = client::EventRecorder::referenceTo(pod);
  ref.fieldPath = fieldPathOf(c.name, kind);
  return ref;
}

std::string formatSeconds(microseconds time) {
  auto ms = std::chrono::duration_cast<milliseconds>(time).count();
  if (ms < 1000) return concat(ms, "ms");
  std::string rest = std::to_string(ms % 1000);
  return concat(ms / 1000, ".", std::string(3 - rest.size(), '0'), rest, "s");
}

// "user:password" in base64, or the two fields.
cri::AuthConfig authOf(const codec::Value& entry, std::string_view registry) {
  cri::AuthConfig out;
  out.username = entry["username"].str();
  out.password = entry["password"].str();
  out.identityToken = entry["identitytoken"].str();
  out.serverAddress = std::string(registry);
  if (auto decoded = base64Decode(entry["auth"].asString()); decoded && !decoded->empty()) {
    if (auto parts = cut(*decoded, ":")) {
      out.username = std::string(parts->first);
      out.password = std::string(parts->second);
    }
  }
  return out;
}

}  // namespace

std::string normalizedImageName(std::string_view name) {
  std::string out(name);
  size_t slash = out.find('/');
  std::string_view head = slash == std::string::npos ? std::string_view() : std::string_view(out).substr(0, slash);
  bool registry = head.find('.') != std::string_view::npos || head.find(':') != std::string_view::npos || head == "localhost";
  if (slash == std::string::npos) {
    out = "docker.io/library/" + out;
  } else if (!registry) {
    out = "docker.io/" + out;
  }
  bool tagged = out.find(':', out.find_last_of('/')) != std::string::npos || out.find('@') != std::string::npos;
  return tagged ? out : out + ":latest";
}

std::string registryOf(std::string_view normalizedName) {
  return std::string(normalizedName.substr(0, normalizedName.find('/')));
}

std::vector<cri::AuthConfig> ImageManager::credentials(const Pod& pod, const std::string& image) {
  std::vector<cri::AuthConfig> out;
  const std::string registry = registryOf(normalizedImageName(image));
  for (const auto& ref : pod.spec.imagePullSecrets) {
    auto secret = objects_.secret(pod.metadata.namespace_, ref.name);
    if (!secret.ok()) continue;  // as upstream: the pull is tried without it
    bool legacy = secret->type == "kubernetes.io/dockercfg";
    auto it = secret->data.find(legacy ? ".dockercfg" : ".dockerconfigjson");
    if (it == secret->data.end()) continue;
    codec::Arena arena;
    auto parsed = codec::parseJson(it->second, arena);
    if (!parsed.ok()) continue;
    for (const auto& entry : (legacy ? *parsed : (*parsed)["auths"]).members()) {
      std::string_view host = entry.key;
      for (std::string_view prefix : {"https://", "http://"})
        if (host.starts_with(prefix)) host.remove_prefix(prefix.size());
      host = host.substr(0, host.find('/'));
      if (host == registry || (registry == "docker.io" && host == "index.docker.io"))
        out.push_back(authOf(entry.value, registry));
    }
  }
  return out;
}

Result<std::string> ImageManager::pull(const Pod& pod, const std::string& image, const cri::PodSandboxConfig& sandbox) {
  cri::PullImageRequest request;
  request.image.image = image;
  request.sandboxConfig = sandbox;
  auto tries = credentials(pod, image);
  if (tries.empty()) return runtime_.pullImage(request);
  Result<std::string> last = internalError("not tried");
  for (auto& auth : tries) {
    request.auth = auth;
    last = runtime_.pullImage(request);
    if (last.ok()) break;
  }
  return last;
}

ImageManager::Outcome ImageManager::ensure(const Pod& pod, const Container& c, ContainerKind kind,
                                           const cri::PodSandboxConfig& sandbox) {
  const auto about = aboutContainer(pod, c, kind);
  const std::string image = normalizedImageName(c.image);
  Outcome out;
  auto found = runtime_.imageStatus(image);
  if (!found.ok()) {
    out.waiting = {"ImageInspectError", concat("Failed to inspect image ", quoted(c.image), ": ", found.error().message())};
    out.retryAfter = seconds(10);
    events_.record(about, "Warning", "InspectFailed", out.waiting.message);
    return out;
  }
  auto use = [&](const cri::Image& present) {
    out.ref = present.id;
    out.uid = present.uid;
    out.username = present.username;
  };
  bool always = c.imagePullPolicy == "Always";
  if (*found && !always) {
    use(**found);
    events_.record(about, "Normal", "Pulled", concat("Container image ", quoted(c.image), " already present on machine"));
    return out;
  }
  if (c.imagePullPolicy == "Never") {
    out.waiting = {"ErrImageNeverPull", concat("Container image ", quoted(c.image),
                                               " is not present with pull policy of Never")};
    out.retryAfter = seconds(60);
    events_.record(about, "Warning", "ErrImageNeverPull", out.waiting.message);
    return out;
  }
  const std::string key = concat(pod.metadata.uid, "/", image);
  {
    std::lock_guard lock(mutex_);
    if (auto failed = failures_.find(key); failed != failures_.end()) {
      out.retryAfter = backoff_.remaining(key, failed->second.at, clock_.now());
      if (out.retryAfter.count() > 0)
        out.waiting = {"ImagePullBackOff", concat("Back-off pulling image ", quoted(c.image), ": ", failed->second.message)};
    }
  }
  if (!out.waiting.reason.empty()) {
    events_.record(about, "Normal", "BackOff", concat("Back-off pulling image ", quoted(c.image)));
    events_.record(about, "Warning", "Failed", "Error: ImagePullBackOff");
    return out;
  }
  events_.record(about, "Normal", "Pulling", concat("Pulling image ", quoted(c.image)));
  auto start = clock_.steadyNow();
  auto pulled = pull(pod, image, sandbox);
  if (!pulled.ok()) {
    out.waiting = {"ErrImagePull", pulled.error().message()};
    events_.record(about, "Warning", "Failed", concat("Failed to pull image ", quoted(c.image), ": ", pulled.error().message()));
    events_.record(about, "Warning", "Failed", "Error: ErrImagePull");
    std::lock_guard lock(mutex_);
    backoff_.next(key, clock_.now());
    failures_[key] = {clock_.now(), concat("ErrImagePull: ", pulled.error().message())};
    out.retryAfter = backoff_.delay(key);
    return out;
  }
  {
    std::lock_guard lock(mutex_);
    failures_.erase(key);
    backoff_.forget(key);
  }
  std::string time = formatSeconds(std::chrono::duration_cast<microseconds>(clock_.steadyNow() - start));
  auto present = runtime_.imageStatus(image);
  uint64_t size = present.ok() && *present ? (*present)->size : 0;
  events_.record(about, "Normal", "Pulled",
                 concat("Successfully pulled image ", quoted(c.image), " in ", time, " (", time,
                        " including waiting). Image size: ", size, " bytes."));
  if (present.ok() && *present) {
    use(**present);
  } else {
    out.ref = *pulled;
  }
  return out;
}

void ImageManager::forget(std::string_view uid) {
  std::lock_guard lock(mutex_);
  const std::string prefix = concat(uid, "/");
  for (auto it = failures_.lower_bound(prefix); it != failures_.end() && it->first.starts_with(prefix);) {
    backoff_.forget(it->first);
    it = failures_.erase(it);
  }
}

std::string ImageManager::imageId(const std::string& ref) {
  {
    std::lock_guard lock(mutex_);
    if (auto it = imageIds_.find(ref); it != imageIds_.end()) return it->second;
  }
  std::string id = ref;
  if (auto found = runtime_.imageStatus(ref); found.ok() && *found && !(*found)->repoDigests.empty())
    id = (*found)->repoDigests[0];
  std::lock_guard lock(mutex_);
  return imageIds_[ref] = id;
}

}  // namespace skiff::kubelet
