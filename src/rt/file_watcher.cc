#include "rt/file_watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "base/strings.h"
#include "rt/executor.h"

namespace skiff::rt {
namespace {

// Writers take several steps; a file read between two of them would look broken.
constexpr int kQuietMs = 50;
constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_DELETE;

class Inotify final : public FileWatcher {
 public:
  Inotify(int events, int stop, UniqueFunction<void()> changed) : events_(events), stop_(stop), changed_(std::move(changed)) {
    thread_ = Thread("file-watcher", [this] { run(); });
  }
  ~Inotify() override {
    uint64_t one = 1;
    [[maybe_unused]] auto written = write(stop_, &one, sizeof one);
    thread_.join();
    close(events_);
    close(stop_);
  }

 private:
  void run() {
    bool isPending = false;
    for (;;) {
      pollfd files[] = {{.fd = events_, .events = POLLIN, .revents = 0}, {.fd = stop_, .events = POLLIN, .revents = 0}};
      int ready = poll(files, 2, isPending ? kQuietMs : -1);
      if (files[1].revents != 0) return;
      if (ready > 0) {
        char buffer[4096];
        while (read(events_, buffer, sizeof buffer) > 0) isPending = true;
      } else if (ready == 0 && std::exchange(isPending, false)) {
        changed_();
      }
    }
  }

  const int events_, stop_;
  UniqueFunction<void()> changed_;
  Thread thread_;
};

}  // namespace

Result<std::unique_ptr<FileWatcher>> FileWatcher::watch(const std::vector<std::string>& paths, UniqueFunction<void()> changed) {
  int events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (events < 0) return internalError("cannot watch files: no inotify");
  std::set<std::string> directories;
  for (const std::string& path : paths) {
    size_t slash = path.rfind('/');
    directories.insert(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
  }
  for (const std::string& directory : directories) {
    if (inotify_add_watch(events, directory.c_str(), kEvents) >= 0) continue;
    close(events);
    return internalError(concat("cannot watch the files of ", directory));
  }
  int stop = eventfd(0, EFD_CLOEXEC);
  return std::unique_ptr<FileWatcher>(std::make_unique<Inotify>(events, stop, std::move(changed)));
}

}  // namespace skiff::rt
