#include "kubelet/container_logs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "kubelet/files.h"

namespace skiff::kubelet {
namespace {

constexpr size_t kBlock = 64 * 1024;

class LogStreamer {
 public:
  LogStreamer(const std::string& path, const LogOptions& options, const std::function<bool(std::string)>& sink,
              const std::function<bool()>& running)
      : path_(path), options_(options), sink_(sink), running_(running), left_(options.limitBytes.value_or(INT64_MAX)),
        inotify_(-1) {}

  Status run() {
    Fd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.fd < 0) return errnoError("open", path_);
    int64_t offset = 0;
    if (options_.tailLines) offset = TRY(tailOffset(file.fd, *options_.tailLines));
    if (::lseek(file.fd, offset, SEEK_SET) < 0) return errnoError("seek", path_);
    if (options_.follow) {
      inotify_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
      ::inotify_add_watch(inotify_.fd, path_.c_str(), IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF);
    }
    for (;;) {
      // Asked before reading: what was written until the end is then read for sure.
      bool more = options_.follow && running_();
      if (!TRY(drain(file.fd))) return okStatus();
      if (!more && !rotated(file.fd)) return okStatus();
      if (rotated(file.fd)) {
        Fd next(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
        if (next.fd >= 0) {
          if (!TRY(drain(file.fd))) return okStatus();
          file = std::move(next);
          ::inotify_add_watch(inotify_.fd, path_.c_str(), IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF);
          continue;
        }
      }
      if (!sink_("")) return okStatus();  // only asks whether the reader is still there
      awaitChange();
    }
  }

 private:
  // False: enough was sent, or nobody reads any more.
  Result<bool> drain(int fd) {
    char buffer[kBlock];
    for (;;) {
      ssize_t n = ::read(fd, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errnoError("read", path_);
      if (n == 0) return true;
      pending_.append(buffer, size_t(n));
      std::string out;
      size_t begin = 0;
      for (size_t end; (end = pending_.find('\n', begin)) != std::string::npos; begin = end + 1)
        append(out, std::string_view(pending_).substr(begin, end - begin));
      pending_.erase(0, begin);
      if (int64_t(out.size()) > left_) out.resize(size_t(left_));
      left_ -= int64_t(out.size());
      if (!out.empty() && !sink_(std::move(out))) return false;
      if (left_ <= 0) return false;
    }
  }

  void append(std::string& out, std::string_view raw) {
    auto line = parseLogLine(raw);
    if (!line || (!options_.stream.empty() && line->stream != options_.stream)) return;
    if (options_.since) {
      auto time = parseRfc3339(line->time);
      if (time && *time < *options_.since) return;
    }
    if (options_.timestamps && !continues_) out += concat(line->time, " ");
    out += line->text;
    continues_ = line->partial;
    if (!line->partial) out += '\n';
  }

  bool rotated(int fd) const {
    struct stat open {}, named {};
    if (!options_.follow || ::fstat(fd, &open) != 0 || ::stat(path_.c_str(), &named) != 0) return false;
    return open.st_ino != named.st_ino || open.st_dev != named.st_dev;
  }

  void awaitChange() {
    pollfd waiting{inotify_.fd, POLLIN, 0};
    // The end of the container writes nothing, so look up once in a while.
    if (::poll(&waiting, 1, 250) > 0) {
      char events[4096];
      while (::read(inotify_.fd, events, sizeof events) > 0) {
      }
    }
  }

  const std::string& path_;
  const LogOptions& options_;
  const std::function<bool(std::string)>& sink_;
  const std::function<bool()>& running_;
  int64_t left_;
  Fd inotify_;
  std::string pending_;
  bool continues_ = false;
};

}  // namespace

std::optional<LogLine> parseLogLine(std::string_view line) {
  LogLine out;
  auto take = [&line](std::string_view* part) {
    size_t space = line.find(' ');
    if (space == std::string_view::npos) return false;
    *part = line.substr(0, space);
    line.remove_prefix(space + 1);
    return true;
  };
  std::string_view tag;
  if (!take(&out.time) || !take(&out.stream)) return std::nullopt;
  if (!take(&tag)) {  // an empty text may come without its space
    tag = line;
    line = {};
  }
  if (out.stream != "stdout" && out.stream != "stderr") return std::nullopt;
  out.partial = tag.substr(0, tag.find(':')) == "P";
  out.text = line;
  return out;
}

Result<int64_t> tailOffset(int fd, int64_t lines) {
  off_t end = ::lseek(fd, 0, SEEK_END);
  if (end < 0) return errnoError("seek", "log");
  if (lines <= 0) return int64_t(end);
  char buffer[kBlock];
  int64_t at = end, found = 0;
  while (at > 0) {
    size_t part = size_t(std::min<int64_t>(at, int64_t(sizeof buffer)));
    at -= int64_t(part);
    ssize_t n = ::pread(fd, buffer, part, at);
    if (n < 0) return errnoError("read", "log");
    for (ssize_t i = n - 1; i >= 0; --i) {
      if (buffer[i] != '\n' || at + i == int64_t(end) - 1) continue;  // the very last one ends the last line
      if (++found == lines) return at + i + 1;
    }
  }
  return int64_t(0);
}

Status streamLog(const std::string& path, const LogOptions& options, const std::function<bool(std::string)>& sink,
                 const std::function<bool()>& running) {
  return LogStreamer(path, options, sink, running).run();
}

Result<bool> rotateLog(const std::string& path, int64_t maxBytes, int maxFiles, const Clock& clock) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || info.st_size < maxBytes) return false;
  std::string stamp = formatRfc3339(clock.now());  // 2026-11-22T10:00:00Z -> 20261122-100000
  std::string digits;
  for (char c : stamp) {
    if (c >= '0' && c <= '9') digits += c;
    if (c == 'T') digits += '-';
  }
  const std::string moved = concat(path, ".", digits);
  if (::rename(path.c_str(), moved.c_str()) != 0) return errnoError("rename", path);
  size_t slash = path.find_last_of('/');
  const std::string dir = path.substr(0, slash), base = path.substr(slash + 1) + ".";
  std::vector<std::string> old;  // sorted: the time is in the name
  for (const auto& name : listDir(dir))
    if (name.starts_with(base)) old.push_back(concat(dir, "/", name));
  for (size_t i = 0; i + size_t(maxFiles) - 1 < old.size(); ++i) ::unlink(old[i].c_str());
  return true;
}

}  // namespace skiff::kubelet
