#include "kubelet/volumes.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strings.h"
#include "kubelet/files.h"

namespace skiff::kubelet {
namespace {

using api::core::v1::KeyToPath;
using api::core::v1::Volume;

std::optional<gid_t> fsGroupOf(const Pod& pod) {
  if (pod.spec.securityContext && pod.spec.securityContext->fsGroup) return gid_t(*pod.spec.securityContext->fsGroup);
  return std::nullopt;
}

// All keys, or the chosen ones under their paths.
Result<Payload> payloadOf(const std::map<std::string, std::string>& data, const std::vector<KeyToPath>& items,
                          int32_t defaultMode, bool optional, std::string_view what) {
  Payload out;
  if (items.empty()) {
    for (const auto& [key, value] : data) out[key] = {value, mode_t(defaultMode), {}};
    return out;
  }
  for (const auto& item : items) {
    auto it = data.find(item.key);
    if (it == data.end()) {
      if (optional) continue;
      return Error(Reason::NotFound, concat(what, " references non-existent ", what == "secret" ? "secret" : "config",
                                            " key: ", item.key));
    }
    out[item.path] = {it->second, mode_t(item.mode.value_or(defaultMode)), {}};
  }
  return out;
}

std::map<std::string, std::string> allData(const api::core::v1::ConfigMap& map) {
  auto out = map.data;
  for (const auto& [key, value] : map.binaryData) out[key] = value;
  return out;
}
std::map<std::string, std::string> allData(const api::core::v1::Secret& secret) { return secret.data; }

// An absent optional object is an empty one.
template <class T>
Result<std::map<std::string, std::string>> dataOf(Result<T> object, bool optional) {
  if (object.ok()) return allData(*object);
  if (optional && object.failedWith(Reason::NotFound)) return std::map<std::string, std::string>{};
  return std::move(object).error();
}

Error typeCheckFailed(const std::string& path, std::string_view problem) {
  return {Reason::InternalError, concat("hostPath type check failed: ", path, " is not ", problem)};
}

// As upstream: group may read and write, folders hand the group on.
void giveToGroup(const std::string& path, gid_t group) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return;
  if (::lchown(path.c_str(), uid_t(-1), group) != 0) log::warn("Could not set the volume's group", {{"path", path}});
  if (S_ISLNK(info.st_mode)) return;
  mode_t mode = (info.st_mode & 07777) | 0660;
  if (S_ISDIR(info.st_mode)) mode |= S_ISGID | 0110;
  ::chmod(path.c_str(), mode);
  if (!S_ISDIR(info.st_mode)) return;
  for (const auto& name : listDir(path)) giveToGroup(concat(path, "/", name), group);
}

Result<Fd> openBeneath(int root, const std::string& path, uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  long fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
  if (fd < 0) return errnoError("open", path);
  return Fd(int(fd));
}

// Creates the folders of `path` below root that are missing, never following a link out of it.
Status makeDirsBeneath(int root, const std::string& path, mode_t mode) {
  std::string done;
  for (std::string_view part : splitNonEmpty(path, '/')) {
    std::string next = done.empty() ? std::string(part) : concat(done, "/", part);
    auto there = openBeneath(root, next, O_PATH);
    if (!there.ok()) {
      if (!there.failedWith(Reason::NotFound)) return std::move(there).error();
      Fd parent = TRY(openBeneath(root, done.empty() ? "." : done, O_PATH | O_DIRECTORY));
      if (::mkdirat(parent.fd, std::string(part).c_str(), mode) != 0 && errno != EEXIST) return errnoError("mkdir", next);
    }
    done = std::move(next);
  }
  return okStatus();
}

}  // namespace

bool VolumeManager::isLive(const Pod& pod) {
  for (const auto& v : pod.spec.volumes)
    if (v.configMap || v.secret || v.downwardAPI || v.projected) return true;
  return false;
}

std::string VolumeManager::volumeDir(const Pod& pod, std::string_view plugin, std::string_view name) const {
  return concat(podDir(pod.metadata.uid), "/volumes/kubernetes.io~", plugin, "/", name);
}

Status VolumeManager::setUp(const PodFacts& facts) {
  for (const auto& volume : facts.pod->spec.volumes) {
    auto done = setUpOne(facts, volume);
    if (!done.ok())
      return std::move(done).error().wrap(concat("MountVolume.SetUp failed for volume ", skiff::quoted(volume.name), " "));
  }
  return okStatus();
}

