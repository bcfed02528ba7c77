// The private containerd: own config, root, state and socket below one folder. It outlives us on purpose, so that
// containers keep running while we restart; start() takes a living one over.
//
//   DIR/run/containerd.sock  DIR/run/containerd.pid         the socket (0600) and its owner
//   DIR/containerd/{config.toml,root,state,certs.d,log}     certs.d takes registry host files (hosts.toml)
//   DIR/cni/net.d                                           the pod network's configuration, written by cni.cc
#pragma once
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace skiff::kubelet {

class Containerd {
 public:
  struct Options {
    std::string dir;
    std::string pauseImage;
  };
  explicit Containerd(Options options) : options_(std::move(options)) {}

  Status start();  // returns when the CRI answers
  // For the end of a node: SIGTERM, then SIGKILL after the time; the shims must be gone before.
  Status terminate(milliseconds patience = seconds(10));
  bool alive() const;

  // An archive (.tar, .tar.gz; docker or OCI layout) into the k8s.io namespace.
  Status importImages(const std::string& archive);

  std::string socketPath() const { return options_.dir + "/run/containerd.sock"; }
  std::string pidPath() const { return options_.dir + "/run/containerd.pid"; }
  std::string cniConfDir() const { return options_.dir + "/cni/net.d"; }
  std::string configText() const;

 private:
  bool answers() const;
  pid_t recordedPid() const;  // 0: none, or the process is not ours
  Options options_;
};

inline constexpr std::string_view kCniBinDir = "/usr/lib/cni";

// What a node needs of the machine; the error names what is missing and the Debian package that has it.
Status checkNodePrograms();

}  // namespace skiff::kubelet
