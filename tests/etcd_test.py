#!/usr/bin/env python3
"""Two API servers on one etcd, as their clients see them.   etcd_test.py SKIFF

etcd is $SKIFF_ETCD or the one in PATH; without one there is nothing to test. With $SKIFF_KUBE_APISERVER, a kube-apiserver
shares the etcd with Skiff, and each reads what the other writes.
"""
import base64
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

from harness import eventually, free_port

BINARY = sys.argv.pop(1)
ETCD = os.environ.get("SKIFF_ETCD") or shutil.which("etcd")
KUBE_APISERVER = os.environ.get("SKIFF_KUBE_APISERVER")
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
WIDGETS = "/apis/etcd.example.com/v1/namespaces/default/widgets"
MERGE = "application/merge-patch+json"


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def definition(plural="widgets", kind="Widget"):
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.etcd.example.com"},
            "spec": {"group": "etcd.example.com", "scope": "Namespaced",
                     "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": kind + "List"},
                     "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
                                   "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                                   "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                                       "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                       "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}}}]}}


class Etcd:
    """A member of its own, that can be killed and started again on its data."""
    flags = []  # what an API server needs beside the address

    def __init__(self, directory, name="one", pki=None):
        self.directory, self.name, self.pki = directory, name, pki
        self.url = f"{'https' if pki else 'http'}://127.0.0.1:{free_port()}"
        self.peer, self.metrics = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.members = {name: self.peer}
        self.process = None

    def launch(self):
        tls = [f"--{flag}={self.pki.file(name)}" for flag, name in
               (("cert-file", "server.crt"), ("key-file", "server.key"), ("trusted-ca-file", "ca.crt"))] if self.pki else []
        self.log = open(os.path.join(self.directory, f"etcd-{self.name}.log"), "a")
        self.process = subprocess.Popen(
            [ETCD, "--name", self.name, "--data-dir", os.path.join(self.directory, f"etcd-{self.name}"), "--log-level", "warn",
             "--listen-client-urls", self.url, "--advertise-client-urls", self.url, "--listen-peer-urls", self.peer,
             "--initial-advertise-peer-urls", self.peer, "--listen-metrics-urls", self.metrics,
             "--initial-cluster", ",".join(f"{n}={url}" for n, url in self.members.items()),
             *(["--client-cert-auth"] if tls else []), *tls],
            stdout=self.log, stderr=subprocess.STDOUT)

    def start(self):
        self.launch()
        eventually(self.alive, 30)
        return self

    def alive(self):
        try:
            with urllib.request.urlopen(self.metrics + "/health", timeout=2) as answer:
                return json.load(answer)["health"] == "true"
        except (OSError, ValueError, KeyError):
            return False

    def stop(self):
        if self.process is None:
            return
        self.process.kill()
        self.process.wait(30)
        self.process = None
        self.log.close()

    lose = close = stop

    def call(self, path, body):
        """The JSON gateway of etcd: keys and values as text."""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10, context=self.pki and self.pki.context()) as answer:
            return json.load(answer)

    def leads(self):
        status = self.call("/v3/maintenance/status", {})
        return status["leader"] == status["header"]["member_id"]

    def keys(self, prefix):
        encode = lambda text: base64.b64encode(text.encode()).decode()
        found = self.call("/v3/kv/range", {"key": encode(prefix), "range_end": encode(prefix[:-1] + chr(ord(prefix[-1]) + 1))})
        return {base64.b64decode(kv["key"]).decode(): base64.b64decode(kv.get("value", "")) for kv in found.get("kvs", [])}


