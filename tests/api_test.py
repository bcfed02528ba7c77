#!/usr/bin/env python3
"""A real control plane without a node, as its clients see it.   api_test.py SKIFF"""
import signal
import sys
import threading
import unittest

from harness import Skiff, eventually

BINARY = sys.argv.pop(1)
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.skiff = Skiff(BINARY)
        cls.skiff.start()

    @classmethod
    def tearDownClass(cls):
        code = cls.skiff.stop()
        assert code == 0, f"skiff ended with {code}: {cls.skiff.log_text()[-2000:]}"

    def test_an_object_lives_through_create_update_patch_delete(self):
        s = self.skiff
        status, made = s.request("POST", CONFIGMAPS, config_map("life", a="1"))
        self.assertEqual(status, 201, made)
        self.assertTrue(made["metadata"]["uid"])
        made["data"]["b"] = "2"
        status, updated = s.request("PUT", CONFIGMAPS + "/life", made)
        self.assertEqual(status, 200, updated)
        self.assertNotEqual(updated["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"])
        status, stale = s.request("PUT", CONFIGMAPS + "/life", made)
        self.assertEqual((status, stale["reason"]), (409, "Conflict"))
        status, patched = s.request("PATCH", CONFIGMAPS + "/life", {"data": {"a": None}},
                                    {"Content-Type": "application/merge-patch+json"})
        self.assertEqual((status, patched["data"]), (200, {"b": "2"}))
        self.assertEqual(s.request("DELETE", CONFIGMAPS + "/life")[0], 200)
        status, gone = s.request("GET", CONFIGMAPS + "/life")
        self.assertEqual((status, gone["reason"], gone["message"]), (404, "NotFound", 'configmaps "life" not found'))

    def test_a_watch_sees_every_change_in_order(self):
        s = self.skiff
        _, listed = s.request("GET", CONFIGMAPS)
        version = listed["metadata"]["resourceVersion"]
        s.request("POST", CONFIGMAPS, config_map("seen"))
        s.request("PATCH", CONFIGMAPS + "/seen", {"data": {"x": "y"}}, {"Content-Type": "application/merge-patch+json"})
        s.request("DELETE", CONFIGMAPS + "/seen")
        events = [e["type"] for e in s.watch(f"{CONFIGMAPS}?resourceVersion={version}&fieldSelector=metadata.name=seen", 1)]
        self.assertEqual(events, ["ADDED", "MODIFIED", "DELETED"])

    def test_lists_are_chunked_and_selected(self):
        s = self.skiff
        for i in range(7):
            body = config_map(f"chunk-{i}")
            body["metadata"]["labels"] = {"group": "chunk", "odd": str(i % 2)}
            self.assertEqual(s.request("POST", CONFIGMAPS, body)[0], 201)
        _, first = s.request("GET", CONFIGMAPS + "?labelSelector=group=chunk&limit=3")
        self.assertEqual(len(first["items"]), 3)
        _, rest = s.request("GET", CONFIGMAPS + "?labelSelector=group=chunk&limit=10&continue=" + first["metadata"]["continue"])
        names = [o["metadata"]["name"] for o in first["items"] + rest["items"]]
        self.assertEqual(names, [f"chunk-{i}" for i in range(7)])
        _, odd = s.request("GET", CONFIGMAPS + "?labelSelector=group%3Dchunk,odd%3D1")
        self.assertEqual(len(odd["items"]), 3)

    def test_strangers_may_do_nothing(self):
        status, answer = self.skiff.request("GET", CONFIGMAPS, token="usertoken")
        self.assertEqual((status, answer["reason"]), (403, "Forbidden"))
        self.assertIn('User "nobody" cannot list resource "configmaps"', answer["message"])
        self.assertEqual(self.skiff.request("GET", CONFIGMAPS, token="wrong")[0], 401)

    def test_a_wrong_object_is_refused_with_all_causes(self):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Bad_Name"}, "spec": {"containers": []}}
        status, answer = self.skiff.request("POST", "/api/v1/namespaces/default/pods", pod)
        self.assertEqual((status, answer["reason"]), (422, "Invalid"), answer)
        self.assertEqual({c["field"] for c in answer["details"]["causes"]}, {"metadata.name", "spec.containers"})

    def test_controllers_work_a_namespace_over(self):
        s = self.skiff
        s.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "work"}})
        eventually(lambda: s.request("GET", "/api/v1/namespaces/work/serviceaccounts/default")[0] == 200)
        eventually(lambda: s.request("GET", "/api/v1/namespaces/work/configmaps/kube-root-ca.crt")[0] == 200)
        s.request("DELETE", "/api/v1/namespaces/work")
        eventually(lambda: s.request("GET", "/api/v1/namespaces/work")[0] == 404)

    def test_a_deployment_makes_its_pods(self):
        s = self.skiff
        manifest = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: example}]}
