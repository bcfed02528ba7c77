// Where a DaemonSet's pods belong: one for each node they fit, bound to it by node affinity.
#pragma once
#include <string>
#include <vector>

#include "controllers/pod_util.h"
#include "gen/apps_v1.h"

namespace skiff::controllers {

using api::apps::v1::DaemonSet;
using api::core::v1::Node;
using api::core::v1::NodeSelectorTerm;

// Should a pod be made for the node; may one that is there stay?
struct NodeVerdict {
  bool shouldRun = false, shouldContinue = false;
};
NodeVerdict judgeNode(const DaemonSet& ds, const Node& node);

// The node a daemon pod is for: its nodeName, or the name its affinity asks for.
std::string targetNode(const Pod& pod);
// The pod for a node: bound by affinity to metadata.name, with the tolerations all daemons have.
Pod daemonPod(const DaemonSet& ds, const std::string& nodeName, const std::string& hash);
void addDaemonTolerations(api::core::v1::PodSpec& spec);

struct DaemonBudget {
  int surge = 0, unavailable = 0;
};
DaemonBudget daemonBudget(const DaemonSet& ds, int desired);

}  // namespace skiff::controllers
