"""Requests that nobody should send: valid ones of many resources, broken in one place or several. Each worker process
makes and sends its own; what makes them is seeded, so that a run can be repeated."""
import copy
import json
import random

NAMESPACE = "default"
CONTAINER = {"name": "c", "image": "i:1", "ports": [{"containerPort": 80, "protocol": "TCP"}], "env": [{"name": "A", "value": "1"}],
             "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}, "volumeMounts": [{"name": "v", "mountPath": "/v"}],
             "livenessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5}, "securityContext": {"runAsUser": 1}}
POD_SPEC = {"containers": [CONTAINER], "volumes": [{"name": "v", "emptyDir": {}}], "tolerations": [{"key": "a", "operator": "Exists"}],
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}]}}}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC}
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
RULES = [{"apiGroups": ["", "apps"], "resources": ["pods", "deployments/scale"], "verbs": ["get", "list"], "resourceNames": ["x"]}]
SCHEMA = {"type": "object", "properties": {"spec": {"type": "object", "required": ["size"], "properties": {
    "size": {"type": "integer", "minimum": 1, "default": 3}, "list": {"type": "array", "maxItems": 5, "items": {"type": "string"},
                                                                     "x-kubernetes-list-type": "set"},
    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    "x-kubernetes-validations": [{"rule": "self.size < 100", "message": "small"}]}}}
WEBHOOK = [{"name": "a.b.c", "clientConfig": {"url": "https://127.0.0.1:1/x"}, "rules": [
    {"apiGroups": ["x"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["y"]}], "sideEffects": "None",
    "admissionReviewVersions": ["v1"], "matchConditions": [{"name": "m", "expression": "object.metadata.name == 'x'"}]}]

# (apiVersion, resource, namespaced, kind, the rest of an object)
KINDS = [
    ("v1", "pods", True, "Pod", {"spec": POD_SPEC}),
    ("v1", "configmaps", True, "ConfigMap", {"data": {"a": "1"}, "binaryData": {"b": "YWJj"}}),
    ("v1", "secrets", True, "Secret", {"type": "Opaque", "data": {"a": "YWJj"}, "stringData": {"b": "c"}}),
    ("v1", "services", True, "Service", {"spec": {"selector": {"a": "b"}, "ports": [{"name": "x", "port": 80, "targetPort": "web"}],
                                                  "type": "ClusterIP", "ipFamilyPolicy": "SingleStack"}}),
    ("v1", "endpoints", True, "Endpoints", {"subsets": [{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}]}]}),
    ("v1", "serviceaccounts", True, "ServiceAccount", {"secrets": [{"name": "s"}], "automountServiceAccountToken": True}),
    ("v1", "persistentvolumeclaims", True, "PersistentVolumeClaim", {"spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
    ("v1", "persistentvolumes", False, "PersistentVolume", {"spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}}),
    ("v1", "replicationcontrollers", True, "ReplicationController", {"spec": {"replicas": 0, "selector": {"a": "b"}, "template": TEMPLATE}}),
    ("v1", "resourcequotas", True, "ResourceQuota", {"spec": {"hard": {"pods": "1000", "requests.cpu": "1k"}, "scopes": ["BestEffort"]}}),
    ("v1", "limitranges", True, "LimitRange", {"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "default": {"cpu": "1"}}]}}),
    ("v1", "events", True, "Event", {"involvedObject": {"kind": "Pod", "namespace": "default", "name": "x"}, "reason": "R", "type": "Normal"}),
    ("v1", "nodes", False, "Node", {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}, "status": {"capacity": {"cpu": "1"}}}),
    ("v1", "namespaces", False, "Namespace", {"spec": {"finalizers": ["kubernetes"]}}),
    ("apps/v1", "deployments", True, "Deployment", {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE, "strategy": {
        "type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}}}}),
    ("apps/v1", "statefulsets", True, "StatefulSet", {"spec": {"replicas": 0, "serviceName": "s", "selector": SELECTOR, "template": TEMPLATE}}),
    ("apps/v1", "daemonsets", True, "DaemonSet", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    ("apps/v1", "replicasets", True, "ReplicaSet", {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE}}),
    ("batch/v1", "jobs", True, "Job", {"spec": {"suspend": True, "template": {"spec": {**POD_SPEC, "restartPolicy": "Never"}}}}),
    ("batch/v1", "cronjobs", True, "CronJob", {"spec": {"suspend": True, "schedule": "*/5 * * * *", "timeZone": "Etc/UTC", "jobTemplate": {
        "spec": {"template": {"spec": {**POD_SPEC, "restartPolicy": "Never"}}}}}}),
    ("autoscaling/v2", "horizontalpodautoscalers", True, "HorizontalPodAutoscaler", {"spec": {
        "minReplicas": 1, "maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"}, "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]}}),
    ("autoscaling/v1", "horizontalpodautoscalers", True, "HorizontalPodAutoscaler", {"spec": {
        "maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"}, "targetCPUUtilizationPercentage": 5}}),
    ("policy/v1", "poddisruptionbudgets", True, "PodDisruptionBudget", {"spec": {"minAvailable": "50%", "selector": SELECTOR}}),
    ("networking.k8s.io/v1", "ingresses", True, "Ingress", {"spec": {"rules": [{"host": "a.b", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}], "tls": [{"hosts": ["a.b"]}]}}),
    ("networking.k8s.io/v1", "networkpolicies", True, "NetworkPolicy", {"spec": {"podSelector": SELECTOR, "ingress": [
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}], "ports": [{"port": 80, "endPort": 90}]}]}}),
    ("discovery.k8s.io/v1", "endpointslices", True, "EndpointSlice", {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}],
                                                                      "ports": [{"name": "x", "port": 80}]}),
    ("coordination.k8s.io/v1", "leases", True, "Lease", {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 10,
                                                                  "renewTime": "2026-11-22T10:00:00.000000Z"}}),
    ("rbac.authorization.k8s.io/v1", "roles", True, "Role", {"rules": RULES}),
    ("rbac.authorization.k8s.io/v1", "clusterroles", False, "ClusterRole", {"rules": RULES, "aggregationRule": {"clusterRoleSelectors": [SELECTOR]}}),
    ("rbac.authorization.k8s.io/v1", "rolebindings", True, "RoleBinding", {
        "subjects": [{"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"}}),
    ("storage.k8s.io/v1", "storageclasses", False, "StorageClass", {"provisioner": "p", "parameters": {"a": "b"}, "reclaimPolicy": "Delete"}),
    ("scheduling.k8s.io/v1", "priorityclasses", False, "PriorityClass", {"value": 5, "description": "d"}),
    ("certificates.k8s.io/v1", "certificatesigningrequests", False, "CertificateSigningRequest", {"spec": {
        "request": "YWJj", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}}),
    ("apiextensions.k8s.io/v1", "customresourcedefinitions", False, "CustomResourceDefinition", {"spec": {
        "group": "hostile.example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA},
                      "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]}]}}),
    ("boats.example.com/v1", "boats", True, "Boat", {"spec": {"size": 5, "list": ["a", "b"], "free": {"x": [1]}}}),
    ("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", False, "ValidatingWebhookConfiguration", {"webhooks": WEBHOOK}),
    ("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", False, "MutatingWebhookConfiguration", {"webhooks": WEBHOOK}),
    ("admissionregistration.k8s.io/v1", "validatingadmissionpolicies", False, "ValidatingAdmissionPolicy", {"spec": {
        "matchConstraints": {"resourceRules": WEBHOOK[0]["rules"]}, "validations": [{"expression": "object.spec.size < 5"}]}}),
    ("flowcontrol.apiserver.k8s.io/v1", "flowschemas", False, "FlowSchema", {"spec": {
        "matchingPrecedence": 100, "priorityLevelConfiguration": {"name": "exempt"}, "rules": []}}),
    ("apiregistration.k8s.io/v1", "apiservices", False, "APIService", {"spec": {
        "group": "x", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 5, "service": {"name": "s", "namespace": "n"}}}),
    ("authorization.k8s.io/v1", "subjectaccessreviews", False, "SubjectAccessReview", {"spec": {
        "user": "u", "resourceAttributes": {"verb": "get", "resource": "pods"}}}),
    ("authentication.k8s.io/v1", "tokenreviews", False, "TokenReview", {"spec": {"token": "a.b.c"}}),
    ("resource.k8s.io/v1", "resourceclaims", True, "ResourceClaim", {"spec": {"devices": {"requests": [
        {"name": "r", "exactly": {"deviceClassName": "c"}}]}}}),
]
BOATS = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "boats.boats.example.com"},
         "spec": {"group": "boats.example.com", "scope": "Namespaced", "names": {"plural": "boats", "singular": "boat", "kind": "Boat"},
                  "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA},
                                "subresources": {"status": {}}}]}}
# Objects that would change how every later request is answered are only ever tried out.
WIDE = ("admissionregistration", "apiregistration", "flowcontrol", "namespaces", "nodes", "resourcequotas", "limitranges", "customresource")

SUBRESOURCES = ["status", "scale", "log", "exec?command=a&stdout=1", "attach", "portforward", "proxy/x", "eviction", "binding",
                "ephemeralcontainers", "resize", "token", "approval", "finalize", "nope"]
STRANGE = [None, True, -1, 0, 1, 2**31, -2**31 - 1, 2**63 - 1, 2**64, 1e308, 0.1, "", "a", "a" * 300, "\u0000", "é😀", "-", "../..",
           "Always", "10.0.0.1", "1Gi", "-5", "25%", "2026-01-01T00:00:00Z", "kube-system", [], {}, [None], [[]], {"": ""}, {"a": {"b": 1}},
           {"$patch": "delete"}, ["x", "x"], "object.x.y.z", "self.all(x, x > 1)", "(((", "[a-z", "{.spec}"]
STRANGE_BODIES = [b"", b"{", b"null", b"[]", b'"x"', b"{}", b'{"kind":1}', b"a: &a [*a, *a]\n", b"\xff\xfe", b"k8s\0", b"--- \n---\n",
                  b"&a [x, *a]", b'{"apiVersion":"v1","kind":"List","items":[]}', b'{"metadata":{"name":"x"},"metadata":{"name":"y"}}']
QUERIES = ["limit=-1", "limit=1", "continue=%%%", "continue=eyJ2IjoibWV0YSJ9", "labelSelector=a%20in%20(", "labelSelector=a%3Db", "fieldSelector=a=b",
           "fieldSelector=metadata.name%3Dx", "resourceVersion=x", "resourceVersion=0", "resourceVersion=-1",
           "resourceVersionMatch=Exact", "resourceVersionMatch=NotOlderThan&resourceVersion=1", "fieldManager=" + "x" * 200,
           "fieldManager=a%00b", "fieldValidation=Strict", "fieldValidation=Nope", "dryRun=Some", "pretty=true", "force=true", "force=maybe",
           "timeoutSeconds=x", "timeout=1ns", "timeout=-5s", "propagationPolicy=Nope", "gracePeriodSeconds=-9", "sendInitialEvents=true",
           "watch=0", "watch=1&resourceVersion=x", "allowWatchBookmarks=2", "a=%zz", "%ff", "&&&=", "=",
           "tailLines=-1", "container=%2e%2e", "command=", "x=" + "y" * 2000]
CONTENT_TYPES = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "text/plain", "", "application/cbor",
                 "application/json;charset=utf-8", "application/merge-patch+json", "application/json-patch+json", ";;;", "a" * 1000]
PATCH_TYPES = ["application/merge-patch+json", "application/json-patch+json", "application/strategic-merge-patch+json",
               "application/apply-patch+yaml"]
ACCEPTS = ["*/*", "application/json", "text/html", "application/vnd.kubernetes.protobuf", "application/yaml", "/;;,", "application/cbor",
           "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
           "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io, application/json", "application/json;as=Nope;v=v1;g=x"]
PATHS = ["/", "/api", "/apis", "/apis/nope/v1/x", "/api/v1//pods", "/%ff%fe", "/api/v1/namespaces/%00/pods", "/openapi/v2", "/openapi/v3/nope",
         "/version", "/healthz", "/readyz?verbose", "/metrics/x", "/logs", "/api/v1/namespaces/default/services/x:y:z/proxy/a",
         "/api/v1/watch/pods?resourceVersion=x", "/api/v1/nodes/x/proxy/", "/apis/apps/v1/namespaces//deployments", "/api/v1/pods/a/b/c/d/e",
         "/.well-known/openid-configuration", "/apis/apps", "/api/v1/../../etc/passwd", "/" + "a/" * 1000, "/" + "é" * 10]
HEADERS = [("Impersonate-User", "x"), ("Impersonate-Group", "y"), ("Impersonate-Uid", ""), ("Content-Encoding", "gzip"), ("Accept-Encoding", "gzip"),
           ("X-Remote-User", "admin"), ("Audit-ID", "\x7f"), ("Upgrade", "SPDY/3.1"), ("Sec-WebSocket-Key", "x"), ("If-None-Match", '"x"'),
           ("Range", "bytes=0-1"), ("X-Forwarded-For", "1"), ("Traceparent", "00-x"), ("Cookie", "a" * 3000), ("TE", "trailers")]


class Generator:
    def __init__(self, seed, protobuf):
        self.rng = random.Random(seed)
        self.protobuf = protobuf  # kind -> a valid object's bytes
        self.texts = [json.dumps({"apiVersion": v, "kind": k, "metadata": {"name": "x", "labels": {"a": "b"}}, **rest})
                      for v, _, _, k, rest in KINDS]

    def request(self):
        """(method, target, headers, body): head and body as a server gets them, without framing."""
        rng = self.rng
        if rng.random() < 0.03:
            return (rng.choice(["GET", "HEAD", "POST", "OPTIONS", "DELETE", "BREW"]), rng.choice(PATHS), [("Accept", rng.choice(ACCEPTS))],
                    rng.choice(STRANGE_BODIES))
        index = rng.randrange(len(KINDS))
        api_version, resource, namespaced, _, _ = KINDS[index]
        method = rng.choice(["GET", "POST", "POST", "POST", "PUT", "PATCH", "PATCH", "DELETE"])
        wide = any(w in api_version or w in resource for w in WIDE)
        target = self.target(api_version, resource, namespaced, method)
        headers = [("Accept", rng.choice(ACCEPTS) if rng.random() < 0.3 else "application/json")]
        body = b""
        if method in ("POST", "PUT"):
            kind, body = self.object_body(index)
            headers.append(("Content-Type", rng.choice(CONTENT_TYPES) if rng.random() < 0.05 else kind))
        elif method == "PATCH":
            kind, body = self.patch_body(index)
            headers.append(("Content-Type", kind))
            if kind.startswith("application/apply"):
                target += ("&" if "?" in target else "?") + rng.choice(["fieldManager=m", "fieldManager=m&force=true", "fieldManager=", ""])
        elif method == "DELETE" and rng.random() < 0.5:
            headers.append(("Content-Type", "application/json"))
            body = self.mutated_bytes(b'{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background","preconditions":{"uid":"x"}}')
        # Most that is valid is only tried, so that what the server keeps stays small.
        keep = method == "GET" or (not wide and rng.random() < 0.01)
        if not keep:
            target += ("&" if "?" in target else "?") + "dryRun=All"
        if (method == "GET" or not wide) and rng.random() < 0.15:
            target += ("&" if "?" in target else "?") + rng.choice(QUERIES)
        if rng.random() < 0.05:
            headers.append(rng.choice(HEADERS))
        return method, target, headers, body

    def target(self, api_version, resource, namespaced, method):
        rng = self.rng
        path = ("/api/" if "/" not in api_version else "/apis/") + api_version
        if namespaced and rng.random() < 0.95:
            path += "/namespaces/" + (NAMESPACE if rng.random() < 0.95 else rng.choice(["nope", "", "%2e%2e", "a%2fb", "A", "x" * 300]))
        path += "/" + resource
        if method in ("PUT", "PATCH") or (method != "POST" and rng.random() < 0.6) or rng.random() < 0.05:
            path += "/" + (rng.choice(["x", "y", "z"]) if rng.random() < 0.9 else rng.choice(["", "%00", "a b".replace(" ", "%20"), "x" * 260, "%ff", ".."]))
            if rng.random() < 0.12:
                path += "/" + rng.choice(SUBRESOURCES)
        return path

    def object_body(self, index):
        rng = self.rng
        form = rng.random()
        if form < 0.15 and self.protobuf.get(KINDS[index][3]):
            return "application/vnd.kubernetes.protobuf", self.mutated_bytes(self.protobuf[KINDS[index][3]])
        if form < 0.2:
            return "application/json", rng.choice(STRANGE_BODIES) if rng.random() < 0.9 else self.huge()
        body = self.mutated_tree(index) if rng.random() < 0.7 else self.mutated_bytes(self.texts[index].encode())
        return ("application/yaml" if form < 0.4 else "application/json"), body

    def patch_body(self, index):
        rng = self.rng
        kind = rng.choice(PATCH_TYPES)
        if rng.random() < 0.05:
            return kind, rng.choice(STRANGE_BODIES) if rng.random() < 0.9 else self.huge()
        if kind == "application/json-patch+json":
            paths = self.paths(json.loads(self.texts[index]))
            steps = []
            for _ in range(rng.randint(1, 4)):
                step = {"op": rng.choice(["add", "remove", "replace", "move", "copy", "test", "nope"]), "path": rng.choice(paths),
                        "value": rng.choice(STRANGE)}
                if step["op"] in ("move", "copy"):
                    step["from"] = rng.choice(paths)
                steps.append(step)
            body = json.dumps(steps).encode()
        else:
            body = self.mutated_tree(index)
            if kind == "application/strategic-merge-patch+json" and rng.random() < 0.5:
                body = body.replace(b'"name": "c"', rng.choice([b'"name": "c", "$patch": "delete"', b'"$patch": "replace"', b'"$retainKeys": ["x"]',
                                                                b'"$setElementOrder/ports": [1]', b'"$deleteFromPrimitiveList/args": {}']), 1)
        return kind, (self.mutated_bytes(body) if rng.random() < 0.2 else body)

    def paths(self, tree, at=""):
        found = [at or "/", at + "/-", at + "/~1x", at + "/99"]
        children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
        for key, child in children:
            found += self.paths(child, f"{at}/{str(key).replace('/', '~1')}")
        return found

    def mutated_tree(self, index):
        tree = json.loads(self.texts[index])
        tree["metadata"]["name"] = self.rng.choice("xyz")
        for _ in range(self.rng.choice([0, 1, 1, 1, 2, 3, 8])):
            self.mutate_somewhere(tree)
        return json.dumps(tree).encode("utf-8", "surrogatepass")

    def mutate_somewhere(self, tree):
        rng = self.rng
        node = tree
        while True:  # down to a random member
            keys = list(node) if isinstance(node, dict) else range(len(node))
            key = rng.choice(keys) if keys else None
            if key is None or not isinstance(node[key], (dict, list)) or not node[key] or rng.random() < 0.25:
                break
            node = node[key]
        what = rng.random()
        if key is None or what < 0.15:
            if isinstance(node, dict):
                node[rng.choice(["unknown", "", "name", "$patch", "a/b", "spec", "x" * 100])] = self.strange()
            else:
                node.append(self.strange())
        elif what < 0.6:
            node[key] = self.strange()
        elif what < 0.75:
            del node[key]
        elif what < 0.9:
            node[key] = [node[key]] * rng.choice([0, 1, 2, 50])
        else:
            node[key] = {rng.choice(["a", "name", "$retainKeys"]): node[key]}

    def strange(self):
        return copy.deepcopy(self.rng.choice(STRANGE))

    def mutated_bytes(self, data):
        rng, data = self.rng, bytearray(data)
        for _ in range(rng.choice([0, 1, 1, 2, 5])):
            at = rng.randrange(len(data) + 1)
            what = rng.random()
            if what < 0.4 and at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            elif what < 0.6:
                data[at:at] = rng.choice([b"\xff", b"\0", b'"', b"{", b"}", b"[", b",", b":", b"\n", b"- ", b"&a ", b"*a", b"\\u0000", b"\\ud800", b"1e999"])
            elif what < 0.8:
                del data[at:at + rng.randint(1, 20)]
            elif what < 0.9:
                del data[at:]
            else:
                data[at:at] = data[:rng.randrange(len(data) + 1)][:1000]
        return bytes(data)

    def huge(self):
        rng = self.rng
        count = rng.randint(1, 60000)
        return rng.choice([b"[" * count, b'{"a":' * count, b"- " * (count // 10), b"{a: " * (count // 10), b'{"metadata":{"name":"' + b"a" * count + b'"}}',
                           b'{"data":{' + b",".join(b'"%d":"x"' % i for i in range(count // 10)) + b"}}", rng.randbytes(count)])