Status VolumeManager::setUpOne(const PodFacts& facts, const Volume& v) {
  const Pod& pod = *facts.pod;
  const std::string& ns = pod.metadata.namespace_;
  if (v.emptyDir) return setUpEmptyDir(pod, v);
  if (v.hostPath) return checkHostPath(*v.hostPath);
  if (v.configMap) {
    bool optional = v.configMap->optional.value_or(false);
    auto data = TRY(dataOf(objects_.configMap(ns, v.configMap->name), optional));
    auto payload = TRY(payloadOf(data, v.configMap->items, v.configMap->defaultMode.value_or(0644), optional, "configmap"));
    return project(facts, "configmap", v.name, false, std::move(payload));
  }
  if (v.secret) {
    bool optional = v.secret->optional.value_or(false);
    auto data = TRY(dataOf(objects_.secret(ns, v.secret->secretName), optional));
    auto payload = TRY(payloadOf(data, v.secret->items, v.secret->defaultMode.value_or(0644), optional, "secret"));
    return project(facts, "secret", v.name, true, std::move(payload));
  }
  if (v.downwardAPI) {
    auto payload = TRY(downwardPayload(facts, v.downwardAPI->items, v.downwardAPI->defaultMode.value_or(0644)));
    return project(facts, "downward-api", v.name, true, std::move(payload));
  }
  if (v.projected) {
    auto payload = TRY(projectedPayload(facts, v.name, *v.projected));
    return project(facts, "projected", v.name, true, std::move(payload));
  }
  if (v.persistentVolumeClaim) {
    bool readOnly = false;
    TRY(tokens_.claimPath(ns, v.persistentVolumeClaim->claimName, &readOnly));
    return okStatus();
  }
  return badRequest("this kind of volume is not supported");
}

Status VolumeManager::setUpEmptyDir(const Pod& pod, const Volume& v) {
  const std::string dir = volumeDir(pod, "empty-dir", v.name);
  const auto& source = *v.emptyDir;
  const std::string ready = concat(podDir(pod.metadata.uid), "/plugins/kubernetes.io~empty-dir/", v.name, "/ready");
  bool memory = source.medium == "Memory";
  if (!source.medium.empty() && !memory) return badRequest(concat("medium ", source.medium, " is not supported"));
  if (exists(ready) && (!memory || isMountPoint(dir))) return okStatus();
  mode_t mode = mode_t(source.mode.value_or(0777));
  TRY(makeDirs(dir, 0755));
  ::chmod(dir.c_str(), mode);
  if (memory) {
    uint64_t size = source.sizeLimit ? uint64_t(source.sizeLimit->value()) : 0;
    TRY(mountTmpfs(dir, size, mode));
  }
  if (auto group = fsGroupOf(pod)) giveToGroup(dir, *group);
  TRY(makeDirs(ready.substr(0, ready.find_last_of('/'))));
  return writeFile(ready, "");
}

Status VolumeManager::checkHostPath(const api::core::v1::HostPathVolumeSource& source) {
  const std::string type = source.type.value_or("");
  const std::string& path = source.path;
  if (type == "DirectoryOrCreate" && !exists(path)) return makeDirs(path);
  if (type == "FileOrCreate" && !exists(path)) return writeFile(path, "");
  if (type.empty()) return okStatus();
  struct stat info {};
  bool there = ::stat(path.c_str(), &info) == 0;
  mode_t kind = there ? info.st_mode & S_IFMT : 0;
  if (type.starts_with("Directory") && kind != S_IFDIR) return typeCheckFailed(path, "a directory");
  if (type.starts_with("File") && kind != S_IFREG) return typeCheckFailed(path, "a file");
  if (type == "Socket" && kind != S_IFSOCK) return typeCheckFailed(path, "a socket file");
  if (type == "CharDevice" && kind != S_IFCHR) return typeCheckFailed(path, "a character device");
  if (type == "BlockDevice" && kind != S_IFBLK) return typeCheckFailed(path, "a block device");
  return okStatus();
}

Status VolumeManager::project(const PodFacts& facts, std::string_view plugin, const std::string& name, bool inMemory,
                              Payload payload) {
  const std::string dir = volumeDir(*facts.pod, plugin, name);
  TRY(makeDirs(dir));
  if (inMemory && !isMountPoint(dir)) TRY(mountTmpfs(dir, 0, 0755));
  ::chmod(dir.c_str(), 0777);
  auto group = fsGroupOf(*facts.pod);
  if (group && ::chown(dir.c_str(), uid_t(-1), *group) != 0) return errnoError("chown", dir);
  return writePayload(dir, payload, group, clock_);
}

