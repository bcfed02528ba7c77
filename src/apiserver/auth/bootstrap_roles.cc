// The roles of a new cluster as data. One rule a line: `groups resources verbs [names]`, comma separated, "-" the core group;
// `url paths verbs` for paths outside resources. https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
#include "apiserver/auth/bootstrap_policy.h"

namespace skiff::apiserver::bootstrap {

namespace {

constexpr RoleRow kClusterRoles[] = {
    {"", "admin", "", "admin",
     ""},
    {"", "cluster-admin", "", "",
     "* * *\n"
     "url * *\n"},
    {"", "edit", "admin", "edit",
     ""},
    {"", "system:aggregate-to-admin", "admin", "",
     "authorization.k8s.io localsubjectaccessreviews create\n"
     "rbac.authorization.k8s.io rolebindings,roles create,delete,deletecollection,get,list,"
     "patch,update,watch\n"},
    {"", "system:aggregate-to-edit", "edit", "",
     "- pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy get,list,"
     "watch\n"
     "- serviceaccounts impersonate\n"
     "- pods,pods/attach,pods/exec,pods/portforward,pods/proxy create,delete,deletecollection,"
     "patch,update\n"
     "- pods/eviction create\n"
     "- configmaps,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,"
     "secrets,serviceaccounts,services,services/proxy create,delete,deletecollection,patch,"
     "update\n"
     "- serviceaccounts/token create\n"
     "-,events.k8s.io events create,delete,deletecollection,patch,update\n"
     "apps daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,"
     "replicasets/scale,statefulsets,statefulsets/scale create,delete,deletecollection,patch,"
     "update\n"
     "autoscaling horizontalpodautoscalers create,delete,deletecollection,patch,update\n"
     "batch cronjobs,jobs create,delete,deletecollection,patch,update\n"
     "extensions daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,"
     "networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale create,"
     "delete,deletecollection,patch,update\n"
     "policy poddisruptionbudgets create,delete,deletecollection,patch,update\n"
     "networking.k8s.io ingresses,networkpolicies create,delete,deletecollection,patch,update\n"
     "coordination.k8s.io leases create,delete,deletecollection,get,list,patch,update,watch\n"
     "resource.k8s.io resourceclaims,resourceclaimtemplates create,delete,deletecollection,"
     "patch,update\n"},
    {"", "system:aggregate-to-view", "view", "",
     "- configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,"
     "replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,"
     "services/status get,list,watch\n"
     "- bindings,limitranges,namespaces/status,pods/log,pods/status,"
     "replicationcontrollers/status,resourcequotas,resourcequotas/status get,list,watch\n"
     "- namespaces get,list,watch\n"
     "-,events.k8s.io events get,list,watch\n"
     "discovery.k8s.io endpointslices get,list,watch\n"
     "apps controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,"
     "deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,"
     "statefulsets/scale,statefulsets/status get,list,watch\n"
     "autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status get,list,watch\n"
     "batch cronjobs,cronjobs/status,jobs,jobs/status get,list,watch\n"
     "extensions daemonsets,daemonsets/status,deployments,deployments/scale,"
     "deployments/status,ingresses,ingresses/status,networkpolicies,replicasets,"
     "replicasets/scale,replicasets/status,replicationcontrollers/scale get,list,watch\n"
     "policy poddisruptionbudgets,poddisruptionbudgets/status get,list,watch\n"
     "networking.k8s.io ingresses,ingresses/status,networkpolicies get,list,watch\n"
     "resource.k8s.io resourceclaims,resourceclaims/status,resourceclaimtemplates get,list,"
     "watch\n"},
    {"", "system:auth-delegator", "", "",
     "authentication.k8s.io tokenreviews create\n"
     "authorization.k8s.io subjectaccessreviews create\n"},
    {"", "system:basic-user", "", "",
     "authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews create\n"
     "authentication.k8s.io selfsubjectreviews create\n"},
    {"", "system:certificates.k8s.io:certificatesigningrequests:nodeclient", "", "",
     "certificates.k8s.io certificatesigningrequests/nodeclient create\n"},
    {"", "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "", "",
     "certificates.k8s.io certificatesigningrequests/selfnodeclient create\n"},
    {"", "system:certificates.k8s.io:kube-apiserver-client-approver", "", "",
     "certificates.k8s.io signers approve kubernetes.io/kube-apiserver-client\n"},
    {"", "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver", "", "",
     "certificates.k8s.io signers approve kubernetes.io/kube-apiserver-client-kubelet\n"},
    {"", "system:certificates.k8s.io:kubelet-serving-approver", "", "",
     "certificates.k8s.io signers approve kubernetes.io/kubelet-serving\n"},
    {"", "system:certificates.k8s.io:legacy-unknown-approver", "", "",
     "certificates.k8s.io signers approve kubernetes.io/legacy-unknown\n"},
    {"", "system:cluster-trust-bundle-discovery", "", "",
     "certificates.k8s.io clustertrustbundles get,list,watch\n"},
    {"", "system:controller:attachdetach-controller", "", "",
     "- persistentvolumeclaims,persistentvolumes list,watch\n"
     "- nodes get,list,watch\n"
     "- nodes/status patch,update\n"
     "- pods list,watch\n"
     "-,events.k8s.io events create,patch,update\n"
     "storage.k8s.io volumeattachments create,delete,get,list,watch\n"
     "storage.k8s.io csidrivers get,list,watch\n"
     "storage.k8s.io csinodes get,list,watch\n"},
    {"", "system:controller:certificate-controller", "", "",
     "certificates.k8s.io certificatesigningrequests delete,get,list,watch\n"
     "certificates.k8s.io certificatesigningrequests/approval,"
     "certificatesigningrequests/status update\n"
     "certificates.k8s.io signers approve kubernetes.io/kube-apiserver-client-kubelet\n"
     "certificates.k8s.io signers sign kubernetes.io/kube-apiserver-client,"
     "kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving,"
     "kubernetes.io/legacy-unknown\n"
     "authorization.k8s.io subjectaccessreviews create\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:clusterrole-aggregation-controller", "", "",
     "rbac.authorization.k8s.io clusterroles escalate,get,list,patch,update,watch\n"},
    {"", "system:controller:cronjob-controller", "", "",
     "batch cronjobs get,list,update,watch\n"
     "batch jobs create,delete,get,list,patch,update,watch\n"
     "batch cronjobs/status update\n"
     "batch cronjobs/finalizers update\n"
     "- pods delete,list,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:daemon-set-controller", "", "",
     "apps,extensions daemonsets get,list,watch\n"
     "apps,extensions daemonsets/status update\n"
     "apps,extensions daemonsets/finalizers update\n"
     "- nodes list,watch\n"
     "- pods create,delete,list,patch,watch\n"
     "- pods/binding create\n"
     "apps controllerrevisions create,delete,get,list,patch,update,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:deployment-controller", "", "",
     "apps,extensions deployments get,list,update,watch\n"
     "apps,extensions deployments/status update\n"
     "apps,extensions deployments/finalizers update\n"
     "apps,extensions replicasets create,delete,get,list,patch,update,watch\n"
     "- pods get,list,update,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:device-taint-eviction-controller", "", "",
     "- pods delete,get,list,watch\n"
     "- pods/status patch,update\n"
     "resource.k8s.io resourceclaims get,list,watch\n"
     "resource.k8s.io resourceslices get,list,watch\n"
     "resource.k8s.io deviceclasses get,list,watch\n"
     "-,events.k8s.io events create,patch,update\n"
     "resource.k8s.io devicetaintrules/status patch,update\n"
     "resource.k8s.io devicetaintrules get,list,watch\n"},
    {"", "system:controller:disruption-controller", "", "",
     "apps,extensions deployments get,list,watch\n"
     "apps,extensions replicasets get,list,watch\n"
     "- replicationcontrollers get,list,watch\n"
     "policy poddisruptionbudgets get,list,watch\n"
     "apps statefulsets get,list,watch\n"
     "policy poddisruptionbudgets/status update\n"
     "- pods/status patch,update\n"
     "* */scale get\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:endpoint-controller", "", "",
     "- pods,services get,list,watch\n"
     "- endpoints create,delete,get,list,update,watch\n"
     "- endpoints/restricted create\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:endpointslice-controller", "", "",
     "- nodes,pods,services get,list,watch\n"
     "- services/finalizers update\n"
     "discovery.k8s.io endpointslices create,delete,get,list,update,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:endpointslicemirroring-controller", "", "",
     "- endpoints,services get,list,watch\n"
     "- services/finalizers update\n"
     "- endpoints/finalizers update\n"
     "discovery.k8s.io endpointslices create,delete,get,list,update,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:ephemeral-volume-controller", "", "",
     "- pods get,list,watch\n"
     "- pods/finalizers update\n"
     "- persistentvolumeclaims create,get,list,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:expand-controller", "", "",
     "- persistentvolumes get,list,patch,update,watch\n"
     "- persistentvolumeclaims/status patch,update\n"
     "- persistentvolumeclaims get,list,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:generic-garbage-collector", "", "",
     "* * delete,get,list,patch,update,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:horizontal-pod-autoscaler", "", "",
     "autoscaling horizontalpodautoscalers get,list,watch\n"
     "autoscaling horizontalpodautoscalers/status update\n"
     "* */scale get,update\n"
     "- pods list,watch\n"
     "metrics.k8s.io pods list,watch\n"
     "custom.metrics.k8s.io * get,list,watch\n"
     "external.metrics.k8s.io * get,list,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:job-controller", "", "",
     "batch jobs get,list,patch,update,watch\n"
     "batch jobs/status update\n"
     "batch jobs/finalizers update\n"
     "- pods create,delete,list,patch,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:kube-apiserver-serving-clustertrustbundle-publisher", "", "",
     "certificates.k8s.io signers attest kubernetes.io/kube-apiserver-serving\n"
     "certificates.k8s.io clustertrustbundles create,delete,list,update,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:legacy-service-account-token-cleaner", "", "",
     "- configmaps get kube-apiserver-legacy-service-account-token-tracking\n"
     "- secrets delete,patch\n"},
    {"", "system:controller:namespace-controller", "", "",
     "- namespaces delete,get,list,watch\n"
     "- namespaces/finalize,namespaces/status update\n"
     "* * delete,deletecollection,get,list,watch\n"},
    {"", "system:controller:node-controller", "", "",
     "- nodes delete,get,list,patch,update,watch\n"
     "- nodes/status patch,update\n"
     "- pods/status patch,update\n"
     "- pods delete,get,list,watch\n"
     "coordination.k8s.io leases get,list,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:persistent-volume-binder", "", "",
     "- persistentvolumes create,delete,get,list,update,watch\n"
     "- persistentvolumes/status update\n"
     "- persistentvolumeclaims get,list,update,watch\n"
     "- persistentvolumeclaims/status update\n"
     "- pods create,delete,get,list,watch\n"
     "storage.k8s.io storageclasses get,list,watch\n"
     "- nodes list,watch\n"
     "-,events.k8s.io events create,patch,update\n"
     "- events watch\n"},
    {"", "system:controller:pod-garbage-collector", "", "",
     "- pods delete,list,watch\n"
     "- nodes get,list,watch\n"
     "- pods/status patch\n"},
    {"", "system:controller:podcertificaterequestcleaner", "", "",
     "certificates.k8s.io podcertificaterequests delete,get,list,watch\n"},
    {"", "system:controller:pv-protection-controller", "", "",
     "- persistentvolumes get,list,update,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:pvc-protection-controller", "", "",
     "- persistentvolumeclaims get,list,update,watch\n"
     "- persistentvolumeclaims/status update\n"
     "- pods get,list,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:replicaset-controller", "", "",
     "apps,extensions replicasets get,list,update,watch\n"
     "apps,extensions replicasets/status update\n"
     "apps,extensions replicasets/finalizers update\n"
     "- pods create,delete,list,patch,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:replication-controller", "", "",
     "- replicationcontrollers get,list,update,watch\n"
     "- replicationcontrollers/status update\n"
     "- replicationcontrollers/finalizers update\n"
     "- pods create,delete,list,patch,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:resource-claim-controller", "", "",
     "- pods get,list,watch\n"
     "- pods/finalizers update\n"
     "resource.k8s.io resourceclaims create,delete,get,list,watch\n"
     "resource.k8s.io resourceclaims,resourceclaims/status patch,update\n"
     "- pods/status patch,update\n"
     "-,events.k8s.io events create,patch,update\n"
     "resource.k8s.io resourceclaims/binding patch,update\n"},
    {"", "system:controller:resourcequota-controller", "", "",
     "* * list,watch\n"
     "- resourcequotas/status update\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:root-ca-cert-publisher", "", "",
     "- configmaps create,update\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:route-controller", "", "",
     "- nodes list,watch\n"
     "- nodes/status patch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:selinux-warning-controller", "", "",
     "-,events.k8s.io events create,patch,update\n"
     "- persistentvolumes get,list,watch\n"
     "- persistentvolumeclaims get,list,watch\n"
     "- pods get,list,watch\n"
     "storage.k8s.io csidrivers get,list,watch\n"},
    {"", "system:controller:service-account-controller", "", "",
     "- serviceaccounts create\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:service-cidrs-controller", "", "",
     "networking.k8s.io servicecidrs get,list,patch,update,watch\n"
     "networking.k8s.io servicecidrs/finalizers patch,update\n"
     "networking.k8s.io servicecidrs/status patch,update\n"
     "networking.k8s.io ipaddresses get,list,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:service-controller", "", "",
     "- services get,list,watch\n"
     "- services/status patch,update\n"
     "- nodes list,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:statefulset-controller", "", "",
     "- pods list,watch\n"
     "apps statefulsets get,list,watch\n"
     "apps statefulsets/status update\n"
     "apps statefulsets/finalizers update\n"
     "- pods create,delete,get,patch,update\n"
     "apps controllerrevisions create,delete,get,list,patch,update,watch\n"
     "- persistentvolumeclaims create,get,list,watch\n"
     "- persistentvolumeclaims delete,update\n"
     "- pods/finalizers update\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:storage-version-migrator-controller", "", "",
     "* * list,patch\n"
     "apiextensions.k8s.io customresourcedefinitions get\n"
     "apiextensions.k8s.io customresourcedefinitions/status patch\n"
     "storagemigration.k8s.io storageversionmigrations/status update\n"},
    {"", "system:controller:ttl-after-finished-controller", "", "",
     "batch jobs delete,get,list,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:ttl-controller", "", "",
     "- nodes list,patch,update,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:validatingadmissionpolicy-status-controller", "", "",
     "admissionregistration.k8s.io validatingadmissionpolicies get,list,watch\n"
     "admissionregistration.k8s.io validatingadmissionpolicies/status get,patch,update\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:controller:volumeattributesclass-protection-controller", "", "",
     "- persistentvolumeclaims get,list,watch\n"
     "- persistentvolumes get,list,watch\n"
     "storage.k8s.io volumeattributesclasses get,list,update,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:discovery", "", "",
     "url /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,"
     "/version/ get\n"},
    {"", "system:heapster", "", "",
     "- events,namespaces,nodes,pods get,list,watch\n"
     "extensions deployments get,list,watch\n"},
    {"", "system:kube-aggregator", "", "",
     "- endpoints,services get,list,watch\n"},
    {"", "system:kube-controller-manager", "", "",
     "-,events.k8s.io events create,patch,update\n"
     "coordination.k8s.io leases create\n"
     "coordination.k8s.io leases get,update kube-controller-manager\n"
     "- secrets,serviceaccounts create\n"
     "- secrets delete\n"
     "- configmaps,namespaces,secrets,serviceaccounts get\n"
     "- secrets,serviceaccounts update\n"
     "authentication.k8s.io tokenreviews create\n"
     "authorization.k8s.io subjectaccessreviews create\n"
     "* * list,watch\n"
     "- serviceaccounts/token create\n"},
    {"", "system:kube-dns", "", "",
     "- endpoints,services list,watch\n"},
    {"", "system:kube-scheduler", "", "",
     "-,events.k8s.io events create,patch,update\n"
     "coordination.k8s.io leases create\n"
     "coordination.k8s.io leases get,list,update,watch kube-scheduler\n"
     "coordination.k8s.io leasecandidates create,delete,deletecollection,get,list,patch,"
     "update,watch\n"
     "- nodes get,list,watch\n"
     "- pods delete,get,list,watch\n"
     "- bindings,pods/binding create\n"
     "- pods/status patch,update\n"
     "- replicationcontrollers,services get,list,watch\n"
     "apps,extensions replicasets get,list,watch\n"
     "apps statefulsets get,list,watch\n"
     "policy poddisruptionbudgets get,list,watch\n"
     "- persistentvolumeclaims,persistentvolumes get,list,watch\n"
     "authentication.k8s.io tokenreviews create\n"
     "authorization.k8s.io subjectaccessreviews create\n"
     "storage.k8s.io csinodes get,list,watch\n"
     "storage.k8s.io volumeattachments get,list,watch\n"
     "- namespaces get,list,watch\n"
     "storage.k8s.io csidrivers get,list,watch\n"
     "storage.k8s.io csistoragecapacities get,list,watch\n"
     "resource.k8s.io deviceclasses get,list,watch\n"
     "resource.k8s.io resourceclaims get,list,patch,update,watch\n"
     "resource.k8s.io resourceclaims/status get,list,patch,update,watch\n"
     "- pods/finalizers update\n"
     "resource.k8s.io resourceslices get,list,watch\n"
     "resource.k8s.io resourceclaims create,delete\n"
     "resource.k8s.io devicetaintrules get,list,watch\n"
     "resource.k8s.io resourceclaims/binding patch,update\n"},
    {"", "system:kubelet-api-admin", "", "",
     "- nodes get,list,watch\n"
     "- nodes proxy\n"
     "- nodes/log,nodes/metrics,nodes/proxy,nodes/stats *\n"
     "- nodes/configz,nodes/healthz,nodes/pods *\n"},
    {"", "system:monitoring", "", "",
     "url /flagz,/healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*,"
     "/statusz get\n"
     "- nodes/metrics get\n"},
    {"", "system:node", "", "",
     "authentication.k8s.io tokenreviews create\n"
     "authorization.k8s.io localsubjectaccessreviews,subjectaccessreviews create\n"
     "- services get,list,watch\n"
     "- nodes create,get,list,watch\n"
     "- nodes/status patch,update\n"
     "- nodes patch,update\n"
     "-,events.k8s.io events create,patch,update\n"
     "- pods get,list,watch\n"
     "- pods create,delete\n"
     "- pods/status patch,update\n"
     "- pods/eviction create\n"
     "- configmaps,secrets get,list,watch\n"
     "- persistentvolumeclaims,persistentvolumes get\n"
     "- endpoints get\n"
     "certificates.k8s.io certificatesigningrequests create,get,list,watch\n"
     "coordination.k8s.io leases create,delete,get,patch,update\n"
     "storage.k8s.io volumeattachments get\n"
     "- serviceaccounts/token create\n"
     "- persistentvolumeclaims/status get,patch,update\n"
     "storage.k8s.io csidrivers get,list,watch\n"
     "storage.k8s.io csinodes create,delete,get,patch,update\n"
     "node.k8s.io runtimeclasses get,list,watch\n"
     "resource.k8s.io resourceclaims get\n"
     "resource.k8s.io resourceslices deletecollection\n"
     "certificates.k8s.io clustertrustbundles get,list,watch\n"
     "- serviceaccounts get\n"
     "certificates.k8s.io podcertificaterequests create,get,list,watch\n"},
    {"", "system:node-bootstrapper", "", "",
     "certificates.k8s.io certificatesigningrequests create,get,list,watch\n"},
    {"", "system:node-problem-detector", "", "",
     "- nodes get\n"
     "- nodes/status patch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:node-proxier", "", "",
     "- endpoints,services list,watch\n"
     "- nodes get,list,watch\n"
     "-,events.k8s.io events create,patch,update\n"
     "networking.k8s.io servicecidrs list,watch\n"
     "discovery.k8s.io endpointslices list,watch\n"},
    {"", "system:persistent-volume-provisioner", "", "",
     "- persistentvolumes create,delete,get,list,watch\n"
     "- persistentvolumeclaims get,list,update,watch\n"
     "storage.k8s.io storageclasses get,list,watch\n"
     "- events watch\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"", "system:public-info-viewer", "", "",
     "url /healthz,/livez,/readyz,/version,/version/ get\n"},
    {"", "system:service-account-issuer-discovery", "", "",
     "url /.well-known/openid-configuration,/.well-known/openid-configuration/,"
     "/openid/v1/jwks,/openid/v1/jwks/ get\n"},
    {"", "system:volume-scheduler", "", "",
     "- persistentvolumes get,list,patch,update,watch\n"
     "storage.k8s.io storageclasses get,list,watch\n"
     "- persistentvolumeclaims get,list,patch,update,watch\n"},
    {"", "view", "edit", "view",
     ""},
};

constexpr RoleRow kRoles[] = {
    {"kube-public", "system:controller:bootstrap-signer", "", "",
     "- configmaps get,list,watch\n"
     "- configmaps update cluster-info\n"
     "-,events.k8s.io events create,patch,update\n"},
    {"kube-system", "extension-apiserver-authentication-reader", "", "",
     "- configmaps get,list,watch extension-apiserver-authentication\n"},
    {"kube-system", "system::leader-locking-kube-controller-manager", "", "",
     "coordination.k8s.io leases create,get,list,update,watch\n"
     "coordination.k8s.io leasecandidates create,get,list,update,watch\n"},
    {"kube-system", "system::leader-locking-kube-scheduler", "", "",
     "coordination.k8s.io leases create,get,list,update,watch\n"
     "coordination.k8s.io leasecandidates create,get,list,update,watch\n"},
    {"kube-system", "system:controller:bootstrap-signer", "", "",
     "- secrets get,list,watch\n"},
    {"kube-system", "system:controller:cloud-provider", "", "",
     "- configmaps create,get,list,watch\n"},
    {"kube-system", "system:controller:token-cleaner", "", "",
     "- secrets delete,get,list,watch\n"
     "-,events.k8s.io events create,patch,update\n"},
};

}  // namespace

std::span<const RoleRow> clusterRoles() { return kClusterRoles; }
std::span<const RoleRow> roles() { return kRoles; }

}  // namespace skiff::apiserver::bootstrap
