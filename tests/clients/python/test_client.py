"""The Python client, unmodified, against the cluster of KUBECONFIG; with TEST_IMAGE also against pods on its node."""
import os
import threading
import time
import unittest

import kubernetes.utils
from kubernetes import client, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock import configmaplock
from kubernetes.stream import portforward, stream

from support import IMAGE, Namespaced, eventually


def config_map(name, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data)


def deployment(name, replicas=1, image="example.test/none:1"):
    labels = {"app": name}
    return client.V1Deployment(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1DeploymentSpec(
            replicas=replicas, selector=client.V1LabelSelector(match_labels=labels),
            template=client.V1PodTemplateSpec(
                metadata=client.V1ObjectMeta(labels=labels),
                spec=client.V1PodSpec(containers=[client.V1Container(name="c", image=image)]))))


class Typed(Namespaced):
    def test_create_read_replace_delete(self):
        core = client.CoreV1Api()
        made = core.create_namespaced_config_map(self.ns, config_map("m", a="1"))
        self.assertTrue(made.metadata.uid and made.metadata.creation_timestamp.tzinfo)
        made.data["b"] = "2"
        replaced = core.replace_namespaced_config_map("m", self.ns, made)
        self.assertEqual(replaced.data, {"a": "1", "b": "2"})
        with self.assertRaises(ApiException) as stale:
            core.replace_namespaced_config_map("m", self.ns, made)
        self.assertEqual((stale.exception.status, stale.exception.reason), (409, "Conflict"))
        gone = core.delete_namespaced_config_map("m", self.ns)
        self.assertEqual((gone["status"], gone["details"]["name"]), ("Success", "m"))
        with self.assertRaises(ApiException) as missing:
            core.read_namespaced_config_map("m", self.ns)
        self.assertEqual(missing.exception.status, 404)
        self.assertIn('configmaps \\"m\\" not found', missing.exception.body)

    def test_deployments_and_their_scale(self):
        apps = client.AppsV1Api()
        apps.create_namespaced_deployment(self.ns, deployment("d", 2))
        eventually(lambda: apps.read_namespaced_deployment("d", self.ns).status.replicas == 2)
        scaled = apps.patch_namespaced_deployment_scale("d", self.ns, {"spec": {"replicas": 3}})
        self.assertEqual(scaled.spec.replicas, 3)
        pods = lambda: client.CoreV1Api().list_namespaced_pod(self.ns, label_selector="app=d").items
        eventually(lambda: len(pods()) == 3)
        status = apps.delete_namespaced_deployment("d", self.ns, propagation_policy="Foreground")
        self.assertIsNotNone(status)
        eventually(lambda: not pods())

    def test_patches_of_each_kind(self):
        apps = client.AppsV1Api()
        apps.create_namespaced_deployment(self.ns, deployment("patched"))
        # A list is a JSON patch, a dict a strategic merge patch.
        patched = apps.patch_namespaced_deployment("patched", self.ns, [{"op": "replace", "path": "/spec/replicas", "value": 0}])
        self.assertEqual(patched.spec.replicas, 0)
        side = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "example.test/s:1"}]}}}}
        patched = apps.patch_namespaced_deployment("patched", self.ns, side)
        self.assertEqual(sorted(c.name for c in patched.spec.template.spec.containers), ["c", "side"])
        merged = apps.patch_namespaced_deployment("patched", self.ns, side, _content_type="application/merge-patch+json")
        self.assertEqual([c.name for c in merged.spec.template.spec.containers], ["side"])
        applied = client.CoreV1Api().patch_namespaced_config_map(
            "applied", self.ns, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}},
            field_manager="python", force=True, _content_type="application/apply-patch+yaml")
        self.assertEqual((applied.metadata.managed_fields[0].operation, applied.data), ("Apply", {"a": "1"}))

    def test_pages_and_selectors(self):
        core = client.CoreV1Api()
        for i in range(5):
            body = config_map(f"m-{i}")
            body.metadata.labels = {"group": "g", "i": str(i)}
            core.create_namespaced_config_map(self.ns, body)
        names, token = [], None
        while True:
            page = core.list_namespaced_config_map(self.ns, label_selector="group=g", limit=2, _continue=token)
            names += [m.metadata.name for m in page.items]
            token = page.metadata._continue
            if not token:
                break
        self.assertEqual(names, [f"m-{i}" for i in range(5)])
        found = core.list_namespaced_config_map(self.ns, field_selector="metadata.name=m-3").items
        self.assertEqual(len(found), 1)
        core.delete_collection_namespaced_config_map(self.ns, label_selector="i in (0,1)")
        self.assertEqual(len(core.list_namespaced_config_map(self.ns, label_selector="group").items), 3)

    def test_watch(self):
        core = client.CoreV1Api()
        version = core.list_namespaced_config_map(self.ns).metadata.resource_version

        def write():
            core.create_namespaced_config_map(self.ns, config_map("w"))
            core.patch_namespaced_config_map("w", self.ns, {"data": {"x": "y"}})
            core.delete_namespaced_config_map("w", self.ns)
        writer = threading.Thread(target=write)
        writer.start()
        seen, w = [], watch.Watch()
        for event in w.stream(core.list_namespaced_config_map, self.ns, resource_version=version,
                              field_selector="metadata.name=w", timeout_seconds=30):
            seen.append((event["type"], event["object"].data))
            if event["type"] == "DELETED":
                w.stop()
        writer.join()
        self.assertEqual(seen, [("ADDED", None), ("MODIFIED", {"x": "y"}), ("DELETED", {"x": "y"})])

    def test_create_from_yaml(self):
        here = os.path.dirname(os.path.abspath(__file__))
        made = kubernetes.utils.create_from_yaml(client.ApiClient(), f"{here}/objects.yaml", namespace=self.ns)
        self.assertEqual([type(group[0]).__name__ for group in made],
                         ["V1ServiceAccount", "V1Role", "V1RoleBinding", "V1Service", "V1CronJob", "V2HorizontalPodAutoscaler", "V1ConfigMap"])
        with self.assertRaises(kubernetes.utils.FailToCreateError) as again:
            kubernetes.utils.create_from_yaml(client.ApiClient(), f"{here}/objects.yaml", namespace=self.ns)
        self.assertEqual({e.status for e in again.exception.api_exceptions}, {409})

    def test_reviews_tokens_and_version(self):
        self.assertEqual(client.VersionApi().get_code().minor, "37")
        self.assertIn("apps", [g.name for g in client.ApisApi().get_api_versions().groups])
        review = client.AuthorizationV1Api().create_self_subject_access_review(client.V1SelfSubjectAccessReview(
            spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=client.V1ResourceAttributes(verb="list", resource="pods"))))
        self.assertTrue(review.status.allowed)
        token = client.CoreV1Api().create_namespaced_service_account_token("default", self.ns, client.AuthenticationV1TokenRequest(
            spec=client.V1TokenRequestSpec(audiences=["https://kubernetes.default.svc.cluster.local"], expiration_seconds=600)))
        self.assertGreater(len(token.status.token), 100)

    def test_leader_election(self):
        led = []

        def candidate(name):
            lock = configmaplock.ConfigMapLock("lead", self.ns, name)
            settings = electionconfig.Config(lock, lease_duration=4, renew_deadline=3, retry_period=1,
                                             onstarted_leading=lambda: led.append(name), onstopped_leading=lambda: None)
            threading.Thread(target=leaderelection.LeaderElection(settings).run, daemon=True).start()
        candidate("one")
        eventually(lambda: led == ["one"])
        candidate("two")
        time.sleep(2)  # for the second to find the lock taken
        self.assertEqual(led, ["one"])


