// Priority and fairness of a new cluster. https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
#include "apiserver/auth/bootstrap_policy.h"

namespace skiff::apiserver::bootstrap {

namespace {

constexpr PriorityLevelRow kPriorityLevels[] = {
    // name, shares, lendable percent, queues, hand size (0 queues: what finds no seat is rejected)
    {"catch-all", 5, 0, 0, 0, false},
    {"exempt", 0, 0, 0, 0, true},
    {"global-default", 20, 50, 128, 6, false},
    {"leader-election", 10, 0, 16, 4, false},
    {"node-high", 40, 25, 64, 6, false},
    {"system", 30, 33, 64, 6, false},
    {"workload-high", 40, 50, 128, 6, false},
    {"workload-low", 100, 90, 128, 6, false},
};

constexpr FlowSchemaRow kFlowSchemas[] = {
    {"catch-all", 10000, "catch-all", "ByUser",
     R"([{$ALL,
        "subjects":[{"group":{"name":"system:unauthenticated"},"kind":"Group"},
        {"group":{"name":"system:authenticated"},"kind":"Group"}]}])"},
    {"exempt", 1, "exempt", "",
     R"([{$ALL,
        "subjects":[{"group":{"name":"system:masters"},"kind":"Group"}]}])"},
    {"global-default", 9900, "global-default", "ByUser",
     R"([{$ALL,
        "subjects":[{"group":{"name":"system:unauthenticated"},"kind":"Group"},
        {"group":{"name":"system:authenticated"},"kind":"Group"}]}])"},
    {"kube-controller-manager", 800, "workload-high", "ByNamespace",
     R"([{$ALL,
        "subjects":[{"kind":"User","user":{"name":"system:kube-controller-manager"}}]}])"},
    {"kube-scheduler", 800, "workload-high", "ByNamespace",
     R"([{$ALL,
        "subjects":[{"kind":"User","user":{"name":"system:kube-scheduler"}}]}])"},
    {"kube-system-service-accounts", 900, "workload-high", "ByNamespace",
     R"([{$ALL,
        "subjects":[{"kind":"ServiceAccount","serviceAccount":{"name":"*","namespace":"kube-system"}}]}])"},
    {"probes", 2, "exempt", "",
     R"([{"nonResourceRules":[{"nonResourceURLs":["/healthz","/readyz","/livez"],"verbs":["get"]}],
        "subjects":[{"group":{"name":"system:unauthenticated"},"kind":"Group"},
        {"group":{"name":"system:authenticated"},"kind":"Group"}]}])"},
    {"service-accounts", 9000, "workload-low", "ByUser",
     R"([{$ALL,
        "subjects":[{"group":{"name":"system:serviceaccounts"},"kind":"Group"}]}])"},
    {"system-leader-election", 100, "leader-election", "ByUser",
     R"([{"resourceRules":[{"apiGroups":["coordination.k8s.io"],"namespaces":["*"],"resources":["leases"],"verbs":["get","create","update"]}],
        "subjects":[{"kind":"User","user":{"name":"system:kube-controller-manager"}},
        {"kind":"User","user":{"name":"system:kube-scheduler"}},
        {"kind":"ServiceAccount","serviceAccount":{"name":"*","namespace":"kube-system"}}]}])"},
    {"system-node-high", 400, "node-high", "ByUser",
     R"([{"resourceRules":[{"apiGroups":[""],"clusterScope":true,"namespaces":["*"],"resources":["nodes","nodes/status"],"verbs":["*"]},
        {"apiGroups":["coordination.k8s.io"],"namespaces":["*"],"resources":["leases"],"verbs":["*"]}],
        "subjects":[{"group":{"name":"system:nodes"},"kind":"Group"}]}])"},
    {"system-nodes", 500, "system", "ByUser",
     R"([{$ALL,
        "subjects":[{"group":{"name":"system:nodes"},"kind":"Group"}]}])"},
};

}  // namespace

std::span<const PriorityLevelRow> priorityLevels() { return kPriorityLevels; }
std::span<const FlowSchemaRow> flowSchemas() { return kFlowSchemas; }

}  // namespace skiff::apiserver::bootstrap
