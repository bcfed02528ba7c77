// The offline tools: verify, snapshot, restore.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/strings.h"
#include "store/engine.h"
#include "store/file_error.h"
#include "store/lmdb_disk.h"
#include "store/record_format.h"

namespace skiff::store {
namespace {

constexpr size_t kMaxFaults = 1000;  // listed; a ruined store need not fill the terminal

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

Status syncPath(const std::string& path, int flags) {
  int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return fileError("open", path);
  bool done = ::fsync(fd) == 0;
  Status status = done ? okStatus() : Status(fileError("sync", path));
  ::close(fd);
  return status;
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

}  // namespace

Result<VerifyReport> verifyStore(const std::string& directory) {
  LmdbEnv::Options options = readOptions(directory);
  TRY(checkPresent(options.file));
  VerifyReport report;
  auto opened = LmdbEnv::open(options);
  if (!opened.ok()) {
    addFault(report, opened.error().message());
    return report;
  }
  LmdbEnv env = std::move(*opened);
  LmdbTxn txn(env.env(), MDB_RDONLY);
  if (txn.code() != 0) return lmdbError(txn.code(), "read");
  auto revision = readRevision(env, txn.get());
  if (revision.ok()) {
    report.revision = *revision;
  } else {
    addFault(report, revision.error().message());
  }
  Status walked = visitRecords(env, txn.get(), [&](MDB_dbi dbi, std::string_view key, std::string_view stored) {
    ++report.keys;
    report.bytes += key.size() + stored.size();
    auto record = decodeRecord(dbi == env.longKeys() ? std::string_view() : key, stored);
    if (!record.ok()) {
      addFault(report, concat(quoted(key), ": ", record.error().message()));
    } else if (revision.ok() && (*record)->modRevision() > report.revision) {
      addFault(report, concat(quoted(key), ": written at revision ", (*record)->modRevision(),
                              ", after the store's ", report.revision));
    }
    return okStatus();
  });
  if (!walked.ok()) addFault(report, walked.error().message());
  return report;
}

Status snapshotStore(const std::string& directory, const std::string& file) {
  LmdbEnv::Options options = readOptions(directory);
  TRY(checkPresent(options.file));
  LmdbEnv env = TRY(LmdbEnv::open(options));
  std::string temporary = file + ".part";
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fileError("create", temporary);
  int code = mdb_env_copyfd2(env.env(), fd, MDB_CP_COMPACT);
  if (::close(fd) != 0 && code == 0) code = errno;
  Status done = code == 0 ? adopt(temporary, file) : Status(lmdbError(code, concat("write ", file)));
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
