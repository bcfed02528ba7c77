#include <doctest/doctest.h>

#include "base/strings.h"
#include "kubelet/cri_codec.h"
#include "kubelet/cri_messages.h"

namespace skiff::kubelet::cri {

TEST_CASE("a message is written as proto3 says") {
  PodSandboxMetadata metadata;
  metadata.name = "a";
  metadata.ns = "b";
  metadata.attempt = 300;
  CHECK(hexEncode(encode(metadata)) == "0a01611a016220ac02");
  // Negative numbers take ten bytes; a present zero in a wrapper is an empty message; empty strings of a list count.
  LinuxContainerResources resources;
  resources.oomScoreAdj = -1;
  CHECK(hexEncode(encode(resources)) == "28ffffffffffffffffff01");
  LinuxContainerSecurityContext security;
  security.runAsUser = 0;
  CHECK(hexEncode(encode(security)) == "2a00");
  security.supplementalGroups = {1, 300};
  CHECK(hexEncode(encode(security)) == "2a00420301ac02");
}

TEST_CASE("what is written reads back the same") {
  ContainerConfig config;
  config.metadata = {"c", 3};
  config.command = {"sh", "", "-c"};
  config.envs = {{"A", "1"}, {"B", ""}};
  config.mounts.resize(1);
  config.mounts[0].propagation = MountPropagation::Bidirectional;
  config.labels = {{"x", "y"}, {"empty", ""}};
  config.linux.securityContext.runAsUser = 0;
  config.linux.securityContext.supplementalGroups = {5, 6};
  config.tty = true;
  auto back = decode<ContainerConfig>(encode(config));
  REQUIRE(back.ok());
  CHECK(encode(*back) == encode(config));
  CHECK(back->command == config.command);
  CHECK(back->linux.securityContext.runAsUser == 0);
  CHECK_FALSE(back->linux.securityContext.runAsGroup.has_value());
  CHECK(back->labels == config.labels);
}

TEST_CASE("malformed answers are refused") {
  CHECK_FALSE(decode<PodSandboxMetadata>(std::string_view("\x0a\x05z", 3)).ok());  // length beyond the end
  CHECK_FALSE(decode<PodSandboxMetadata>(std::string_view("\x08\x01", 2)).ok());   // a number where text belongs
  CHECK(decode<PodSandboxMetadata>(std::string_view("\xf8\x07\x01", 3)).ok());      // an unknown field is skipped
}

}  // namespace skiff::kubelet::cri
