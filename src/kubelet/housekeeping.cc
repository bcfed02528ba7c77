#include "kubelet/housekeeping.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/strings.h"
#include "kubelet/container_logs.h"

namespace skiff::kubelet {
namespace {

constexpr int64_t kMaxLogBytes = 10 * 1024 * 1024;
constexpr int kMaxLogFiles = 5;
constexpr int kHighPercent = 85, kLowPercent = 80;

int usedPercent(const std::string& path) {
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) != 0 || disk.f_blocks == 0) return 0;
  return int(100 - disk.f_bavail * 100 / disk.f_blocks);
}

}  // namespace

void rotateLogs(const NodeConfig& config, cri::Client& runtime, const PodWorkers& workers) {
  for (const auto& view : workers.all()) {
    if (!view.runtime) continue;
    for (const auto& c : view.runtime->containers) {
      if (!c.running() || c.logPath.empty()) continue;
      auto moved = rotateLog(c.logPath, kMaxLogBytes, kMaxLogFiles, *config.clock);
      if (!moved.ok()) {
        log::warn("Could not rotate a log", {{"path", c.logPath}, {"err", moved.error().message()}});
      } else if (*moved) {
        if (auto done = runtime.reopenContainerLog(c.id); !done.ok())
          log::warn("Could not reopen a log", {{"path", c.logPath}, {"err", done.error().message()}});
      }
    }
  }
}

std::vector<cri::Image> unusedImages(std::vector<cri::Image> images, const std::vector<cri::Container>& containers,
                                     const std::string& pauseImage) {
  std::set<std::string> used{pauseImage};
  for (const auto& c : containers) {
    used.insert(c.imageRef);
    used.insert(c.image.image);
  }
  std::erase_if(images, [&](const cri::Image& image) {
    auto named = [&](const std::string& name) { return used.contains(name); };
    return image.pinned || named(image.id) || std::any_of(image.repoTags.begin(), image.repoTags.end(), named) ||
           std::any_of(image.repoDigests.begin(), image.repoDigests.end(), named);
  });
  std::sort(images.begin(), images.end(), [](const auto& a, const auto& b) { return a.size > b.size; });
  return images;
}

namespace {

template <class Enough>
void removeImages(cri::Client& runtime, const std::string& pauseImage, Enough enough) {
  auto images = runtime.listImages();
  auto containers = runtime.listContainers();
  if (!images.ok() || !containers.ok()) return;
  for (const auto& image : unusedImages(std::move(*images), *containers, pauseImage)) {
    if (enough()) return;
    if (auto removed = runtime.removeImage(image.id); !removed.ok())
      log::warn("Could not remove an unused image", {{"image", image.id}, {"err", removed.error().message()}});
  }
}

}  // namespace

void collectImages(const NodeConfig& config, cri::Client& runtime, const std::string& pauseImage) {
  if (usedPercent(config.options.rootDir) < kHighPercent) return;
  removeImages(runtime, pauseImage, [&] { return usedPercent(config.options.rootDir) < kLowPercent; });
}

void removeUnusedImages(cri::Client& runtime, const std::string& pauseImage) {
  removeImages(runtime, pauseImage, [] { return false; });
}

}  // namespace skiff::kubelet
