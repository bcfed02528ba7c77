"""The helm command, built from its module, against the cluster of KUBECONFIG. Standard library only.
HELM: the binary. TEST_IMAGE: an image that a node can run; without it nothing waits for pods."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
HELM, KUBECTL, IMAGE = os.environ["HELM"], os.environ["KUBECTL"].split(), os.environ.get("TEST_IMAGE", "")
CHART = f"{HERE}/chart"


def call(*command, check=True):
    p = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if check and p.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {p.returncode}\n{p.stdout}{p.stderr}")
    return p.stdout if check else p


class Helm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.TemporaryDirectory()
        for name in ("CACHE", "CONFIG", "DATA"):
            os.environ[f"HELM_{name}_HOME"] = f"{cls.home.name}/{name.lower()}"

    def setUp(self):
        self.ns = f"helm-{self._testMethodName.removeprefix('test_').replace('_', '-')}"
        self.addCleanup(call, *KUBECTL, "delete", "namespace", self.ns, "--wait=false", "--ignore-not-found", check=False)
        self.wait = ["--wait", "--timeout", "60s"] if IMAGE else []

    def helm(self, *args, **options):
        return call(HELM, "-n", self.ns, *args, **options)

    def put(self, command, *args, **options):
        values = ["--set", f"image={IMAGE},hooks=true"] if IMAGE else []
        return self.helm(command, "shop", CHART, *values, *(["--create-namespace"] if command == "install" else []), *args, **options)

    def get(self, kind, name="shop"):
        p = call(*KUBECTL, "-n", self.ns, "get", kind, name, "-o", "json", check=False)
        return json.loads(p.stdout) if p.returncode == 0 else None

    def color(self):
        return self.get("configmap")["data"]["color"]

    def history(self):
        return [(h["revision"], h["status"]) for h in json.loads(self.helm("history", "shop", "-o", "json"))]

    def test_the_life_of_a_release(self):
        out = self.put("install", *self.wait)
        self.assertIn("STATUS: deployed", out)
        self.assertIn("shop sells red apples.", out)
        data = self.get("configmap")["data"]
        self.assertEqual(data, {"color": "red", "before": "nothing", "kube": "37", "stalls": "true"})
        self.assertEqual(self.get("stall")["spec"], {"sells": "red apples"})
        self.assertEqual(self.get("configmap", "shop-hooked")["data"], {"revision": "1"})
        for kind in ("deployment", "service", "secret", "serviceaccount", "role", "rolebinding", "hpa", "pdb", "ingress"):
            self.assertEqual(self.get(kind)["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm", kind)
        if IMAGE:
            self.assertEqual(self.get("deployment")["status"]["readyReplicas"], 1)
            self.assertEqual(self.get("job", "shop-post-install")["status"]["succeeded"], 1)

        self.put("upgrade", "--set", "color=green,replicas=2", *self.wait)
        data = self.get("configmap")["data"]
        self.assertEqual((data["color"], data["before"]), ("green", "red"))  # lookup saw what was there
        self.assertEqual(self.history(), [(1, "superseded"), (2, "deployed")])
        listed = json.loads(self.helm("list", "-o", "json"))
        self.assertEqual([(r["name"], r["revision"], r["status"], r["chart"]) for r in listed], [("shop", "2", "deployed", "shop-0.1.0")])
        self.assertIn("color: green", self.helm("get", "values", "shop"))
        self.assertIn("kind: Deployment", self.helm("get", "manifest", "shop"))
        self.assertIn("kind: ConfigMap", self.helm("get", "hooks", "shop"))
        self.assertIn("green apples", self.helm("get", "notes", "shop"))
        if IMAGE:
            tested = self.helm("test", "shop", "--logs")
            self.assertIn("Phase:          Succeeded", tested)
            self.assertIn("tested green", tested)

        self.helm("rollback", "shop", "1", *self.wait)
        self.assertEqual(self.color(), "red")
        self.assertEqual(self.history(), [(1, "superseded"), (2, "superseded"), (3, "deployed")])
        status = json.loads(self.helm("status", "shop", "-o", "json"))
        self.assertEqual((status["version"], status["info"]["description"]), (3, "Rollback to 1"))

        self.helm("uninstall", "shop", "--wait")
        self.assertIsNone(self.get("deployment"))
        self.assertIsNone(self.get("configmap"))
        self.assertEqual(json.loads(self.helm("list", "-a", "-o", "json")), [])

    def test_a_manual_change_is_merged(self):
        self.put("install")
        patch = {"metadata": {"annotations": {"mine": "kept"}}, "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "c", "env": [{"name": "MINE", "value": "kept"}]}]}}}}
        call(*KUBECTL, "-n", self.ns, "patch", "deployment", "shop", "-p", json.dumps(patch))
        self.put("upgrade", "--set", "color=blue,replicas=2")
        d = self.get("deployment")
        self.assertEqual((d["spec"]["replicas"], d["metadata"]["annotations"]["mine"]), (2, "kept"))
        self.assertEqual(d["spec"]["template"]["spec"]["containers"][0]["env"], [{"name": "MINE", "value": "kept"}])
        # What is gone from the chart's values is gone from the object; a stranger's object is not taken over.
        call(*KUBECTL, "-n", self.ns, "delete", "service", "shop")
        self.put("upgrade", "--set", "color=blue")
        self.assertIsNotNone(self.get("service"))
        taken = self.helm("install", "other", CHART, check=False)
        self.assertEqual(taken.returncode, 0, taken.stderr)
        call(*KUBECTL, "-n", self.ns, "create", "configmap", "third", "--from-literal=color=none")
        refused = self.helm("install", "third", CHART, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("invalid ownership metadata", refused.stderr)

    def test_dry_run_on_the_server(self):
        call(*KUBECTL, "create", "namespace", self.ns)
        call(*KUBECTL, "apply", "-f", f"{CHART}/crds")
        out = self.put("install", "--dry-run=server")
        self.assertIn("STATUS: pending-install", out)
        self.assertIn("before: nothing", out)
        self.assertIsNone(self.get("deployment"))
        wrong = self.put("install", "--set-json", "replicas=\"many\"", check=False)
        self.assertNotEqual(wrong.returncode, 0)

    @unittest.skipUnless(IMAGE, "no node")
    def test_a_failed_upgrade_rolls_back(self):
        self.put("install", *self.wait)
        failed = self.put("upgrade", "--set", "color=green,ready=false", "--atomic", "--timeout", "5s", check=False)
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn("has been rolled back due to atomic being set", failed.stderr)
        self.assertEqual(self.color(), "red")
        self.assertEqual(self.history(), [(1, "superseded"), (2, "failed"), (3, "deployed")])
        broken = self.helm("install", "broken", CHART, "--set", f"image={IMAGE},ready=false", "--atomic", "--timeout", "3s", check=False)
        self.assertNotEqual(broken.returncode, 0)
        self.assertIsNone(self.get("deployment", "broken"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
