#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "apiserver/audit/sink.h"
#include "apiserver/gzip.h"
#include "base/log.h"
#include "base/strings.h"

namespace skiff::apiserver::audit {
namespace {

namespace fs = std::filesystem;

Error failed(std::string_view what, const std::string& path) {
  return internalError(concat(what, " ", path, ": ", std::strerror(errno)));
}

class LogSink final : public Sink {
 public:
  LogSink(const AuditOptions& options, const Clock& clock) : options_(options), clock_(clock), path_(options.logPath) {}
  ~LogSink() override {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  std::string_view name() const override { return "log"; }

  Status open() {
    if (path_ == "-") {
      fd_ = STDOUT_FILENO;
      return okStatus();
    }
    std::error_code ignored;
    fs::create_directories(fs::path(path_).parent_path(), ignored);
    // Events may carry what their readers alone should see.
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd_ < 0) return failed("cannot open", path_);
    struct stat info {};
    size_ = ::fstat(fd_, &info) == 0 ? info.st_size : 0;
    return okStatus();
  }

  Status write(std::span<const std::string> events) override {
    std::string text;
    for (const std::string& event : events) {
      text += event;
      text += '\n';
    }
    int64_t limit = int64_t(options_.logMaxSizeMb) * 1024 * 1024;
    if (path_ != "-" && limit > 0 && size_ > 0 && size_ + int64_t(text.size()) > limit) TRY(rotate());
    std::string_view left = text;
    while (!left.empty()) {
      ssize_t n = ::write(fd_, left.data(), left.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("cannot write", path_);
      left.remove_prefix(size_t(n));
      size_ += n;
    }
    return okStatus();
  }

 private:
  // audit.log -> audit-2026-11-22T10-00-00.000.log, the name that log collectors know.
  Status rotate() {
    ::close(fd_);
    fd_ = -1;
    fs::path path(path_);
    std::string stamp = replaceAll(formatRfc3339Micro(clock_.now()).substr(0, 23), ":", "-");
    fs::path old = path.parent_path() / concat(path.stem().string(), "-", stamp, path.extension().string());
    if (::rename(path_.c_str(), old.c_str()) != 0) log::warn("Cannot rotate the audit log", {{"err", std::strerror(errno)}});
    else if (options_.logCompress) compress(old);
    removeOld();
    return open();
  }

  static void compress(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    std::ofstream out(file.string() + ".gz", std::ios::binary);
    std::vector<SharedBytes> pieces;
    pieces.emplace_back(std::move(bytes));
    for (const SharedBytes& piece : gzip(pieces)) out << piece.view();
    std::error_code ignored;
    if (out.flush()) fs::remove(file, ignored);
  }

  void removeOld() const {
    fs::path path(path_);
    std::string prefix = path.stem().string() + "-";
    std::error_code error;
    std::vector<fs::path> old;
    for (const auto& entry : fs::directory_iterator(path.parent_path().empty() ? "." : path.parent_path(), error)) {
      std::string name = entry.path().filename().string();
      if (name.starts_with(prefix) && name.find(path.extension().string()) != std::string::npos) old.push_back(entry.path());
    }
    std::ranges::sort(old, std::greater<>());  // newest first: their names are their times
    auto oldest = fs::file_time_type::clock::now() - std::chrono::hours(24 * options_.logMaxAge);
    for (size_t i = 0; i < old.size(); ++i) {
      bool tooMany = options_.logMaxBackups > 0 && i >= size_t(options_.logMaxBackups);
      bool tooOld = options_.logMaxAge > 0 && fs::last_write_time(old[i], error) < oldest;
      if (tooMany || tooOld) fs::remove(old[i], error);
    }
  }

  const AuditOptions options_;
  const Clock& clock_;
  const std::string path_;
  int fd_ = -1;
  int64_t size_ = 0;
};

}  // namespace

Result<std::unique_ptr<Sink>> logSink(const AuditOptions& options, const Clock& clock) {
  auto sink = std::make_unique<LogSink>(options, clock);
  TRY(sink->open());
  return std::unique_ptr<Sink>(std::move(sink));
}

}  // namespace skiff::apiserver::audit