class Pki:
    """A CA, a certificate of the servers and one of their clients."""

    def __init__(self, directory):
        self.directory = directory
        self.openssl("req", "-x509", "-subj", "/CN=etcd-ca", "-keyout", "ca.key", "-out", "ca.crt")
        for name, usage in (("server", "serverAuth,clientAuth"), ("client", "clientAuth")):
            self.openssl("req", "-x509", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt", "-CA", "ca.crt",
                         "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", f"extendedKeyUsage={usage}",
                         "-addext", "basicConstraints=critical,CA:FALSE")

    def openssl(self, *args):
        subprocess.run(["openssl", *args, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
                       cwd=self.directory, check=True, stderr=subprocess.DEVNULL)

    def file(self, name):
        return os.path.join(self.directory, name)

    def context(self):
        context = ssl.create_default_context(cafile=self.file("ca.crt"))
        context.load_cert_chain(self.file("client.crt"), self.file("client.key"))
        return context


class ThreeEtcds:
    """Three members over TLS with client certificates: one may be lost, two may not."""

    def __init__(self, directory):
        self.pki = Pki(directory)
        self.members = [Etcd(directory, name, self.pki) for name in ("one", "two", "three")]
        for member in self.members:
            member.members = {m.name: m.peer for m in self.members}
        self.url = ",".join(m.url for m in self.members)
        self.flags = [f"--etcd-{flag}={self.pki.file(name)}" for flag, name in
                      (("cafile", "ca.crt"), ("certfile", "client.crt"), ("keyfile", "client.key"))]

    def running(self):
        return [m for m in self.members if m.process]

    def start(self):
        for member in self.members:
            if not member.process:
                member.launch()
        eventually(lambda: all(m.alive() for m in self.members), 30)
        return self

    def stop(self):
        """The leader goes."""
        next(m for m in self.running() if m.leads()).stop()

    def lose(self):
        for member in self.members[:2]:
            member.stop()

    def close(self):
        for member in self.members:
            member.stop()

    def keys(self, prefix):
        return self.running()[0].keys(prefix)


class Server:
    """What an API server of either kind can be asked."""

    def request(self, method, path, body=None, kind="application/json", token="admintoken"):
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", None if body is None else json.dumps(body).encode(),
                                         {"Authorization": f"Bearer {token}", "Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=60) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def done(self, *args, **more):
        status, answer = self.request(*args, **more)
        assert status < 300, (args[:2], status, answer)
        return answer

    def wait(self):
        eventually(self.is_ready, 120)

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{type(self).__name__} ended:\n" + self.log_text()[-3000:])
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def watch(self, path, timeout):
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}&watch=true&timeoutSeconds={timeout}",
                                         headers={"Authorization": "Bearer admintoken"})
        with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=timeout + 30) as answer:
            for line in answer:
                yield json.loads(line)

    def log_text(self):
        with open(self.log.name, errors="replace") as f:
            return f.read()

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(60)
        self.log.close()


class Skiff(Server):
    def __init__(self, directory, name, etcd, *flags):
        self.port = free_port()
        self.log = open(os.path.join(directory, name + ".log"), "a")
        # The second server finds the keys of the first: one cluster, one CA.
        home, first = os.path.join(directory, name), os.path.join(directory, "a")
        if not os.path.exists(home) and os.path.exists(os.path.join(first, "pki")):
            shutil.copytree(os.path.join(first, "pki"), os.path.join(home, "pki"))
        self.process = subprocess.Popen(
            [BINARY, "apiserver", "--data-dir", home, "--secure-port", str(self.port), "--bind-address", "127.0.0.1",
             "--advertise-address", f"192.0.2.{ord(name[0])}", "--token-auth-file", os.path.join(directory, "tokens"),
             "--etcd-servers", etcd.url, *etcd.flags, "--service-cluster-ip-range", "10.96.0.0/16", *flags],
            stdout=self.log, stderr=subprocess.STDOUT)


class KubeApiServer(Server):
    def __init__(self, directory, etcd):
        self.port = free_port()
        self.log = open(os.path.join(directory, "kube-apiserver.log"), "a")
        key = os.path.join(directory, "sa.key")
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], check=True)
        self.process = subprocess.Popen(
            [KUBE_APISERVER, f"--etcd-servers={etcd.url}", f"--secure-port={self.port}", "--bind-address=127.0.0.1",
             "--advertise-address=192.0.2.1", "--cert-dir=" + os.path.join(directory, "kube"), "--authorization-mode=Node,RBAC",
             "--token-auth-file=" + os.path.join(directory, "tokens"), "--service-cluster-ip-range=10.96.0.0/16",
             "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}",
             f"--service-account-signing-key-file={key}", "--allow-privileged=true"],
            stdout=self.log, stderr=subprocess.STDOUT)


