// The offline tools: verify, snapshot, restore.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "base/strings.h"
#include "store/directory_lock.h"
#include "store/engine.h"
#include "store/files.h"
#include "store/logged_disk.h"
#include "store/record_format.h"

namespace skiff::store {
namespace {

constexpr size_t kMaxFaults = 1000;  // listed; a ruined store need not fill the terminal
constexpr int kRereads = 10;

// A directory may have a server on it; a file is a snapshot that nobody writes.
LmdbEnv::Options readOptions(const std::string& path) {
  bool directory = std::filesystem::is_directory(path);
  return {.file = directory ? path + "/" + kDataFile : path,
          .access = LmdbEnv::Access::ReadOnly,
          .shared = directory};
}

Status checkPresent(const std::string& file) {
  if (::access(file.c_str(), R_OK) != 0) return Error(Reason::NotFound, concat(file, ": ", std::strerror(errno)));
  return okStatus();
}

void addFault(VerifyReport& report, std::string fault) {
  if (report.faults.size() < kMaxFaults) report.faults.push_back(std::move(fault));
}

// Makes a finished temporary file the file of that name, durably.
Status adopt(const std::string& temporary, const std::string& file) {
  TRY(syncPath(temporary, O_RDONLY));
  if (::rename(temporary.c_str(), file.c_str()) != 0) return fileError("rename to", file);
  std::filesystem::path parent = std::filesystem::path(file).parent_path();
  return syncPath(parent.empty() ? "." : parent.string(), O_RDONLY | O_DIRECTORY);
}

Status copyFile(const std::string& from, const std::string& to) {
  std::error_code failed;
  std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing, failed);
  if (failed) return Error(Reason::ServiceUnavailable, concat("store: copy to ", to, ": ", failed.message()));
  if (::chmod(to.c_str(), 0600) != 0) return fileError("chmod", to);
  return okStatus();
}

// The keys of the state with the sizes of what is stored of them.
using KeySizes = std::map<std::string, size_t, std::less<>>;

Result<KeySizes> verifyState(const std::string& path, VerifyReport& report) {
  LmdbEnv env = TRY(LmdbEnv::open(readOptions(path)));
  LmdbTxn txn(env.env(), MDB_RDONLY);
  if (txn.code() != 0) return lmdbError(txn.code(), "read");
  report.revision = TRY(readRevision(env, txn.get()));
  KeySizes sizes;
  auto tables = {env.records(), env.longKeys()};
  TRY(visitRecords(txn.get(), tables, [&](MDB_dbi dbi, std::string_view key, std::string_view stored) {
    auto record = decodeRecord(dbi == env.longKeys() ? std::string_view() : key, stored);
    if (!record.ok()) {
      addFault(report, concat(quoted(key), ": ", record.error().message()));
    } else if ((*record)->modRevision() > report.revision) {
      addFault(report, concat(quoted(key), ": written at revision ", (*record)->modRevision(),
                              ", after the store's ", report.revision));
    }
    sizes[record.ok() ? (*record)->key() : std::string(key)] = key.size() + stored.size();
    return okStatus();
  }));
  return sizes;
}

// The segments of a log that may be written meanwhile. They are opened before the state is read: none is missing then.
struct OpenSegment {
  Fd fd;
  WriteLog::Segment segment;
};

std::vector<OpenSegment> openLog(const std::string& path) {
  std::vector<OpenSegment> opened;
  for (WriteLog::Segment& segment : WriteLog::segmentsIn(path)) {
    Fd fd = WriteLog::hold(segment);
    if (!fd) continue;
    segment.file = concat("/proc/self/fd/", fd.get());
    opened.push_back({std::move(fd), std::move(segment)});
  }
  return opened;
}

// Calls `visit` with the changes after the revision, a segment at a time.
Status visitLog(const std::vector<OpenSegment>& log, Revision after, UniqueFunction<Status(std::span<const LogChange>)> visit) {
  for (const OpenSegment& open : log) {
    if (open.segment.end <= after) continue;
    auto changes = WriteLog::readAfter({&open.segment, 1}, after);
    // A batch may have been written while it was read.
    for (int again = 0; !changes.ok() && open.segment.end == kNoEnd && again < kRereads; ++again)
      changes = WriteLog::readAfter({&open.segment, 1}, after);
    if (!changes.ok()) return changes.error();
    if (changes->empty()) continue;
    after = changes->back().revision;
    TRY(visit(*changes));
  }
  return okStatus();
}

Status verifyLog(const std::vector<OpenSegment>& log, KeySizes& sizes, VerifyReport& report) {
  return visitLog(log, report.revision, [&](std::span<const LogChange> changes) {
    for (const LogChange& change : changes) {
      if (change.record) sizes[change.key] = change.key.size() + encodedSize(*change.record, KeyPlace::Outside);
      else if (sizes.erase(change.key) == 0) addFault(report, concat(skiff::quoted(change.key), ": removed at revision ", change.revision, " without being there"));
      report.revision = change.revision;
    }
    return okStatus();
  });
}

Status copyState(const std::string& directory, const std::string& file) {
  LmdbEnv env = TRY(LmdbEnv::open(readOptions(directory)));
  Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fileError("create", file);
  int code = mdb_env_copyfd2(env.env(), fd.get(), MDB_CP_COMPACT);
  if (code == 0 && ::close(fd.release()) != 0) code = errno;
  return code == 0 ? okStatus() : Status(lmdbError(code, concat("write ", file)));
}

// Brings the copy of a state to the end of the log.
Status foldInto(const std::string& file, const std::vector<OpenSegment>& log) {
  auto state = TRY(LmdbState::open({.file = file, .sync = false, .shared = false}));
  Revision revision = TRY(state->revision());
  return visitLog(log, revision, [&](std::span<const LogChange> changes) {
    return state->apply(lastOfEach(changes), changes.back().revision);
  });
}

}  // namespace

Result<VerifyReport> verifyStore(const std::string& path) {
  TRY(checkPresent(readOptions(path).file));
  VerifyReport report;
  std::vector<OpenSegment> log = openLog(path);
  auto sizes = verifyState(path, report);
  if (!sizes.ok()) {
    addFault(report, sizes.error().message());
    return report;
  }
  if (Status read = verifyLog(log, *sizes, report); !read.ok()) addFault(report, read.error().message());
  report.keys = sizes->size();
  for (const auto& [key, size] : *sizes) report.bytes += size;
  return report;
}

Status snapshotStore(const std::string& directory, const std::string& file) {
  TRY(checkPresent(readOptions(directory).file));
  std::string temporary = file + ".part";
  std::vector<OpenSegment> log = openLog(directory);
  Status done = copyState(directory, temporary);
  if (done.ok()) done = foldInto(temporary, log);
  if (done.ok()) done = adopt(temporary, file);
  if (!done.ok()) ::unlink(temporary.c_str());
  return done;
}

Status restoreStore(const std::string& file, const std::string& directory) {
  VerifyReport report = TRY(verifyStore(file));
  if (!report.faults.empty()) {
    return internalError(concat("store: ", file, " is not a sound snapshot: ", report.faults.front()));
  }
  std::error_code ignored;
  if (std::filesystem::exists(directory, ignored) && !std::filesystem::is_empty(directory, ignored)) {
    return Error(Reason::AlreadyExists, concat("store: ", directory, " is not empty"));
  }
  DirectoryLock lock = TRY(DirectoryLock::acquire(directory));
  std::string target = directory + "/" + kDataFile, temporary = target + ".part";
  TRY(copyFile(file, temporary));
  return adopt(temporary, target);
}

}  // namespace skiff::store
