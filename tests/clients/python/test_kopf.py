"""A kopf operator as its users run it: a process beside the cluster."""
import os
import subprocess
import sys
import tempfile
import unittest

from kubernetes import client

from support import Namespaced, eventually, found

CRD = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "plots.clients.example.com"},
       "spec": {"group": "clients.example.com", "scope": "Namespaced",
                "names": {"plural": "plots", "singular": "plot", "kind": "Plot"},
                "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
                              "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}


class Kopf(Namespaced):
    def test_an_operator_follows_its_resources(self):
        client.ApiextensionsV1Api().create_custom_resource_definition(CRD)
        self.addCleanup(client.ApiextensionsV1Api().delete_custom_resource_definition, "plots.clients.example.com")
        here = os.path.dirname(os.path.abspath(__file__))
        log = tempfile.TemporaryFile("w+")
        operator = subprocess.Popen([sys.executable, "-m", "kopf", "run", "--standalone", "-n", self.ns, f"{here}/gardener.py"],
                                    stdout=log, stderr=subprocess.STDOUT)
        def stop():
            operator.terminate()
            operator.wait(30)
            log.seek(0)
            print(log.read())
            log.close()
        self.addCleanup(stop)
        plots, core = client.CustomObjectsApi(), client.CoreV1Api()
        at = ("clients.example.com", "v1", self.ns, "plots")
        # kopf also finds definitions that come after its start; here it is there first.
        plots.create_namespaced_custom_object(*at, {"apiVersion": "clients.example.com/v1", "kind": "Plot", "metadata": {"name": "p"}, "spec": {"crop": "beans"}})
        crop = lambda: (m := found(core.read_namespaced_config_map, "p", self.ns)) and m.data["crop"]
        eventually(lambda: crop() == "beans")
        status = eventually(lambda: plots.get_namespaced_custom_object(*at, "p").get("status"))
        self.assertEqual(status["plant"], {"planted": "beans"})
        plots.patch_namespaced_custom_object(*at, "p", {"spec": {"crop": "peas"}}, _content_type="application/merge-patch+json")
        eventually(lambda: crop() == "peas")
        self.assertTrue(plots.get_namespaced_custom_object(*at, "p")["metadata"]["finalizers"])
        plots.delete_namespaced_custom_object(*at, "p")
        eventually(lambda: found(core.read_namespaced_config_map, "p-cleared", self.ns))
        eventually(lambda: not found(plots.get_namespaced_custom_object, *at, "p"))
        # What it owned is collected after it.
        eventually(lambda: not found(core.read_namespaced_config_map, "p", self.ns))