Result<Payload> VolumeManager::downwardPayload(const PodFacts& facts,
                                               const std::vector<api::core::v1::DownwardAPIVolumeFile>& items,
                                               int32_t defaultMode) {
  Payload out;
  for (const auto& item : items) {
    std::string content;
    if (item.fieldRef) content = TRY(fieldValue(facts, item.fieldRef->fieldPath));
    if (item.resourceFieldRef) content = TRY(resourceFieldValue(facts, *item.resourceFieldRef, ""));
    out[item.path] = {std::move(content), mode_t(item.mode.value_or(defaultMode)), {}};
  }
  return out;
}

Result<Payload> VolumeManager::projectedPayload(const PodFacts& facts, const std::string& volume,
                                                const api::core::v1::ProjectedVolumeSource& source) {
  const std::string& ns = facts.pod->metadata.namespace_;
  int32_t mode = source.defaultMode.value_or(0644);
  Payload out;
  for (size_t i = 0; i < source.sources.size(); ++i) {
    const auto& s = source.sources[i];
    Payload part;
    if (s.configMap) {
      bool optional = s.configMap->optional.value_or(false);
      auto data = TRY(dataOf(objects_.configMap(ns, s.configMap->name), optional));
      part = TRY(payloadOf(data, s.configMap->items, mode, optional, "configmap"));
    } else if (s.secret) {
      bool optional = s.secret->optional.value_or(false);
      auto data = TRY(dataOf(objects_.secret(ns, s.secret->name), optional));
      part = TRY(payloadOf(data, s.secret->items, mode, optional, "secret"));
    } else if (s.downwardAPI) {
      part = TRY(downwardPayload(facts, s.downwardAPI->items, mode));
    } else if (s.serviceAccountToken) {
      auto token = TRY(currentToken(*facts.pod, volume, *s.serviceAccountToken));
      part[s.serviceAccountToken->path] = privateFile(*facts.pod, std::move(token), mode_t(mode));
    } else if (s.podCertificate) {
      part = TRY(certificatePayload(*facts.pod, volume, i, mode_t(mode), *s.podCertificate));
    } else if (s.clusterTrustBundle) {
      auto bundle = tokens_.trustBundle(*s.clusterTrustBundle);
      if (bundle.ok()) {
        part[s.clusterTrustBundle->path] = {std::move(*bundle), mode_t(mode), {}};
      } else if (bundle.failedWith(Reason::NotFound) && s.clusterTrustBundle->optional.value_or(false)) {
        part[s.clusterTrustBundle->path] = {"", mode_t(mode), {}};
      } else {
        return std::move(bundle).error();
      }
    } else {
      return badRequest("this projection is not supported");
    }
    for (auto& [path, file] : part) out[path] = std::move(file);
  }
  return out;
}

// Readable by whoever the containers run as: by group with an fsGroup, by the one common user, else as the volume says.
ProjectedFile VolumeManager::privateFile(const Pod& pod, std::string content, mode_t mode) {
  ProjectedFile file{std::move(content), mode, {}};
  if (fsGroupOf(pod)) {
    file.mode = 0600;
    return file;
  }
  const auto& context = pod.spec.securityContext;
  std::optional<int64_t> user;
  bool oneUser = true;
  eachContainer(pod, [&](const Container& c, ContainerKind) {
    std::optional<int64_t> own = c.securityContext && c.securityContext->runAsUser ? c.securityContext->runAsUser
                                 : context                                         ? context->runAsUser
                                                                                   : std::nullopt;
    if (!own || (user && *user != *own)) oneUser = false;
    user = own;
  });
  if (oneUser && user) {
    file.owner = uid_t(*user);
    file.mode = 0600;
  }
  return file;
}

Result<Payload> VolumeManager::certificatePayload(const Pod& pod, const std::string& volume, size_t source, mode_t mode,
                                                  const api::core::v1::PodCertificateProjection& what) {
  auto credential = TRY(certificates_.credential(pod, volume, source, what));
  Payload out;
  auto put = [&](const std::string& path, std::string content) {
    if (!path.empty()) out[path] = privateFile(pod, std::move(content), mode);
  };
  put(what.credentialBundlePath, credential.keyPem + credential.chainPem);
  put(what.keyPath, credential.keyPem);
  put(what.certificateChainPath, credential.chainPem);
  return out;
}