class Custom(Namespaced):
    CRD = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
           "metadata": {"name": "snakes.clients.example.com"},
           "spec": {"group": "clients.example.com", "scope": "Namespaced",
                    "names": {"plural": "snakes", "singular": "snake", "kind": "Snake"},
                    "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
                                  "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                                      "spec": {"type": "object", "properties": {
                                          "length": {"type": "integer", "minimum": 1},
                                          "rings": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}}},
                                      "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}}}]}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.definitions = client.ApiextensionsV1Api()
        cls.definitions.create_custom_resource_definition(cls.CRD)
        eventually(lambda: any(c.type == "Established" and c.status == "True" for c in
                               cls.definitions.read_custom_resource_definition(cls.CRD["metadata"]["name"]).status.conditions or []))

    @classmethod
    def tearDownClass(cls):
        cls.definitions.delete_custom_resource_definition(cls.CRD["metadata"]["name"])
        super().tearDownClass()

    def snake(self, name, **spec):
        return {"apiVersion": "clients.example.com/v1", "kind": "Snake", "metadata": {"name": name}, "spec": spec}

    def test_custom_objects(self):
        api = client.CustomObjectsApi()
        at = ("clients.example.com", "v1", self.ns, "snakes")
        made = api.create_namespaced_custom_object(*at, self.snake("s", length=2, odd="pruned"))
        self.assertEqual(made["spec"], {"length": 2})
        with self.assertRaises(ApiException) as short:
            api.create_namespaced_custom_object(*at, self.snake("t", length=0))
        self.assertEqual(short.exception.status, 422)
        self.assertIn("spec.length in body should be greater than or equal to 1", short.exception.body)
        patched = api.patch_namespaced_custom_object(*at, "s", {"spec": {"length": 3}}, _content_type="application/merge-patch+json")
        self.assertEqual((patched["spec"]["length"], patched["metadata"]["generation"]), (3, 2))
        told = api.patch_namespaced_custom_object_status(*at, "s", {"status": {"mood": "calm"}, "spec": {"length": 9}},
                                                         _content_type="application/merge-patch+json")
        self.assertEqual((told["status"], told["spec"]["length"]), ({"mood": "calm"}, 3))
        self.assertEqual(len(api.list_namespaced_custom_object(*at)["items"]), 1)
        events = watch.Watch().stream(api.list_namespaced_custom_object, *at, timeout_seconds=30)
        self.assertEqual(next(events)["object"]["metadata"]["name"], "s")
        api.delete_namespaced_custom_object(*at, "s")

    def test_dynamic_client_with_server_side_apply(self):
        d = dynamic.DynamicClient(client.ApiClient())
        snakes = d.resources.get(api_version="clients.example.com/v1", kind="Snake")
        self.assertTrue(snakes.namespaced)
        def apply(manager, force=False, **spec):
            return d.server_side_apply(snakes, body=self.snake("a", **spec), namespace=self.ns, field_manager=manager, force_conflicts=force)
        apply("one", length=1, rings=["red"])
        merged = apply("two", rings=["blue"])
        self.assertEqual((merged.spec.length, sorted(merged.spec.rings)), (1, ["blue", "red"]))
        with self.assertRaises(dynamic.exceptions.ConflictError) as conflict:
            apply("two", length=2)
        self.assertIn('conflict with \\"one\\": .spec.length', str(conflict.exception))
        self.assertEqual(apply("two", force=True, length=2).spec.to_dict(), {"length": 2, "rings": ["red"]})
        pods = d.resources.get(api_version="v1", kind="Pod")
        self.assertEqual(pods.get(namespace=self.ns).items, [])
        maps = d.resources.get(api_version="v1", kind="ConfigMap")
        maps.create(body={"metadata": {"name": "m"}, "data": {"a": "1"}}, namespace=self.ns)
        maps.patch(body={"data": {"a": None}}, name="m", namespace=self.ns, content_type="application/merge-patch+json")
        self.assertIsNone(maps.get(name="m", namespace=self.ns).data)
        for event in d.watch(maps, namespace=self.ns, name="m", timeout=30):
            self.assertEqual((event["type"], event["object"].metadata.name), ("ADDED", "m"))
            break
        maps.delete(name="m", namespace=self.ns)


