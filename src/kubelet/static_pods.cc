#include "kubelet/static_pods.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "api/convert.h"
#include "api/schema.h"
#include "base/log.h"
#include "base/strings.h"
#include "codec/yaml.h"
#include "gen/core_v1.h"
#include "kubelet/files.h"

namespace skiff::kubelet {
namespace {

std::string hashOf(std::string_view bytes) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(fnv64a(bytes)),
                static_cast<unsigned long long>(fnv64a(concat(bytes, "#"))));
  return text;
}

}  // namespace

Result<Pod> staticPodFrom(std::string_view manifest, std::string_view nodeName) {
  codec::Arena arena;
  codec::Value tree = TRY(codec::parseYaml(manifest, arena));
  if (tree["kind"].asString() != "Pod" || tree["apiVersion"].asString() != "v1") return badRequest("not a v1 Pod");
  const api::TypeInfo& type = *Pod::binding().type;
  api::DecodeReport report;
  TRY(api::conform(tree, type, arena, report));
  api::applyDefaults(tree, type, arena);
  Pod pod = TRY(api::fromValue<Pod>(tree));
  if (pod.metadata.name.empty()) return badRequest("the pod has no name");
  const std::string hash = hashOf(concat(manifest, "\n", nodeName));
  pod.metadata.name = concat(pod.metadata.name, "-", nodeName);
  if (pod.metadata.namespace_.empty()) pod.metadata.namespace_ = "default";
  pod.metadata.uid = hash;
  pod.metadata.annotations[std::string(kConfigSource)] = "file";
  pod.metadata.annotations[std::string(kConfigHash)] = hash;
  pod.spec.nodeName = std::string(nodeName);
  pod.status = {};
  pod.status.phase = "Pending";
  api::core::v1::Toleration all;  // a static pod stays whatever befalls its node
  all.operator_ = "Exists";
  all.effect = "NoExecute";
  pod.spec.tolerations.push_back(std::move(all));
  return pod;
}

void StaticPods::start() {
  if (config_.options.staticPodPath.empty()) return;
  thread_ = rt::Thread("kubelet-static", [this] { watch(); });
}

void StaticPods::stop() {
  stop_.raise();
  if (thread_.joinable()) thread_.join();
}

void StaticPods::watch() {
  Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ::inotify_add_watch(inotify.fd, config_.options.staticPodPath.c_str(),
                      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE);
  scan();
  while (!stop_.raised()) {
    pollfd waiting{inotify.fd, POLLIN, 0};
    if (::poll(&waiting, 1, 1000) <= 0) continue;
    char events[4096];
    while (::read(inotify.fd, events, sizeof events) > 0) {
    }
    scan();
  }
}

void StaticPods::scan() {
  std::map<std::string, PodPtr> now;
  const std::string& dir = config_.options.staticPodPath;
  for (const auto& name : listDir(dir)) {
    if (name.starts_with(".")) continue;
    auto text = readFile(concat(dir, "/", name), 10 * 1024 * 1024);
    if (!text.ok()) continue;
    auto pod = staticPodFrom(*text, config_.options.nodeName);
    if (!pod.ok()) {
      log::warn("Not a static pod", {{"file", name}, {"err", pod.error().message()}});
      continue;
    }
    now[name] = std::make_shared<const Pod>(std::move(*pod));
  }
  std::map<std::string, PodPtr> before;
  {
    std::lock_guard lock(mutex_);
    before = std::exchange(pods_, now);
  }
  auto has = [](const std::map<std::string, PodPtr>& pods, const std::string& uid) {
    return std::any_of(pods.begin(), pods.end(), [&](const auto& p) { return p.second->metadata.uid == uid; });
  };
  for (const auto& [file, pod] : before) {
    if (has(now, pod->metadata.uid)) continue;
    handler_.gone(pod);
    client::DeleteOptions options;
    options.gracePeriodSeconds = 0;
    auto removed = api_.remove<Pod>(pod->metadata.namespace_, pod->metadata.name, options);
    if (!removed.ok() && !removed.failedWith(Reason::NotFound))
      log::warn("Could not remove a mirror pod", {{"pod", podKey(*pod)}, {"err", removed.error().message()}});
  }
  for (const auto& [file, pod] : now) {
    if (has(before, pod->metadata.uid)) continue;
    handler_.changed(pod);
    ensureMirror(*pod);
  }
}

void StaticPods::ensureMirror(const Pod& pod) {
  Pod mirror = pod;
  mirror.metadata.uid.clear();
  mirror.metadata.annotations[std::string(kConfigMirror)] = pod.metadata.annotations.at(std::string(kConfigHash));
  if (auto node = api_.get<api::core::v1::Node>("", config_.options.nodeName); node.ok()) {
    api::meta::v1::OwnerReference owner;
    owner.apiVersion = "v1";
    owner.kind = "Node";
    owner.name = node->metadata.name;
    owner.uid = node->metadata.uid;
    owner.controller = true;
    mirror.metadata.ownerReferences = {owner};
  }
  auto made = api_.create(mirror);
  if (!made.ok() && !made.failedWith(Reason::AlreadyExists))
    log::warn("Could not create a mirror pod", {{"pod", podKey(pod)}, {"err", made.error().message()}});
}

void StaticPods::mirrorChanged(const PodPtr& mirror) {
  const std::string hash = mirror->metadata.annotations.at(std::string(kConfigMirror));
  PodPtr own;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [file, pod] : pods_)
      if (podKey(*pod) == podKey(*mirror)) own = pod;
  }
  if (own && own->metadata.uid == hash && !mirror->metadata.deletionTimestamp) {
    handler_.mirrorSeen(hash, mirror);
    return;
  }
  // Of an older version, of a file that is gone, or being deleted: away with it; a new one follows.
  client::DeleteOptions options;
  options.gracePeriodSeconds = 0;
  options.uid = mirror->metadata.uid;
  auto removed = api_.remove<Pod>(mirror->metadata.namespace_, mirror->metadata.name, options);
  (void)removed;  // the informer tells when it is gone
}

void StaticPods::mirrorGone(const PodPtr& mirror) {
  PodPtr own;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [file, pod] : pods_)
      if (podKey(*pod) == podKey(*mirror)) own = pod;
  }
  if (own && !stop_.raised()) ensureMirror(*own);
}

}  // namespace skiff::kubelet