Result<std::string> VolumeManager::currentToken(const Pod& pod, const std::string& volume,
                                                const api::core::v1::ServiceAccountTokenProjection& source) {
  const std::string key = concat(pod.metadata.uid, "/", volume, "/", source.audience, "/", source.path);
  {
    std::lock_guard lock(mutex_);
    auto it = tokenCache_.find(key);
    if (it != tokenCache_.end() && clock_.now() < it->second.refreshAt) return it->second.token;
  }
  auto made = tokens_.serviceAccountToken(pod, source);
  std::lock_guard lock(mutex_);
  if (!made.ok()) {
    // A token that still lives is better than none.
    if (auto it = tokenCache_.find(key); it != tokenCache_.end()) return it->second.token;
    return std::move(made).error();
  }
  auto now = clock_.now();
  auto life = made->expires - now;
  tokenCache_[key] = {made->token, now + std::min<microseconds>(life * 8 / 10, std::chrono::hours(24))};
  return made->token;
}

Result<VolumeManager::VolumePath> VolumeManager::pathOf(const Pod& pod, const Volume& v) {
  if (v.hostPath) return VolumePath{v.hostPath->path, false};
  if (v.emptyDir) return VolumePath{volumeDir(pod, "empty-dir", v.name), false};
  if (v.configMap) return VolumePath{volumeDir(pod, "configmap", v.name), true};
  if (v.secret) return VolumePath{volumeDir(pod, "secret", v.name), true};
  if (v.downwardAPI) return VolumePath{volumeDir(pod, "downward-api", v.name), true};
  if (v.projected) return VolumePath{volumeDir(pod, "projected", v.name), true};
  if (v.persistentVolumeClaim) {
    VolumePath path;
    path.hostPath = TRY(tokens_.claimPath(pod.metadata.namespace_, v.persistentVolumeClaim->claimName, &path.readOnly));
    path.readOnly = path.readOnly || v.persistentVolumeClaim->readOnly;
    return path;
  }
  return badRequest(concat("volume ", v.name, ": this kind is not supported"));
}

Result<std::string> VolumeManager::subPath(const Pod& pod, const std::string& dir, const std::string& volume,
                                           const std::string& container, size_t index, const std::string& path) {
  Fd root(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (root.fd < 0) return errnoError("open", dir);
  auto target = openBeneath(root.fd, path, O_PATH);
  if (!target.ok() && target.failedWith(Reason::NotFound)) {
    struct stat info {};
    mode_t mode = ::fstat(root.fd, &info) == 0 ? info.st_mode & 07777 : 0755;
    TRY(makeDirsBeneath(root.fd, path, mode));
    target = openBeneath(root.fd, path, O_PATH);
  }
  if (!target.ok()) return std::move(target).error().wrap(concat("subPath ", path));
  struct stat info {};
  if (::fstat(target->fd, &info) != 0) return errnoError("stat", path);

  const std::string parent = concat(podDir(pod.metadata.uid), "/volume-subpaths/", volume, "/", container);
  const std::string place = concat(parent, "/", index);
  TRY(makeDirs(parent));
  if (exists(place)) TRY(unmount(place));  // of an earlier attempt: it may show an old version
  if (S_ISDIR(info.st_mode)) {
    if (exists(place) && !isDirectory(place)) ::unlink(place.c_str());
    TRY(makeDirs(place));
  } else {
    if (isDirectory(place)) ::rmdir(place.c_str());
    TRY(writeFile(place, ""));
  }
  // Through the open descriptor: what was checked is what gets mounted.
  TRY(bindMount(concat("/proc/self/fd/", target->fd), place));
  return place;
}

Status VolumeManager::tearDown(std::string_view uid) {
  const std::string dir = podDir(uid);
  {
    std::lock_guard lock(mutex_);
    std::erase_if(tokenCache_, [&](const auto& entry) { return entry.first.starts_with(concat(uid, "/")); });
  }
  certificates_.forget(uid);
  if (!exists(dir)) return okStatus();
  TRY(unmountUnder(dir));
  return removeTree(dir);
}

std::vector<std::string> VolumeManager::podUids() const { return listDir(podsDir_); }

}  // namespace skiff::kubelet