@unittest.skipUnless(IMAGE, "no node")
class OnANode(Namespaced):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        core = client.CoreV1Api()
        script = "mkdir /tmp/w; echo served > /tmp/w/index.html; httpd -p 8080 -h /tmp/w; echo started; while true; do sleep 1; done"
        core.create_namespaced_pod(cls.ns, client.V1Pod(metadata=client.V1ObjectMeta(name="p"), spec=client.V1PodSpec(
            termination_grace_period_seconds=0,
            containers=[client.V1Container(name="c", image=IMAGE, image_pull_policy="IfNotPresent", command=["/bin/sh", "-c", script])])))
        eventually(lambda: any(c.type == "Ready" and c.status == "True" for c in core.read_namespaced_pod("p", cls.ns).status.conditions or []))

    # A client of its own: stream() replaces its way to make requests.
    def api(self):
        return client.CoreV1Api(client.ApiClient())

    def test_exec(self):
        said = stream(self.api().connect_get_namespaced_pod_exec, "p", self.ns, command=["/bin/sh", "-c", "echo out; echo err >&2"],
                      stdout=True, stderr=True, stdin=False, tty=False)
        self.assertEqual(sorted(said.split()), ["err", "out"])
        shell = stream(self.api().connect_get_namespaced_pod_exec, "p", self.ns, command=["/bin/sh"], stdin=True, stdout=True,
                       stderr=True, tty=False, _preload_content=False)
        shell.write_stdin("echo hello\n")
        self.assertEqual(shell.readline_stdout(timeout=20), "hello")
        shell.write_stdin("exit 7\n")
        shell.run_forever(timeout=20)
        self.assertEqual(shell.returncode, 7)

    def test_port_forward(self):
        forward = portforward(self.api().connect_get_namespaced_pod_portforward, "p", self.ns, ports="8080")
        socket = forward.socket(8080)
        socket.settimeout(20)
        socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
        text = b""
        while chunk := socket.recv(4096):
            text += chunk
        self.assertTrue(text.endswith(b"served\n"), text)
        self.assertIsNone(forward.error(8080))

    def test_logs(self):
        core = self.api()
        eventually(lambda: core.read_namespaced_pod_log("p", self.ns) == "started\n")
        lines = watch.Watch().stream(core.read_namespaced_pod_log, "p", self.ns)
        self.assertEqual(next(lines), "started")
