#include "kubelet/containerd.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strings.h"
#include "kubelet/cri.h"
#include "kubelet/files.h"
#include "kubelet/process.h"
#include "rt/stop.h"

namespace skiff::kubelet {
namespace {

bool kernelHas(std::string_view fileSystem) {
  auto table = readFile("/proc/filesystems");
  return table.ok() && table->find(concat("\t", fileSystem, "\n")) != std::string::npos;
}

std::string commandLine(pid_t pid) {
  return replaceAll(readFile(concat("/proc/", pid, "/cmdline")).valueOr(""), std::string_view("\0", 1), " ");
}

// A dead child of ours stays a zombie until it is waited for; a zombie is not alive.
bool processAlive(pid_t pid) {
  if (pid <= 0) return false;
  ::waitpid(pid, nullptr, WNOHANG);
  return ::kill(pid, 0) == 0;
}

void pause(milliseconds time) { rt::StopSignal().waitFor(time); }

}  // namespace

Status checkNodePrograms() {
  struct Need {
    const char* program;
    const char* package;
  };
  for (const Need& need : {Need{"containerd", "containerd"}, Need{"ctr", "containerd"}, Need{"runc", "runc"},
                           Need{"nft", "nftables"}}) {
    if (findProgram(need.program).empty())
      return internalError(concat(need.program, " is not installed: apt install ", need.package));
  }
  for (const char* plugin : {"bridge", "host-local", "portmap", "loopback"}) {
    if (!exists(concat(kCniBinDir, "/", plugin)))
      return internalError(concat("the CNI plugin ", kCniBinDir, "/", plugin,
                                  " is missing: apt install containernetworking-plugins"));
  }
  return okStatus();
}

std::string Containerd::configText() const {
  const std::string base = options_.dir + "/containerd";
  const char* cri = "plugins.\"io.containerd.grpc.v1.cri\"";
  std::string out;
  auto line = [&out](const auto&... parts) { out += concat(parts..., "\n"); };
  line("# Written by skiff at each start.");
  line("version = 2");
  line("root = ", quoted(base + "/root"));
  line("state = ", quoted(base + "/state"));
  line("disabled_plugins = [\"io.containerd.snapshotter.v1.aufs\", \"io.containerd.snapshotter.v1.btrfs\", "
       "\"io.containerd.snapshotter.v1.devmapper\", \"io.containerd.snapshotter.v1.zfs\", "
       "\"io.containerd.internal.v1.tracing\", \"io.containerd.tracing.processor.v1.otlp\"]");
  line("[grpc]");
  line("  address = ", quoted(socketPath()));
  line("[debug]");
  line("  level = \"warn\"");
  line("[", cri, "]");
  line("  sandbox_image = ", quoted(options_.pauseImage));
  // Negative oom_score_adj values need CAP_SYS_RESOURCE; without this every sandbox fails where it is missing.
  line("  restrict_oom_score_adj = true");
  line("  stream_server_address = \"127.0.0.1\"");
  line("  stream_server_port = \"0\"");
  line("  enable_unprivileged_ports = true");
  line("  enable_unprivileged_icmp = true");
  line("[", cri, ".containerd]");
  line("  snapshotter = ", quoted(kernelHas("overlay") ? "overlayfs" : "native"));
  line("  default_runtime_name = \"runc\"");
  line("[", cri, ".containerd.runtimes.runc]");
  line("  runtime_type = \"io.containerd.runc.v2\"");
  line("[", cri, ".containerd.runtimes.runc.options]");
  line("  SystemdCgroup = false");
  line("[", cri, ".cni]");
  line("  bin_dir = ", quoted(kCniBinDir));
  line("  conf_dir = ", quoted(cniConfDir()));
  line("  max_conf_num = 1");
  line("[", cri, ".registry]");
  line("  config_path = ", quoted(base + "/certs.d"));
  return out;
}

pid_t Containerd::recordedPid() const {
  auto text = readFile(pidPath());
  if (!text.ok()) return 0;
  auto pid = parseInt(trim(*text));
  if (!pid || !processAlive(pid_t(*pid))) return 0;
  // The number may have gone to another process since.
  return commandLine(pid_t(*pid)).find(options_.dir + "/containerd/config.toml") != std::string::npos ? pid_t(*pid) : 0;
}

bool Containerd::alive() const { return recordedPid() != 0; }

bool Containerd::answers() const {
  auto runtime = cri::Client::create(socketPath());
  return runtime->version(seconds(2)).ok();
}

Status Containerd::start() {
  const std::string base = options_.dir + "/containerd";
  for (const std::string& folder : {options_.dir + "/run", base, base + "/root", base + "/state"})
    TRY(makeDirs(folder, 0711));
  TRY(makeDirs(base + "/certs.d"));
  TRY(makeDirs(cniConfDir()));
  const std::string config = base + "/config.toml";
  if (recordedPid() != 0) {
    for (int i = 0; i < 50; ++i) {
      if (answers()) {
        log::info("Took over the running containerd", {{"pid", recordedPid()}});
        return okStatus();
      }
      pause(milliseconds(100));
    }
    log::warn("The recorded containerd does not answer, starting another", {{"pid", recordedPid()}});
    TRY(terminate());
  }
  TRY(checkNodePrograms());
  TRY(writeFileAtomically(config, configText(), 0600));
  ::unlink(socketPath().c_str());
  pid_t pid = TRY(startDaemon({findProgram("containerd"), "--config", config}, base + "/log"));
  TRY(writeFileAtomically(pidPath(), std::to_string(pid)));
  // Its start takes some 100 ms, more when the disk is busy.
  for (int waited = 0; waited < 30000; waited += 20) {
    if (!processAlive(pid)) break;
    if (exists(socketPath()) && answers()) {
      ::chmod(socketPath().c_str(), 0600);
      return okStatus();
    }
    pause(milliseconds(20));
  }
  return internalError(concat("containerd did not start; the end of ", base, "/log: ",
                              readTail(base + "/log", 2000).valueOr("")));
}

Status Containerd::terminate(milliseconds patience) {
  pid_t pid = recordedPid();
  if (pid == 0) return okStatus();
  ::kill(pid, SIGTERM);
  for (milliseconds waited{0}; processAlive(pid); waited += milliseconds(20)) {
    if (waited > patience) ::kill(pid, SIGKILL);
    if (waited > patience + seconds(5)) return internalError("containerd does not end");
    pause(milliseconds(20));
  }
  ::unlink(pidPath().c_str());
  return okStatus();
}

Status Containerd::importImages(const std::string& archive) {
  ProgramOutput done = TRY(runProgram({findProgram("ctr"), "--address", socketPath(), "--namespace", "k8s.io",
                                       "images", "import", archive},
                                      seconds(300)));
  if (done.exitCode != 0) return internalError(concat("import of ", archive, ": ", trim(done.output)));
  return okStatus();
}

}  // namespace skiff::kubelet
