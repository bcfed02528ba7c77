#!/usr/bin/env python3
"""The node with real containerd, as root: node_test.py SKIFF. Needs containerd, runc, nft, CNI plugins and a static
busybox (Debian: busybox-static); skipped, with a word, where one is missing. NODE_TEST_IP: an address for the node,
where another instance runs on this machine."""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from harness import Skiff, eventually, free_port

BINARY = sys.argv[1] if len(sys.argv) > 1 else "skiff"
IMAGE = "skiff.local/node-test:1"
HERE = os.path.dirname(os.path.abspath(__file__))


def missing():
    if os.geteuid() != 0:
        return "not root"
    for program in ("containerd", "runc", "nft", "busybox"):
        if not shutil.which(program):
            return f"{program} is not installed"
    return "" if os.path.exists("/usr/lib/cni/bridge") else "containernetworking-plugins is not installed"


def container(name="c", script="while true; do sleep 1; done", **more):
    return {"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["/bin/sh", "-c", script], **more}


def pod(name, *containers, **spec):
    spec = {"terminationGracePeriodSeconds": 1, "nodeName": NODE, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": list(containers) or [container()], **spec}}


def make_image(path):
    """IMAGE, a busybox, as a file that a node may import."""
    subprocess.run([os.path.join(HERE, "../tools/mkimage.py"), "--out", path, "--name", IMAGE, "--file",
                    f"{shutil.which('busybox')}=/bin/busybox:0755", "--dir", "/tmp:1777",
                    *[w for name in ("sh", "sleep", "cat", "echo", "ls", "id", "mkdir", "nslookup", "httpd", "wget", "stat", "env")
                      for w in ("--symlink", f"busybox=/bin/{name}")]], check=True)


def setUpModule():
    global skiff, NODE, MANIFESTS
    images = "/tmp/skiff-node-test-images"
    shutil.rmtree(images, ignore_errors=True)
    os.makedirs(images)
    make_image(f"{images}/test.tar")
    MANIFESTS = tempfile.mkdtemp()
    # Addresses of its own, so that a cluster already running on this machine is not disturbed.
    skiff = Skiff(BINARY, ["--images", images, "--pod-manifest-path", MANIFESTS, "--pod-cidr", "10.197.0.0/16", "--service-cidr", "10.198.0.0/16",
                           "--kubelet-port", str(free_port()), "--dns-port", str(free_port()),
                           *(["--node-ip", os.environ["NODE_TEST_IP"]] if "NODE_TEST_IP" in os.environ else [])])
    skiff.start()
    NODE = eventually(ready_node, timeout=60)
    eventually(lambda: skiff.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200)


def tearDownModule():
    skiff.__exit__()
    shutil.rmtree(MANIFESTS)


def ready_node():
    for node in skiff.request("GET", "/api/v1/nodes")[1].get("items", []):
        if any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", [])):
            return node["metadata"]["name"]


PODS = "/api/v1/namespaces/default/pods"


def create(body):
    status, answer = skiff.request("POST", PODS, body)
    assert status == 201, answer
    return answer


def get(name):
    status, answer = skiff.request("GET", f"{PODS}/{name}")
    return answer if status == 200 else None


def condition(name, kind):
    found = get(name)
    return found and any(c["type"] == kind and c["status"] == "True" for c in found["status"].get("conditions", []))


def ready(name, timeout=30):
    return eventually(lambda: condition(name, "Ready") and get(name), timeout)


def phase(name, wanted, timeout=30):
    return eventually(lambda: (get(name) or {}).get("status", {}).get("phase") == wanted and get(name), timeout)


def remove(name):
    skiff.request("DELETE", f"{PODS}/{name}")
    eventually(lambda: get(name) is None, 30)


def log(name, query=""):
    return skiff.request("GET", f"{PODS}/{name}/log?{query}")[1]


def quiet(call):
    try:
        return call()
    except OSError:
        return None


def put(path, body):
    """At once, so that no half of it is read."""
    with open(f"{os.path.dirname(path)}/.part", "w") as f:
        json.dump(body, f)
    os.rename(f.name, path)


class Node(unittest.TestCase):
    def test_everything_a_pod_may_mount(self):
        skiff.request("POST", "/api/v1/namespaces/default/configmaps",
                      {"metadata": {"name": "m"}, "data": {"key": "from-map"}})
        skiff.request("POST", "/api/v1/namespaces/default/secrets",
                      {"metadata": {"name": "s"}, "stringData": {"key": "from-secret"}})
        body = pod("mounts", container(
            script="cat /m/key /s/key /sub/part/x; echo; echo $A $B; cat /token/token > /dev/null && cat /d/name; echo; sleep 1000",
            env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                 {"name": "B", "value": "$(A)-more"}],
            volumeMounts=[{"name": "m", "mountPath": "/m"}, {"name": "s", "mountPath": "/s"},
                          {"name": "e", "mountPath": "/sub/part", "subPath": "inner"},
                          {"name": "t", "mountPath": "/token"}, {"name": "d", "mountPath": "/d"}]),
            initContainers=[container("i", "echo -n from-init > /e/x",
                                      volumeMounts=[{"name": "e", "mountPath": "/e", "subPath": "inner"}])],
            volumes=[{"name": "m", "configMap": {"name": "m"}}, {"name": "s", "secret": {"secretName": "s"}},
                     {"name": "e", "emptyDir": {"medium": "Memory"}},
                     {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
                     {"name": "d", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}])
        uid = create(body)["metadata"]["uid"]
        ready("mounts")
        text = eventually(lambda: (lambda t: t if "mounts" in t.splitlines()[-1:] else "")(log("mounts")))
        self.assertEqual(text.splitlines(), ["from-mapfrom-secretfrom-init", "mounts mounts-more", "mounts"])
        remove("mounts")
        eventually(lambda: not os.path.exists(f"{skiff.dir}/kubelet/pods/{uid}"))
        with open("/proc/self/mountinfo") as f:
            self.assertNotIn(uid, f.read())
        self.assertEqual([p for p in glob.glob("/sys/fs/cgroup/*/kubepods/**", recursive=True) if uid in p], [])

    def test_end_of_a_pod_tells_exit_code_and_message(self):
        create(pod("ends", container(script="echo -n why > /dev/termination-log; exit 3"), restartPolicy="Never"))
        state = phase("ends", "Failed")["status"]["containerStatuses"][0]["state"]["terminated"]
        self.assertEqual((state["exitCode"], state["reason"], state["message"]), (3, "Error", "why"))
        create(pod("fine", container(script="exit 0"), restartPolicy="OnFailure"))
        phase("fine", "Succeeded")
        remove("ends")
        remove("fine")

    def test_a_dead_container_starts_again_then_backs_off(self):
        create(pod("loops", container(script="exit 1")))
        found = eventually(lambda: [s for s in get("loops")["status"].get("containerStatuses", [])
                                    if s["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"], 30)
        self.assertEqual(found[0]["restartCount"], 1)
        self.assertEqual(found[0]["lastState"]["terminated"]["exitCode"], 1)
        remove("loops")

    def test_probes(self):
        create(pod("probed", container(
            script="sleep 1; echo > /tmp/ready; sleep 1000",
            readinessProbe={"exec": {"command": ["/bin/cat", "/tmp/ready"]}, "periodSeconds": 1},
            livenessProbe={"exec": {"command": ["/bin/cat", "/tmp/alive"]}, "periodSeconds": 1, "failureThreshold": 1,
                           "initialDelaySeconds": 3})))
        phase("probed", "Running")
        self.assertFalse(condition("probed", "Ready"))
        ready("probed")
        eventually(lambda: get("probed")["status"]["containerStatuses"][0]["restartCount"] == 1, 20)
        remove("probed")

    def test_sidecar_serves_until_the_end(self):
        create(pod("side", container("main", "sleep 1"), restartPolicy="Never",
                   initContainers=[container("helper", restartPolicy="Always")]))
        done = phase("side", "Succeeded")
        self.assertIn("terminated", done["status"]["initContainerStatuses"][0]["state"])
        remove("side")

    def test_deadline(self):
        create(pod("late", activeDeadlineSeconds=1))
        self.assertEqual(phase("late", "Failed")["status"]["reason"], "DeadlineExceeded")
        remove("late")

    def test_logs_and_exec(self):
        # Apart in time: stdout and stderr are two pipes, and keep no order between them.
        create(pod("talks", container(script="echo one; sleep 1; echo two >&2; sleep 1000")))
        ready("talks")
        self.assertEqual(eventually(lambda: log("talks") if "two" in log("talks") else ""), "one\ntwo\n")
        self.assertEqual(log("talks", "tailLines=1"), "two\n")
        out = skiff.kubectl("exec", "talks", "--", "/bin/sh", "-c", "echo in; exit 0")
        self.assertEqual(out, "in\n")
        failed = skiff.kubectl("exec", "talks", "--", "/bin/sh", "-c", "exit 4", check=False)
        self.assertEqual(failed.returncode, 4)
        out = skiff.kubectl("exec", "-i", "talks", "--", "/bin/cat", input="through\n")
        self.assertEqual(out, "through\n")
        remove("talks")

    @unittest.skipUnless(shutil.which("kubectl"), "needs upstream's kubectl: ours does not attach")
    def test_attach(self):
        create(pod("attached", container(script="while read line; do echo got $line; done", stdin=True, stdinOnce=True),
                   restartPolicy="Never"))
        phase("attached", "Running")
        attached = subprocess.run(["kubectl", "--kubeconfig", skiff.kubeconfig, "attach", "-i", "-q", "attached"],
                                  input="one\ntwo\n", capture_output=True, text=True, timeout=60)
        self.assertEqual(attached.stdout, "got one\ngot two\n", attached.stderr)
        phase("attached", "Succeeded")
        remove("attached")

    def test_host_port_leads_to_the_pod_and_to_one_only(self):
        port = free_port()
        serves = container(script="echo here > /tmp/x; httpd -f -p 8080 -h /tmp",
                           ports=[{"containerPort": 8080, "hostPort": port}])
        create(pod("ported", serves))
        address = ready("ported")["status"]["hostIP"]
        fetch = lambda: urllib.request.urlopen(f"http://{address}:{port}/x", timeout=2).read()
        self.assertEqual(eventually(lambda: quiet(fetch)), b"here\n")
        create(pod("second", serves))
        self.assertEqual(phase("second", "Failed")["status"]["reason"], "NodePorts")
        remove("second")
        remove("ported")

    def test_static_pod_and_its_mirror(self):
        name, path = f"fixed-{NODE}", f"{MANIFESTS}/fixed.yaml"
        manifest = pod("fixed", container())
        del manifest["spec"]["nodeName"]
        put(path, manifest)
        mirror = ready(name)
        self.assertEqual(mirror["metadata"]["annotations"]["kubernetes.io/config.source"], "file")
        first = mirror["status"]["containerStatuses"][0]["containerID"]
        # The mirror is only an image of it: deleted, it comes back, and the container never stopped.
        skiff.request("DELETE", f"{PODS}/{name}")
        again = eventually(lambda: (lambda p: p and p["metadata"]["uid"] != mirror["metadata"]["uid"] and
                                    p["status"].get("containerStatuses") and p)(get(name)), 30)
        self.assertEqual(again["status"]["containerStatuses"][0]["containerID"], first)
        manifest["metadata"]["labels"] = {"version": "2"}
        put(path, manifest)
        changed = eventually(lambda: (lambda p: p and p["metadata"].get("labels") and condition(name, "Ready") and p)(get(name)), 30)
        self.assertNotEqual(get(name)["status"]["containerStatuses"][0]["containerID"], first)
        os.unlink(path)
        eventually(lambda: get(name) is None, 30)

    def test_who_outgrows_its_empty_dir_is_evicted(self):
        create(pod("greedy", container(script="cat /bin/busybox /bin/busybox > /e/x; sleep 1000",
                                       volumeMounts=[{"name": "e", "mountPath": "/e"}]),
                   volumes=[{"name": "e", "emptyDir": {"sizeLimit": "1Mi"}}]))
        ended = phase("greedy", "Failed", 40)["status"]
        self.assertEqual(ended["reason"], "Evicted")
        self.assertIn('EmptyDir volume "e" exceeds the limit "1Mi"', ended["message"])
        target = [c for c in ended["conditions"] if c["type"] == "DisruptionTarget"]
        self.assertEqual([(c["status"], c["reason"]) for c in target], [("True", "TerminationByKubelet")])
        remove("greedy")

    def test_a_long_log_is_rotated(self):
        line = "x" * 100
        create(pod("chatty", container(
            script=f"i=0; while [ $i -lt 60000 ]; do echo {line} {line}; i=$((i+1)); done; while true; do echo more; sleep 1; done")))
        ready("chatty")
        eventually(lambda: glob.glob("/var/log/pods/default_chatty_*/c/0.log.*"), 60)
        eventually(lambda: log("chatty", "tailLines=1") == "more\n", 30)
        live = glob.glob("/var/log/pods/default_chatty_*/c/0.log")
        eventually(lambda: os.path.getsize(live[0]) < 1 << 20, 30)
        remove("chatty")

    def test_containers_survive_kill_9_and_stay_in_service(self):
        # A probe that takes its time: the pod must not wait for it to be ready again.
        create(pod("stays", container(readinessProbe={"exec": {"command": ["/bin/sleep", "5"]}, "timeoutSeconds": 10, "periodSeconds": 60})))
        facts = lambda p: (p["status"]["containerStatuses"][0]["containerID"], p["status"]["containerStatuses"][0]["restartCount"],
                           {c["type"]: (c["status"], c["lastTransitionTime"]) for c in p["status"]["conditions"]})
        before = facts(ready("stays"))
        skiff.stop(signal.SIGKILL)
        skiff.start()
        time.sleep(2)  # a wrong kubelet would restart it, or take it out of service, about now
        self.assertEqual(before, facts(get("stays")))
        remove("stays")

    def test_nothing_is_left(self):
        create(pod("gone"))
        ready("gone")
        remove("gone")
        socket = f"{skiff.dir}/run/containerd.sock"
        listed = lambda: subprocess.run(["ctr", "-a", socket, "-n", "k8s.io", "containers", "ls", "-q"],
                                        capture_output=True, text=True).stdout.split()
        known = {c["containerID"].split("//")[1] for p in skiff.request("GET", PODS)[1]["items"]
                 for c in p["status"].get("containerStatuses", []) if c.get("containerID")}
        if not known:
            eventually(lambda: not listed(), 10)


if __name__ == "__main__":
    why = missing()
    if why:
        print(f"SKIPPED: {why}")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0]], verbosity=2)