"""
        self.assertEqual(s.kubectl("apply", "-f", "-", input=manifest), "deployment.apps/web created\n")
        pods = "/api/v1/namespaces/default/pods?labelSelector=app=web"
        eventually(lambda: len(s.request("GET", pods)[1]["items"]) == 2)
        self.assertEqual(s.kubectl("apply", "-f", "-", input=manifest), "deployment.apps/web unchanged\n")
        s.kubectl("scale", "deployment/web", "--replicas=0")
        eventually(lambda: len(s.request("GET", pods)[1]["items"]) == 0)
        s.kubectl("delete", "deployment", "web")

    def test_a_custom_resource_is_served_at_once(self):
        s = self.skiff
        crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
               "metadata": {"name": "boats.example.com"},
               "spec": {"group": "example.com", "scope": "Namespaced",
                        "names": {"plural": "boats", "singular": "boat", "kind": "Boat"},
                        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                            "type": "object", "properties": {"spec": {"type": "object", "properties": {
                                "masts": {"type": "integer", "default": 1, "maximum": 7}}}}}}}]}}
        self.assertEqual(s.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)[0], 201)
        boats = "/apis/example.com/v1/namespaces/default/boats"
        boat = {"apiVersion": "example.com/v1", "kind": "Boat", "metadata": {"name": "b"}, "spec": {"wind": "no field"}}
        status, made = eventually(lambda: (lambda r: r[0] != 404 and r)(s.request("POST", boats, boat)))
        self.assertEqual((status, made["spec"]), (201, {"masts": 1}))
        boat["metadata"]["name"], boat["spec"] = "c", {"masts": 9}
        self.assertEqual(s.request("POST", boats, boat)[0], 422)


class Crash(unittest.TestCase):
    def test_nothing_acknowledged_is_lost_by_kill_9(self):
        with Skiff(BINARY) as s:
            acknowledged = []
            stop = threading.Event()

            def write(worker):
                i = 0
                while not stop.is_set():
                    name = f"w{worker}-{i}"
                    try:
                        if s.request("POST", CONFIGMAPS, config_map(name))[0] == 201:
                            acknowledged.append(name)
                    except OSError:
                        return
                    i += 1

            for _ in range(3):
                stop.clear()
                acknowledged_before = len(acknowledged)
                writers = [threading.Thread(target=write, args=(f"{len(acknowledged)}x{n}",)) for n in range(4)]
                for w in writers:
                    w.start()
                eventually(lambda: len(acknowledged) > acknowledged_before + 50)
                s.stop(signal.SIGKILL)
                stop.set()
                for w in writers:
                    w.join()
                s.start()
                _, listed = s.request("GET", CONFIGMAPS)
                names = {o["metadata"]["name"] for o in listed["items"]}
                self.assertEqual([n for n in acknowledged if n not in names], [])

    def test_a_second_instance_is_refused_clearly(self):
        with Skiff(BINARY) as s:
            other = Skiff(BINARY)
            other.dir = s.dir
            other.port = s.port + 1
            with self.assertRaisesRegex(RuntimeError, "in use by another skiff"):
                other.start()


if __name__ == "__main__":
    unittest.main(verbosity=2)