class Cluster(unittest.TestCase):
    """A directory with an etcd; servers are added by the cases."""
    etcd_type = Etcd

    @classmethod
    def setUpClass(cls):
        if not ETCD:
            raise unittest.SkipTest("no etcd")
        cls.directory = tempfile.mkdtemp(prefix="skiff-etcd-test-")
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        with open(os.path.join(cls.directory, "tokens"), "w") as f:
            f.write('admintoken,admin,admin,"system:masters"\nusertoken,nobody,nobody\n')
        cls.etcd = cls.etcd_type(cls.directory)
        cls.addClassCleanup(cls.etcd.close)
        cls.etcd.start()

    @classmethod
    def add(cls, server):
        cls.addClassCleanup(server.stop)
        server.wait()
        return server


class TwoSkiffs(Cluster):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.add(Skiff(cls.directory, "a", cls.etcd))
        cls.b = cls.add(Skiff(cls.directory, "b", cls.etcd))

    def test_what_one_has_acknowledged_the_other_knows(self):
        for i in range(100):
            one, other = (self.a, self.b) if i % 2 else (self.b, self.a)
            made = one.done("POST", CONFIGMAPS, config_map(f"fresh-{i}"))
            self.assertEqual(other.done("GET", f"{CONFIGMAPS}/fresh-{i}"), made)
            self.assertEqual(len(other.done("GET", f"{CONFIGMAPS}?fieldSelector=metadata.name=fresh-{i}")["items"]), 1)
            made["data"] = {"x": "1"}
            updated = other.done("PUT", f"{CONFIGMAPS}/fresh-{i}", made)
            self.assertEqual(one.done("GET", f"{CONFIGMAPS}/fresh-{i}"), updated)
            self.assertEqual(one.request("PUT", f"{CONFIGMAPS}/fresh-{i}", made)[0], 409)
            one.done("DELETE", f"{CONFIGMAPS}/fresh-{i}")
            self.assertEqual(other.request("GET", f"{CONFIGMAPS}/fresh-{i}")[0], 404)

    def test_writers_at_both_lose_no_update(self):
        self.a.done("POST", CONFIGMAPS, config_map("counter", n="0"))
        errors = []

        def count(server):
            for _ in range(40):
                while True:
                    current = server.done("GET", CONFIGMAPS + "/counter")
                    current["data"]["n"] = str(int(current["data"]["n"]) + 1)
                    status, answer = server.request("PUT", CONFIGMAPS + "/counter", current)
                    if status == 200:
                        break
                    if status != 409:
                        errors.append(answer)
                        return

        threads = [threading.Thread(target=count, args=(s,)) for s in (self.a, self.b) for _ in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(errors, [])
        self.assertEqual(self.b.done("GET", CONFIGMAPS + "/counter")["data"]["n"], "160")

    def test_a_watch_at_one_sees_the_writes_of_the_other(self):
        version = self.a.done("GET", CONFIGMAPS)["metadata"]["resourceVersion"]
        self.b.done("POST", CONFIGMAPS, config_map("seen"))
        self.b.done("PATCH", CONFIGMAPS + "/seen", {"data": {"x": "y"}}, MERGE)
        self.b.done("DELETE", CONFIGMAPS + "/seen")
        events = self.a.watch(f"{CONFIGMAPS}?fieldSelector=metadata.name=seen&resourceVersion={version}", 1)
        self.assertEqual([e["type"] for e in events], ["ADDED", "MODIFIED", "DELETED"])

    def test_a_definition_made_at_one_is_served_by_the_other(self):
        name = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.etcd.example.com"
        self.a.done("POST", os.path.dirname(name), definition())
        widget = {"apiVersion": "etcd.example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
        eventually(lambda: self.b.request("POST", WIDGETS, widget)[0] == 201, 1)
        self.assertEqual(self.a.done("GET", WIDGETS + "/w")["spec"], {"size": 1})
        self.assertEqual(self.b.done("GET", name)["status"]["acceptedNames"]["kind"], "Widget")
        apiservice = "/apis/apiregistration.k8s.io/v1/apiservices/v1.etcd.example.com"
        eventually(lambda: self.b.request("GET", apiservice)[0] == 200, 5)
        self.b.done("DELETE", name)
        eventually(lambda: self.a.request("GET", WIDGETS)[0] == 404, 5)
        eventually(lambda: self.a.request("GET", name)[0] == 404, 5)
        eventually(lambda: self.a.request("GET", apiservice)[0] == 404, 5)

    def test_rights_given_at_one_hold_at_the_other(self):
        binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "r"},
                   "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
                   "subjects": [{"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}]}
        self.assertEqual(self.b.request("GET", CONFIGMAPS, token="usertoken")[0], 403)
        path = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
        self.a.done("POST", path, binding)
        eventually(lambda: self.b.request("GET", CONFIGMAPS, token="usertoken")[0] == 200, 1)
        self.a.done("DELETE", path + "/r")
        eventually(lambda: self.b.request("GET", CONFIGMAPS, token="usertoken")[0] == 403, 1)

    def test_services_of_both_share_addresses_and_ports(self):
        path = "/api/v1/namespaces/default/services"
        made = []
        for i in range(20):
            body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{i}"},
                    "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
            made.append((self.a, self.b)[i % 2].done("POST", path, body)["spec"])
        self.assertEqual(len({s["clusterIP"] for s in made}), 20)
        self.assertEqual(len({s["ports"][0]["nodePort"] for s in made}), 20)
        for i, (server, taken) in enumerate([(self.b, made[0]), (self.a, made[1])]):
            body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"late{i}"},
                    "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": taken["ports"][0]["nodePort"]}]}}
            status, answer = server.request("POST", path, body)
            self.assertEqual(status, 422, answer)
            self.assertIn("provided port is already allocated", answer["message"])
        # Deleted at the other server, and free for both.
        self.b.done("DELETE", path + "/s0")
        body["spec"]["ports"][0]["nodePort"] = made[0]["ports"][0]["nodePort"]
        body["spec"]["clusterIP"] = made[0]["clusterIP"]
        self.assertEqual(self.a.done("POST", path, body)["spec"]["clusterIP"], made[0]["clusterIP"])

    def test_both_are_endpoints_of_the_service_kubernetes(self):
        endpoints = self.a.done("GET", "/api/v1/namespaces/default/endpoints/kubernetes")["subsets"][0]["addresses"]
        self.assertEqual([e["ip"] for e in endpoints], ["192.0.2.97", "192.0.2.98"])
        self.assertEqual(set(self.etcd.keys("/registry/masterleases/")),
                         {"/registry/masterleases/192.0.2.97", "/registry/masterleases/192.0.2.98"})

    def test_events_expire_by_a_lease(self):
        event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "Test",
                 "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"}}
        self.a.done("POST", "/api/v1/namespaces/default/events", event)
        encoded = base64.b64encode(b"/registry/events/default/e").decode()
        self.assertNotEqual(self.etcd.call("/v3/kv/range", {"key": encoded})["kvs"][0].get("lease", "0"), "0")


