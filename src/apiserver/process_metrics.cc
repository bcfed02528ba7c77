#include "apiserver/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "apiserver/metrics_text.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

// Pages of the address space and of what is resident. proc(5)
bool readMemory(double& virtualBytes, double& residentBytes) {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (!file) return false;
  unsigned long all = 0, resident = 0;
  bool read = std::fscanf(file, "%lu %lu", &all, &resident) == 2;
  std::fclose(file);
  auto page = double(sysconf(_SC_PAGESIZE));
  virtualBytes = double(all) * page;
  residentBytes = double(resident) * page;
  return read;
}

double openFiles() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (!folder) return 0;
  double count = -3;  // ".", "..", and the folder's own descriptor
  while (::readdir(folder)) ++count;
  ::closedir(folder);
  return count;
}

// Octets of all traffic over IP, as /proc/net/netstat has them: a line of names, and one of numbers.
bool readNetwork(double& received, double& sent) {
  std::ifstream file("/proc/self/net/netstat");
  std::string names, numbers;
  while (std::getline(file, names) && std::getline(file, numbers)) {
    if (!names.starts_with("IpExt:")) continue;
    auto words = splitNonEmpty(names, ' '), values = splitNonEmpty(numbers, ' ');
    for (size_t i = 0; i < std::min(words.size(), values.size()); ++i) {
      if (words[i] == "InOctets") received = parseDouble(values[i]).value_or(0);
      if (words[i] == "OutOctets") sent = parseDouble(values[i]).value_or(0);
    }
    return true;
  }
  return false;
}

double secondsOf(const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; }

}  // namespace

void writeProcessMetrics(std::string& out, WallTime started) {
  MetricsText text(out);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  text.counter("process_cpu_seconds_total", "Processor time spent.", secondsOf(usage.ru_utime) + secondsOf(usage.ru_stime));
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  text.gauge("process_max_fds", "Files that may be open.", double(limit.rlim_cur));
  text.gauge("process_open_fds", "Files that are open.", openFiles());
  double all = 0, resident = 0;
  if (readMemory(all, resident)) {
    text.gauge("process_resident_memory_bytes", "Resident memory.", resident);
    text.gauge("process_virtual_memory_bytes", "Address space.", all);
  }
  if (rlimit space{}; ::getrlimit(RLIMIT_AS, &space) == 0)
    text.gauge("process_virtual_memory_max_bytes", "Address space that may be used.", double(space.rlim_cur));
  double received = 0, sent = 0;
  if (readNetwork(received, sent)) {
    text.counter("process_network_receive_bytes_total", "Bytes received in the process's network namespace.", received);
    text.counter("process_network_transmit_bytes_total", "Bytes sent in the process's network namespace.", sent);
  }
  text.gauge("process_start_time_seconds", "When the server started, in seconds of Unix time.",
             std::chrono::duration<double>(started.time_since_epoch()).count());
  text.family("kubernetes_build_info", "gauge", "What this is a build of; the value is always 1.");
  text.sample(
      "build_date=\"1970-01-01T00:00:00Z\",compiler=\"gcc\",git_commit=\"unknown\",git_tree_state=\"clean\",git_version=\"v1.37.2+skiff\","
      "go_version=\"none\",major=\"1\",minor=\"37\",platform=\"linux/amd64\"",
      1);
  text.family("version_info", "gauge", "Versions that this one stands for; the value is always 1.");
  text.sample("binary=\"1.37.2\",component=\"kube\",emulation=\"1.37\",min_compat=\"1.36\"", 1);
}

}  // namespace skiff::apiserver
