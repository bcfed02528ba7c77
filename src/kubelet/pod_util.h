// Short questions about a pod and its containers.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gen/core_v1.h"

namespace skiff::kubelet {

using api::core::v1::Container;
using api::core::v1::Pod;
using api::core::v1::PodStatus;
using PodPtr = std::shared_ptr<const Pod>;

inline constexpr std::string_view kConfigSource = "kubernetes.io/config.source";   // "file" for static pods
inline constexpr std::string_view kConfigHash = "kubernetes.io/config.hash";
inline constexpr std::string_view kConfigMirror = "kubernetes.io/config.mirror";

enum class ContainerKind { Init, Regular, Ephemeral };

std::string podKey(const Pod& pod);       // "ns/name"
std::string podFullName(const Pod& pod);  // "name_ns(uid)", as upstream writes it in messages
bool isSidecar(const Container& initContainer);  // restartPolicy Always
bool isTerminal(const PodStatus& status);        // Succeeded or Failed
bool isMirrorPod(const Pod& pod);
bool isStaticPod(const Pod& pod);
// An ephemeral container has the fields of a container (and a target).
Container containerOf(const api::core::v1::EphemeralContainer& ephemeral);
// Init, regular, then ephemeral containers.
void eachContainer(const Pod& pod, const std::function<void(const Container&, ContainerKind)>& visit);
// Null when there is none; the pointer is into `pod` or, for ephemeral ones, into *holder.
const Container* findContainer(const Pod& pod, std::string_view name, Container* holder, ContainerKind* kind = nullptr);
int64_t gracePeriodSeconds(const Pod& pod);  // deletion's, else the spec's, else 30
std::string containerHash(const Container& container);  // changes when the container must be made anew
// "spec.containers{web}": what events about a container refer to.
std::string fieldPathOf(std::string_view containerName, ContainerKind kind);
// The host name a pod sees, cut to 63 characters, and its domain ("" when it has none).
std::pair<std::string, std::string> hostnameOf(const Pod& pod, std::string_view clusterDomain);

}  // namespace skiff::kubelet