class Faults(Cluster):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.add(Skiff(cls.directory, "a", cls.etcd, "--etcd-compaction-interval", "1s"))
        cls.b = cls.add(Skiff(cls.directory, "b", cls.etcd, "--etcd-compaction-interval", "1s"))

    def test_etcd_is_killed_under_load(self):
        """No acknowledged write is lost, and a watch has neither gap nor repetition."""
        version = self.b.done("GET", CONFIGMAPS)["metadata"]["resourceVersion"]
        acknowledged, doubtful, stop, errors = {}, set(), threading.Event(), []
        lock = threading.Lock()

        def write(worker):
            server = (self.a, self.b)[worker % 2]
            for i in range(100000):
                if stop.is_set():
                    return
                name = f"load-{worker}-{i}"
                try:
                    status, answer = server.request("POST", CONFIGMAPS, config_map(name))
                except OSError as error:
                    status, answer = 0, error
                with lock:
                    if status == 201:
                        acknowledged[name] = int(answer["metadata"]["resourceVersion"])
                    elif status in (503, 504, 500):
                        doubtful.add(name)
                    else:
                        errors.append((name, status, answer))

        seen = []

        def follow():
            for event in self.b.watch(f"{CONFIGMAPS}?resourceVersion={version}", 300):
                seen.append(event)
                if event["object"].get("metadata", {}).get("name") == "last":
                    return

        follower = threading.Thread(target=follow)
        follower.start()
        writers = [threading.Thread(target=write, args=(i,)) for i in range(8)]
        for t in writers:
            t.start()
        for _ in range(3):
            count = len(acknowledged)
            eventually(lambda: len(acknowledged) > count + 50, 60)
            self.etcd.stop()
            self.etcd.start()
        count = len(acknowledged)
        eventually(lambda: len(acknowledged) > count + 50, 60)
        stop.set()
        for t in writers:
            t.join()
        self.assertEqual(errors, [])
        eventually(lambda: self.a.request("POST", CONFIGMAPS, config_map("last"))[0] in (201, 409), 30)
        follower.join(60)
        for server in (self.a, self.b):
            there = {o["metadata"]["name"]: int(o["metadata"]["resourceVersion"]) for o in server.done("GET", CONFIGMAPS)["items"]
                     if o["metadata"]["name"].startswith("load-")}
            self.assertEqual({n: v for n, v in acknowledged.items() if there.get(n) != v}, {})
            self.assertEqual(set(there) - set(acknowledged) - doubtful, set())
        self.assertEqual({e["type"] for e in seen}, {"ADDED"})
        self.assertEqual(seen[-1]["object"]["metadata"]["name"], "last")
        versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in seen]
        self.assertEqual(versions, sorted(set(versions)))
        names = {e["object"]["metadata"]["name"] for e in seen}
        self.assertEqual(set(acknowledged) - names, set())

    def test_a_lost_etcd_gets_clear_answers_and_reads_of_the_past_go_on(self):
        self.a.done("POST", CONFIGMAPS, config_map("before"))
        self.etcd.lose()
        try:
            self.assertEqual(self.a.done("GET", CONFIGMAPS + "/before?resourceVersion=0")["metadata"]["name"], "before")
            for method, path, body in (("GET", CONFIGMAPS + "/before", None), ("POST", CONFIGMAPS, config_map("during"))):
                status, answer = self.a.request(method, path, body)
                self.assertIn(status, (503, 504), answer)
                self.assertIn("etcd", answer["message"])
            self.assertEqual(self.a.request("GET", "/readyz/etcd")[0], 500)
            self.assertEqual(self.a.request("GET", "/readyz/ping")[0], 200)
        finally:
            self.etcd.start()
        eventually(lambda: self.a.request("POST", CONFIGMAPS, config_map("after"))[0] == 201, 20)
        self.assertEqual(self.b.request("GET", CONFIGMAPS + "/after")[0], 200)

    def test_the_servers_compact_in_turn(self):
        self.a.done("POST", CONFIGMAPS, config_map("compacted"))
        old = self.a.done("GET", CONFIGMAPS)["metadata"]["resourceVersion"]

        def compacted():
            self.a.done("PATCH", CONFIGMAPS + "/compacted", {"data": {"t": str(time.time())}}, MERGE)
            return all(s.request("GET", f"{CONFIGMAPS}?resourceVersion={old}&resourceVersionMatch=Exact")[0] == 410
                       for s in (self.a, self.b))
        eventually(compacted, 20, 0.3)
        self.assertIn("compact_rev_key", self.etcd.keys("compact_rev_key"))


