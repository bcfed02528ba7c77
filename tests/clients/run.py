#!/usr/bin/env python3
"""Runs the clients named (default: all), each against a cluster of its own. A line for each; exit 1 if one failed."""
import os
import shutil
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import node_test  # noqa: E402  what a node needs, and the image that its pods run
from harness import Skiff, eventually, free_port  # noqa: E402

SKIFF = os.path.abspath(os.environ.get("SKIFF", os.path.join(ROOT, "build/release/skiff")))
WORK = os.environ.get("CLIENTS_CACHE", os.path.join(ROOT, "build/clients"))


def open_text(path):
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return ""


class Unavailable(Exception):
    pass


def need(program, least, *version):
    """The tool chain is here and not too old, else the client is skipped with a word."""
    if not shutil.which(program):
        raise Unavailable(f"{program} is not installed")
    text = subprocess.run([program, *version], capture_output=True, text=True).stdout
    found = tuple(int(part) for part in "".join(c if c.isdigit() else " " for c in text).split()[:2])
    if found < least:
        raise Unavailable(f"{program} is {'.'.join(map(str, found))}, older than {'.'.join(map(str, least))}")


def run(command, cwd, timeout=900, **env):
    p = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, timeout=timeout)
    if p.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {p.returncode}\n{p.stdout[-12000:]}")
    return p.stdout


def python():
    need("python3", (3, 10), "--version")
    environment = f"{WORK}/python"
    requirements = f"{HERE}/python/requirements.txt"
    wanted, stamp = open_text(requirements), f"{environment}/installed.txt"
    if open_text(stamp) != wanted:
        try:
            run(["python3", "-m", "venv", "--clear", environment], HERE)
        except RuntimeError:
            raise Unavailable("python3 has no venv (Debian: python3-venv)")
        run([f"{environment}/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements], HERE)
        with open(stamp, "w") as f:
            f.write(wanted)
    tests = "import sys, unittest; from kubernetes import config; config.load_kube_config(); " \
            "unittest.main(None, argv=['', '-v', 'test_client', 'test_kopf'])"
    return [f"{environment}/bin/python", "-W", "ignore::ResourceWarning", "-c", tests], f"{HERE}/python"


def javascript():
    need("node", (20, 0), "--version")
    need("npm", (9, 0), "--version")
    folder = f"{WORK}/javascript"
    os.makedirs(folder, exist_ok=True)
    same = os.path.exists(f"{folder}/node_modules")
    for name in ("package.json", "package-lock.json"):
        same = same and open_text(f"{folder}/{name}") == open_text(f"{HERE}/javascript/{name}")
        shutil.copy(f"{HERE}/javascript/{name}", folder)
    if not same:
        run(["npm", "ci", "--no-audit", "--no-fund"], folder)
    shutil.copy(f"{HERE}/javascript/client.test.mjs", folder)  # a module's imports are found beside it
    return ["node", "--test", "--test-reporter=spec", "client.test.mjs"], folder


def go(folder, *command):
    need("go", (1, 21), "version")  # since then a go fetches the tool chain that go.mod names
    flags = f"-mod=readonly {os.environ.get('GOFLAGS', '')}"
    run(["go", *command], f"{HERE}/{folder}", 1800, GOFLAGS=flags)


def go_tests(folder, package, name):
    """Compiles one package of Go tests and returns how it is run."""
    go(folder, "test", "-c", "-o", f"{WORK}/{name}.test", package)
    return [f"{WORK}/{name}.test", "-test.v", "-test.timeout=10m"]


def client_go():
    return go_tests("go", "./clientgo", "client-go"), f"{HERE}/go/clientgo"


def controller_runtime():
    return go_tests("go", "./operator", "controller-runtime"), f"{HERE}/go/operator"


def helm():
    go("helm", "build", "-o", f"{WORK}/helm", "helm.sh/helm/v3/cmd/helm")
    return ["env", f"HELM={WORK}/helm", f"KUBECTL={SKIFF} kubectl", "python3", f"{HERE}/helm/test_helm.py"], f"{HERE}/helm"


CLIENTS = {"client-go": client_go, "python": python, "javascript": javascript, "controller-runtime": controller_runtime, "helm": helm}


GO_PROXY = "https://proxy.golang.org/k8s.io/client-go/@latest"
REGISTRIES = {"python": "https://pypi.org/simple/kubernetes/", "javascript": "https://registry.npmjs.org/@kubernetes%2Fclient-node"}


def offline(url):
    """Why the registry cannot be asked, if that is what kept a client from being installed."""
    try:
        urllib.request.urlopen(url, timeout=20).close()
    except OSError as why:
        return f"no way to {url.split('/')[2]}: {why}"


def cluster():
    """A cluster with a node where this machine can have one, and the image for its pods."""
    why = node_test.missing()
    if why:
        return Skiff(SKIFF), {}, f"without a node: {why}"
    images = f"{WORK}/images"
    os.makedirs(images, exist_ok=True)
    node_test.make_image(f"{images}/test.tar")
    s = Skiff(SKIFF, ["--images", images, "--pod-cidr", "10.193.0.0/16", "--service-cidr", "10.194.0.0/16",
                      "--kubelet-port", str(free_port()), "--dns-port", str(free_port()),
                      *(["--node-ip", os.environ["NODE_TEST_IP"]] if "NODE_TEST_IP" in os.environ else [])])
    return s, {"TEST_IMAGE": node_test.IMAGE}, "with a node"


def ready(skiff):
    for node in skiff.request("GET", "/api/v1/nodes")[1].get("items", []):
        if any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", [])):
            return True


def main(names):
    unknown = [n for n in names if n not in CLIENTS]
    if unknown:
        sys.exit(f"no such client: {' '.join(unknown)}; there are {' '.join(CLIENTS)}")
    os.makedirs(WORK, exist_ok=True)
    failed = []
    for name in names or CLIENTS:
        start = time.monotonic()
        took = lambda: f"{time.monotonic() - start:.0f} s"
        try:
            command, cwd = CLIENTS[name]()
        except Unavailable as why:
            print(f"{name}: SKIPPED, {why}", flush=True)
            continue
        except Exception as why:
            unreachable = offline(REGISTRIES.get(name, GO_PROXY))
            if unreachable:
                print(f"{name}: SKIPPED, {unreachable}", flush=True)
                continue
            print(f"{name}: FAILED to install\n{why}", flush=True)
            failed.append(name)
            continue
        installed, start = took(), time.monotonic()
        skiff, env, how = cluster()
        with skiff:
            try:
                if env:
                    eventually(lambda: ready(skiff), timeout=60)
                output = run(command, cwd, KUBECONFIG=skiff.kubeconfig, **env)
                with open(f"{WORK}/{name}.log", "w") as f:
                    f.write(output)
                print(f"{name}: passed in {took()} {how}; installed in {installed}", flush=True)
            except Exception as why:
                print(f"{name}: FAILED {how}\n{why}\n--- skiff's log\n{skiff.log_text()[-3000:]}", flush=True)
                failed.append(name)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