class FaultsOfThree(Faults):
    """The same where it is the leader, or the quorum, that goes."""
    etcd_type = ThreeEtcds

    def test_a_client_without_certificate_is_not_let_in(self):
        flags, self.etcd.flags = self.etcd.flags, self.etcd.flags[:1]
        try:
            stranger = Skiff(self.directory, "c", self.etcd)
        finally:
            self.etcd.flags = flags
        self.addCleanup(stranger.stop)
        eventually(lambda: "Cannot read etcd" in stranger.log_text(), 30)
        self.assertFalse(self.is_answering(stranger))
        stranger.process.terminate()
        self.assertEqual(stranger.process.wait(10), 1)

    def is_answering(self, server):
        try:
            return server.request("GET", "/readyz")[0] == 200
        except OSError:
            return False


@unittest.skipUnless(KUBE_APISERVER, "no kube-apiserver")
class WithUpstream(Cluster):
    """A kube-apiserver and Skiff on one etcd read, watch and change each other's objects."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.up = cls.add(KubeApiServer(cls.directory, cls.etcd))
        cls.skiff = cls.add(Skiff(cls.directory, "a", cls.etcd))
        cls.up.done("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition())
        cls.skiff.done("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition("gadgets", "Gadget"))
        for server in (cls.up, cls.skiff):
            for plural in ("widgets", "gadgets"):
                eventually(lambda: server.request("GET", WIDGETS.replace("widgets", plural))[0] == 200, 20)
            for name in ("default", "other"):
                server.request("POST", "/api/v1/namespaces/default/serviceaccounts",
                               {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})

    def both(self):
        return (self.up, self.skiff), (self.skiff, self.up)

    def test_objects_of_many_kinds(self):
        for writer, reader in self.both():
            prefix = "u" if writer is self.up else "s"
            for path, body in objects(prefix):
                with self.subTest(writer=type(writer).__name__, path=path):
                    name = body["metadata"]["name"]
                    status, made = writer.request("POST", path, body)
                    self.assertEqual(status, 201, made)
                    # The servers' controllers add conditions to some.
                    eventually(lambda: self.same(writer, reader, f"{path}/{name}"), 5)
                    patched = reader.done("PATCH", f"{path}/{name}", {"metadata": {"labels": {"touched": prefix}}}, MERGE)
                    self.assertEqual(patched["metadata"]["labels"]["touched"], prefix)
                    self.assertEqual(writer.done("GET", f"{path}/{name}"), reader.done("GET", f"{path}/{name}"))
                    listed = [o for o in reader.done("GET", path)["items"] if o["metadata"]["name"] == name]
                    self.assertEqual(len(listed), 1)
                    reader.done("DELETE", f"{path}/{name}?gracePeriodSeconds=0&propagationPolicy=Background")
                    status, answer = writer.request("GET", f"{path}/{name}")
                    protected = status == 200 and "deletionTimestamp" in answer["metadata"]  # by a finalizer
                    self.assertTrue(status == 404 or protected, answer)

    def same(self, writer, reader, path):
        if reader.request("GET", path)[0] == 404:
            return False
        mine, other = writer.done("GET", path), reader.done("GET", path)
        if mine != other and mine["metadata"]["resourceVersion"] == other["metadata"]["resourceVersion"]:
            self.assertEqual(mine, other)
        return mine == other

    def test_watches_follow_the_other(self):
        for writer, reader in self.both():
            for path, body in ((CONFIGMAPS, config_map("watched", a="1")),
                               (WIDGETS, {"apiVersion": "etcd.example.com/v1", "kind": "Widget",
                                          "metadata": {"name": "watched"}, "spec": {"size": 1}})):
                with self.subTest(writer=type(writer).__name__, path=path):
                    version = reader.done("GET", path)["metadata"]["resourceVersion"]
                    writer.done("POST", path, body)
                    patched = writer.done("PATCH", path + "/watched", {"metadata": {"labels": {"x": "y"}}}, MERGE)
                    writer.done("DELETE", path + "/watched")
                    events = list(reader.watch(f"{path}?resourceVersion={version}", 2))
                    self.assertEqual([e["type"] for e in events], ["ADDED", "MODIFIED", "DELETED"])
                    self.assertEqual(events[1]["object"], patched)

    def test_server_side_apply_by_both(self):
        path = "/apis/apps/v1/namespaces/default/deployments/applied"
        base = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "applied"}}
        template = {"selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}
        apply = "application/apply-patch+yaml"
        self.up.done("PATCH", path + "?fieldManager=one", {**base, "spec": template}, apply)
        self.skiff.done("PATCH", path + "?fieldManager=two", {**base, "spec": {"replicas": 3}}, apply)
        status, answer = self.up.request("PATCH", path + "?fieldManager=three", {**base, "spec": {"replicas": 5}}, apply)
        self.assertEqual((status, answer["reason"]), (409, "Conflict"))
        self.assertEqual({m["manager"] for m in self.skiff.done("GET", path)["metadata"]["managedFields"]}, {"one", "two"})
        self.skiff.done("DELETE", path)

    def test_definitions_are_the_same_for_both(self):
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for name in ("widgets.etcd.example.com", "gadgets.etcd.example.com"):
            self.assertEqual(self.up.done("GET", f"{path}/{name}"), self.skiff.done("GET", f"{path}/{name}"))
        kept = self.etcd.keys("/registry/apiextensions.k8s.io/customresourcedefinitions/")
        stored = json.loads(kept["/registry/apiextensions.k8s.io/customresourcedefinitions/gadgets.etcd.example.com"])
        self.assertEqual(stored["apiVersion"], "apiextensions.k8s.io/v1beta1")

    def test_services_share_addresses_and_ports(self):
        path = "/api/v1/namespaces/default/services"
        made = []
        for i in range(20):
            body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"shared{i}"},
                    "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
            made.append((self.up, self.skiff)[i % 2].done("POST", path, body)["spec"])
        self.assertEqual(len({s["clusterIP"] for s in made}), 20)
        self.assertEqual(len({s["ports"][0]["nodePort"] for s in made}), 20)
        for server, taken in ((self.up, made[1]), (self.skiff, made[0])):
            body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "late"},
                    "spec": {"type": "NodePort", "clusterIP": taken["clusterIP"], "ports": [{"port": 80}]}}
            self.assertEqual(server.request("POST", path, body)[0], 422)
            body["spec"] = {"type": "NodePort", "ports": [{"port": 80, "nodePort": taken["ports"][0]["nodePort"]}]}
            self.assertEqual(server.request("POST", path, body)[0], 422)
        for i in range(20):
            (self.skiff, self.up)[i % 2].done("DELETE", f"{path}/shared{i}")
        addresses = self.up.done("GET", "/apis/networking.k8s.io/v1/ipaddresses")["items"]
        self.assertEqual({a["metadata"]["name"] for a in addresses} & {s["clusterIP"] for s in made}, set())

    def test_all_servers_are_endpoints(self):
        def addresses(server):
            return [e["ip"] for e in server.done("GET", "/api/v1/namespaces/default/endpoints/kubernetes")["subsets"][0]["addresses"]]
        eventually(lambda: addresses(self.up) == addresses(self.skiff) == ["192.0.2.1", "192.0.2.97"], 30, 0.5)

    def test_what_upstream_has_made_can_be_read(self):
        """Every list of every resource is the same from both."""
        for group in [g for g in self.up.done("GET", "/apis")["groups"]] + [None]:
            version = group["preferredVersion"]["groupVersion"] if group else "v1"
            base = f"/apis/{version}" if group else "/api/v1"
            for resource in self.up.done("GET", base)["resources"]:
                if "list" not in resource["verbs"] or resource["name"] in ("componentstatuses",):
                    continue
                with self.subTest(resource=f"{base}/{resource['name']}"):
                    lists = [server.done("GET", f"{base}/{resource['name']}")["items"] for server in (self.up, self.skiff)]
                    if resource["name"] in ("leases", "events", "endpoints", "endpointslices"):
                        lists = [[o["metadata"]["name"] for o in items] for items in lists]
                    self.assertEqual(lists[0], lists[1])


def objects(prefix):
    """(collection, object) of many kinds, so small that the servers add defaults to them."""
    pod = {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
    selector = {"matchLabels": {"a": "b"}}
    ns = "/namespaces/default/"
    rows = [
        ("/api/v1" + ns + "configmaps", "v1", "ConfigMap", {"data": {"k": "v"}, "binaryData": {"b": "AAEC"}}),
        ("/api/v1" + ns + "secrets", "v1", "Secret", {"stringData": {"k": "v"}}),
        ("/api/v1" + ns + "pods", "v1", "Pod", {"spec": {**pod, "automountServiceAccountToken": False}}),
        ("/api/v1" + ns + "services", "v1", "Service", {"spec": {"ports": [{"port": 80}]}}),
        ("/api/v1" + ns + "endpoints", "v1", "Endpoints", {"subsets": [{"addresses": [{"ip": "192.0.2.9"}], "ports": [{"port": 1}]}]}),
        ("/api/v1" + ns + "replicationcontrollers", "v1", "ReplicationController", {"spec": {"selector": {"a": "b"}, "template": template}}),
        ("/api/v1" + ns + "limitranges", "v1", "LimitRange", {"spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "9Gi"}}]}}),
        ("/api/v1" + ns + "persistentvolumeclaims", "v1", "PersistentVolumeClaim",
         {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
        ("/api/v1/nodes", "v1", "Node", {"spec": {"podCIDR": "10.9.0.0/24"}}),
        ("/api/v1" + ns + "serviceaccounts", "v1", "ServiceAccount", {}),
        ("/apis/apps/v1" + ns + "deployments", "apps/v1", "Deployment", {"spec": {"selector": selector, "template": template}}),
        ("/apis/apps/v1" + ns + "statefulsets", "apps/v1", "StatefulSet",
         {"spec": {"serviceName": "x", "selector": selector, "template": template}}),
        ("/apis/apps/v1" + ns + "daemonsets", "apps/v1", "DaemonSet", {"spec": {"selector": selector, "template": template}}),
        ("/apis/batch/v1" + ns + "jobs", "batch/v1", "Job", {"spec": {"template": {"spec": {**pod, "restartPolicy": "Never"}}}}),
        ("/apis/batch/v1" + ns + "cronjobs", "batch/v1", "CronJob",
         {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {**pod, "restartPolicy": "Never"}}}}}}),
        ("/apis/autoscaling/v2" + ns + "horizontalpodautoscalers", "autoscaling/v2", "HorizontalPodAutoscaler",
         {"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}}}),
        ("/apis/autoscaling/v1" + ns + "horizontalpodautoscalers", "autoscaling/v1", "HorizontalPodAutoscaler",
         {"spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50,
                  "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}}}),
        ("/apis/networking.k8s.io/v1" + ns + "ingresses", "networking.k8s.io/v1", "Ingress",
         {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}),
        ("/apis/networking.k8s.io/v1" + ns + "networkpolicies", "networking.k8s.io/v1", "NetworkPolicy", {"spec": {"podSelector": {}}}),
        ("/apis/policy/v1" + ns + "poddisruptionbudgets", "policy/v1", "PodDisruptionBudget", {"spec": {"minAvailable": "50%", "selector": selector}}),
        ("/apis/rbac.authorization.k8s.io/v1" + ns + "roles", "rbac.authorization.k8s.io/v1", "Role",
         {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "rbac.authorization.k8s.io/v1", "ClusterRole", {"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]}),
        ("/apis/coordination.k8s.io/v1" + ns + "leases", "coordination.k8s.io/v1", "Lease",
         {"spec": {"holderIdentity": "h", "renewTime": "2026-01-01T00:00:00.123456Z"}}),
        ("/apis/discovery.k8s.io/v1" + ns + "endpointslices", "discovery.k8s.io/v1", "EndpointSlice",
         {"addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.9"]}]}),
        ("/apis/storage.k8s.io/v1/storageclasses", "storage.k8s.io/v1", "StorageClass", {"provisioner": "p"}),
        ("/apis/scheduling.k8s.io/v1/priorityclasses", "scheduling.k8s.io/v1", "PriorityClass", {"value": 7}),
        ("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", "admissionregistration.k8s.io/v1",
         "ValidatingAdmissionPolicy",
         {"spec": {"matchConstraints": {"resourceRules": [{"apiGroups": ["x"], "apiVersions": ["v1"], "operations": ["CREATE"],
                                                           "resources": ["ys"]}]}, "validations": [{"expression": "true"}]}}),
        ("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas", "flowcontrol.apiserver.k8s.io/v1", "FlowSchema",
         {"spec": {"priorityLevelConfiguration": {"name": "exempt"}}}),
        ("/apis/resource.k8s.io/v1/deviceclasses", "resource.k8s.io/v1", "DeviceClass", {"spec": {}}),
        (WIDGETS, "etcd.example.com/v1", "Widget", {"spec": {"size": 1, "deep": {"z": [1, 2.5, "x", None], "a": True}}}),
        (WIDGETS.replace("widgets", "gadgets"), "etcd.example.com/v1", "Gadget", {"spec": {"size": 2}}),
    ]
    for path, version, kind, body in rows:
        yield path, {"apiVersion": version, "kind": kind, "metadata": {"name": f"{prefix}-{kind.lower()}"}, **body}


if __name__ == "__main__":
    unittest.main(verbosity=2)
